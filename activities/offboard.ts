// Takes tenants out of service: ends their open messages, and once one that leaves has its export, destroys keys and records.

import type { Cohort, TenantDocument } from "../adapters/mongo/models.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { TenantStanding } from "../domain/tenancy.ts";
import { abandon } from "../domain/transition.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { issueCertificate } from "./issueCertificate.ts";

export type OffboardDeps = Pick<ActivityDeps, "clock" | "ids" | "log" | "certificates" | "subjectKeys" | "evidence"> & {
	store: Pick<ActivityDeps["store"], "tenants" | "cohorts" | "messages" | "subjectRecords" | "certificates">;
	runs: Pick<ActivityDeps["runs"], "settleSoon" | "startPurge">;
	/** Deletes a final message's last trace, unless something keeps it. */
	deleteRecord: (message: Message) => Promise<unknown>;
};

type Standing<State extends TenantStanding["state"]> = Extract<TenantStanding, { state: State }>;

const recordKinds = ["consent", "opt_out", "hold"] as const;

/** Tends one page of tenants that are due; every step may be repeated, by two workers at once and after a kill. */
export function createOffboard(deps: OffboardDeps) {
	async function tendTenant({ _id, standing }: TenantDocument): Promise<void> {
		const { tenants } = deps.store;
		if (standing?.state === "suspended") return tendSuspended(deps, _id, standing);
		if (standing?.state !== "leaving") return void (await tenants.setStanding(_id, standing, standing));
		// Before it is tried: a failure keeps no other tenant from its turn.
		await tenants.setStanding(_id, standing, standing, deps.clock() + limits.leavingCheckMs);
		if (standing.step === "ending") await tendEnding(deps, _id, standing);
		if (standing.step === "destroying") await tendDestroying(deps, _id, standing);
	}

	return async function offboard(): Promise<void> {
		const due = await deps.store.tenants.findDue(deps.clock(), limits.sweepPageItems);
		for (const tenant of due) await guarded(deps, () => tendTenant(tenant));
	};
}

async function tendSuspended(deps: OffboardDeps, tenantId: string, standing: Standing<"suspended">): Promise<void> {
	const now = deps.clock();
	if (standing.open === "end") await endOpen(deps, tenantId);
	const settled = now >= standing.since + limits.tenantSettleMs;
	const again = standing.open === "end" && !settled ? now + limits.leavingCheckMs : undefined;
	await deps.store.tenants.setStanding(tenantId, standing, standing, again);
}

async function tendEnding(deps: OffboardDeps, tenantId: string, standing: Standing<"leaving">): Promise<void> {
	const openCount = await endOpen(deps, tenantId);
	// Until then one that was judged before may still come into the store.
	if (openCount > 0 || deps.clock() < standing.since + limits.tenantSettleMs) return;
	await deps.store.tenants.setStanding(tenantId, standing, { ...standing, step: "exporting" });
}

/** Ends what is open, the unsent as cancelled, the rest as unknown. Answers how much it found. */
async function endOpen(deps: OffboardDeps, tenantId: string): Promise<number> {
	const { messages } = deps.store;
	const now = deps.clock();
	// What was accepted before has closed by itself.
	const since = now - limits.validForMaxMs - limits.receiptGraceMs - limits.clockSkewMs;
	let count = 0;
	let after: Parameters<typeof messages.openPage>[3];
	do {
		const page = await messages.openPage(tenantId, since, limits.sweepPageItems, after);
		count += page.messages.length;
		await Promise.all(
			page.messages.map(async (message) => {
				const ended = await change(messages, message._id, (current) => abandon(current, now), message);
				if (ended) deps.runs.settleSoon(ended.before);
			}),
		);
		after = page.after;
	} while (after);
	return count;
}

async function tendDestroying(deps: OffboardDeps, tenantId: string, standing: Standing<"leaving">): Promise<void> {
	const standingCohorts = (await deps.store.cohorts.findByTenant(tenantId)).filter(
		({ state }) => state !== "destroyed",
	);
	if (standingCohorts.length > 0) return destroyCohorts(deps, standingCohorts);
	if (!(await deleteRecords(deps, tenantId))) return;
	await deps.evidence.append([{ type: "subject_key_destroyed", tenantId, about: tenantId, by: "engine" }]);
	await deps.subjectKeys.destroySubjectKey(tenantId);
	const certificateId = await certifyLeft(deps, tenantId, standing.since);
	await deps.evidence.append([{ type: "tenant_left", tenantId, about: certificateId, by: "engine" }]);
	const left = { state: "left", since: standing.since, certificateId } as const;
	await deps.store.tenants.setStanding(tenantId, standing, left);
}

// Each by the purge that every cohort ends with: erased page by page, read back, its key destroyed, certified.
async function destroyCohorts(deps: OffboardDeps, cohorts: Cohort[]): Promise<void> {
	const now = deps.clock();
	const some = cohorts.slice(0, limits.sweepPageItems);
	await deps.store.cohorts.endNow(
		some.map(({ _id }) => _id),
		now,
	);
	for (const { _id: cohortId, tenantId, region } of some) await deps.runs.startPurge({ cohortId, tenantId, region });
}

/** Deletes messages' records and what is on record of recipients. True once nothing is left. */
async function deleteRecords(deps: OffboardDeps, tenantId: string): Promise<boolean> {
	const { messages, subjectRecords } = deps.store;
	const page = await messages.page(tenantId, limits.sweepPageItems);
	await Promise.all(page.filter(({ state }) => isFinal(state)).map(deps.deleteRecord));
	const pages = await Promise.all(
		recordKinds.map((kind) => subjectRecords.page(tenantId, kind, limits.sweepPageItems)),
	);
	const records = pages.flat();
	// A hold that was placed meanwhile keeps everything until it is released.
	if (records.some((record) => record.kind === "hold" && !record.ended)) return false;
	for (const { _id } of records) await subjectRecords.delete(_id);
	return page.length === 0 && records.length === 0;
}

/** One certificate for the key that gave its recipients their pseudonyms; each cohort has its own. */
async function certifyLeft(deps: OffboardDeps, tenantId: string, since: number): Promise<string> {
	const erasedAt = deps.clock();
	const id = deps.ids.derive("certificate", `${tenantId} left ${since}`);
	const objects = [{ object: "subject_key", erasedAt, keyDestroyedAt: erasedAt, verified: true }] as const;
	await issueCertificate(deps, { id, kind: "tenant", tenantId, about: tenantId, objects, carrierCopies: [] });
	return id;
}
