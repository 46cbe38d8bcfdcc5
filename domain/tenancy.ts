// Where a tenant stands with a deployment: active unless it says otherwise, suspended, or on its way out. Times are epoch milliseconds.

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

/** Whether it is on its way out, or gone: nobody is given a way in any more. */
export function isLeaving({ standing }: { standing?: TenantStanding }): boolean {
	return standing?.state === "leaving" || standing?.state === "left";
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
