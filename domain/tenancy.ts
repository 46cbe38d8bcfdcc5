// Where a tenant stands with a deployment: active unless it says otherwise, suspended, or on its way out. Times are epoch milliseconds.

import { LetheError } from "./errors.ts";

/** What becomes of the open messages of a suspended tenant: they wait, each to its deadline, or end at once. */
export const openFates = ["wait", "end"] as const;
export type OpenFate = (typeof openFates)[number];

/** `ending`: open messages are ended; `exporting`: whoever asked fetches the data; `destroying`: keys and records go. */
export type TenantStanding =
	| { state: "suspended"; since: number; open: OpenFate }
	| { state: "leaving"; since: number; step: "ending" | "exporting" | "destroying" }
	| { state: "left"; since: number; certificateId: string };

/** Whether anything new is accepted of it, and anything sent for it. */
export function isActive({ standing }: { standing?: TenantStanding }): boolean {
	return standing === undefined;
}

/**
 * Nobody is given a way in, or a word of what happens, where a tenant is on its way out: its keys and people are ended once.
 * @throws LetheError tenant_suspended when it is leaving, or has left; not_found when there is none
 */
export function refuseLeaving(tenant: { standing?: TenantStanding } | undefined): void {
	if (!tenant) throw new LetheError("not_found");
	const { state } = tenant.standing ?? {};
	if (state === "leaving" || state === "left") throw new LetheError("tenant_suspended");
}

/** Whether a change lets a tenant do less than before. */
export function isStricter(to: TenantStanding | undefined, from: TenantStanding | undefined): boolean {
	return strictness(to) > strictness(from);
}

function strictness(standing: TenantStanding | undefined): number {
	if (standing === undefined) return 0;
	if (standing.state !== "suspended") return 3;
	return standing.open === "wait" ? 1 : 2;
}
