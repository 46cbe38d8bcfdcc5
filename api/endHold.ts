// The end of a hold, by whoever releases it or by its approver's no: what it kept beyond its time is erased soon.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { type Ending, type HoldRecord, isWide, setByEnding } from "../domain/subject.ts";
import { createSubjectRetention, factsAbout } from "../policies/subjectRetention.ts";
import type { ApiDeps } from "./deps.ts";
import type { Principal } from "./plugins/auth.ts";
import { actOf } from "./plugins/evidence.ts";
import { createTenants, type TenantsDeps } from "./tenants.ts";

export type EndHoldDeps = Pick<ApiDeps, "clock" | "policies" | "evidence"> &
	TenantsDeps & {
		store: {
			subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "release">;
			wideHolds: Pick<ApiDeps["store"]["wideHolds"], "apply">;
			cohorts: Pick<ApiDeps["store"]["cohorts"], "endHold">;
			subjectRequests: Pick<ApiDeps["store"]["subjectRequests"], "recheckHeld">;
			subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "end" | "find">;
		};
	};

export function createEndHold(deps: EndHoldDeps) {
	const { readTenant } = createTenants(deps);
	const retention = createSubjectRetention(deps);
	const acts = { api: "hold_released", rejected: "hold_rejected" } as const;

	/** A tenant's hold. @throws LetheError not_found; another tenant's answers like absence */
	async function read({ tenantId }: Principal, id: string): Promise<HoldRecord> {
		const record = await deps.store.subjectRecords.find(id);
		if (record?.kind !== "hold" || record.tenantId !== tenantId) throw new LetheError("not_found");
		return record;
	}

	/** The hold as it is then; one that has ended stays as it is. */
	async function end(
		principal: Principal,
		record: HoldRecord,
		source: Extract<Ending["source"], "api" | "rejected">,
	): Promise<HoldRecord> {
		const tenant = await readTenant(principal);
		const now = deps.clock();
		const eraseBy = retention.eraseBy("decision_record", factsAbout(tenant, {}, now), now);
		const ended = { at: now, recordedAt: now, recordedBy: principal.id, source };
		const nextCheckAt = now + limits.driverPatienceMs;
		await deps.evidence.append([actOf(principal, acts[source], { about: record._id })]);
		await deps.store.subjectRecords.end(record._id, ended, setByEnding(record, { nextCheckAt, eraseBy }));
		const released = await read(principal, record._id);
		// What is not taken off now the sweep takes off soon.
		if (isWide(record)) await deps.store.wideHolds.apply(released, now);
		else await deps.store.subjectMessages.release(record, now);
		await deps.store.cohorts.endHold(record._id, now);
		await deps.store.subjectRequests.recheckHeld(record, now);
		return read(principal, record._id);
	}

	return { read, end };
}
