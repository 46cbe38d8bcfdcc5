// Policies that came into force apply to records of recipients, too: consents, opt-outs and released holds get their dates anew.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { RecordDates } from "../adapters/mongo/subjectRecords.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ErasedRecord, SubjectRecord } from "../domain/subject.ts";
import { createSubjectRetention, endOfProof, factsAbout } from "../policies/subjectRetention.ts";
import type { ActivityDeps } from "./deps.ts";

export type RetimeRecordsDeps = Pick<ActivityDeps, "log" | "policies"> & {
	store: {
		subjectRecords: Pick<ActivityDeps["store"]["subjectRecords"], "find" | "pageAll" | "retime">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
};

const roundsMax = 8;

export function createRetimeRecords(deps: RetimeRecordsDeps) {
	const { subjectRecords, tenants } = deps.store;
	const retention = createSubjectRetention(deps);

	/** Undefined of what keeps its dates: where the recipient is is not known, or no pack has a say. */
	function datesOf(record: SubjectRecord, tenant: TenantDocument, now: number): RecordDates | undefined {
		if (record.kind === "hold") {
			if (!record.ended) return undefined;
			return { eraseBy: retention.eraseBy("decision_record", factsAbout(tenant, {}, now), record.ended.recordedAt) };
		}
		if (record.kind === "recipient_key" || !record.recipient) return undefined;
		const facts = factsAbout(tenant, record.recipient, now);
		if (record.kind === "opt_out") return { eraseBy: retention.eraseBy("suppression", facts, record.recordedAt) };
		const dates = retention.ofConsent(facts, record.recordedAt);
		return {
			keptAfterEnd: dates.keptAfterEnd,
			eraseBy: record.ended ? endOfProof(record.ended, dates) : dates.eraseBy,
		};
	}

	// A record that can't be judged stops no other.
	function tryDatesOf(record: SubjectRecord, tenant: TenantDocument, now: number): RecordDates | undefined {
		try {
			return datesOf(record, tenant, now);
		} catch (error) {
			if ((error as { code?: string }).code === "policies_unavailable") throw error;
			deps.log.warn({ about: record._id, code: "unjudged" }, "record not re-timed");
			return undefined;
		}
	}

	async function retimeOne(first: SubjectRecord, tenant: TenantDocument, now: number): Promise<void> {
		let record: SubjectRecord | ErasedRecord | undefined = first;
		for (let round = 0; round < roundsMax; round++) {
			if (!record || record.kind === "erased") return;
			const dates = tryDatesOf(record, tenant, now);
			if (!dates || isSame(record, dates) || (await subjectRecords.retime(record, dates))) return;
			record = await subjectRecords.find(record._id);
		}
		throw new LetheError("store_unavailable", { cause: "lost every race" });
	}

	/**
	 * One page of records that were made, or ended, since then. Answers its last one's id, or undefined when all were seen.
	 * @throws LetheError store_unavailable, policies_unavailable: the page is done again
	 */
	return async function retimeRecords(afterId: string, since: number, now: number): Promise<string | undefined> {
		const page = await subjectRecords.pageAll(afterId, limits.policyPageItems);
		const records = page.filter((record): record is SubjectRecord => record.kind !== "erased");
		const ids = [...new Set(records.map(({ tenantId }) => tenantId))];
		const known = new Map(await Promise.all(ids.map(async (id) => [id, await tenants.find(id)] as const)));
		await Promise.all(
			records.map((record) => {
				const tenant = known.get(record.tenantId);
				if (!tenant || (record.ended ?? record).recordedAt < since) return undefined;
				return retimeOne(record, tenant, now);
			}),
		);
		return page.at(-1)?._id;
	};
}

function isSame(record: SubjectRecord, { eraseBy, keptAfterEnd }: RecordDates): boolean {
	return record.eraseBy === eraseBy && (record.kind !== "consent" || record.keptAfterEnd === keptAfterEnd);
}
