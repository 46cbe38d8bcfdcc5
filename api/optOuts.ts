// Opt-outs: placed at once and once, whoever comes with them; lifted only by an opt-in that is newer.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision, Facts } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import type { Act, ActType } from "../domain/evidence.ts";
import { limits } from "../domain/limits.ts";
import {
	covers,
	type Ending,
	lastSaidAt,
	type OptOutRecord,
	type SubjectRecord,
	standingOf,
} from "../domain/subject.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { createSubjectRetention, factsAbout, whereaboutsOf } from "../policies/subjectRetention.ts";
import type { ApiDeps } from "./deps.ts";
import type { Recipient } from "./recipient.ts";
import { createSubjects, type Subject, type SubjectsDeps } from "./subjects.ts";

export type OptOutsDeps = Pick<ApiDeps, "clock" | "ids" | "policies" | "evidence"> &
	SubjectsDeps & {
		store: { subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "end" | "find" | "insert" | "repeat"> };
	};

export type Placing = Pick<OptOutRecord, "scope" | "source" | "at" | "recordedBy"> & {
	tenant: TenantDocument;
	recipient: Omit<Recipient, "number">;
	subject: Subject;
	facts?: Facts;
	decision?: Decision;
};

const roundsMax = 8;

/** @throws LetheError store_unavailable: nothing was recorded that was not recorded before */
export function createOptOuts(deps: OptOutsDeps) {
	const { subjectRecords } = deps.store;
	const subjects = createSubjects(deps);
	const retention = createSubjectRetention(deps);

	return {
		/**
		 * Has an opt-out stand that blocks at least `scope`; answers it, and whether it is new. Of several that come at
		 * once, one is: the id of an opt-out derives from the one before it, so they all try the same.
		 */
		async place(placing: Placing): Promise<{ record: OptOutRecord; placed: boolean }> {
			const { tenant, recipient, subject, ...stated } = placing;
			for (let round = 0; round < roundsMax; round++) {
				const records = await subjects.records(subject);
				const { optOut } = standingOf(records, tenant._id);
				if (optOut && covers(optOut.scope, stated.scope)) {
					const isNews = stated.at > lastSaidAt(optOut);
					// Lifted in between: then this one is to be placed.
					if (isNews && !(await subjectRecords.repeat(optOut._id, stated.at))) continue;
					return { record: optOut, placed: false };
				}
				const now = deps.clock();
				// The oldest key version's pseudonym: every process knows it, whatever version was added meanwhile.
				const name = JSON.stringify([tenant._id, subject.macs.at(-1), newest(records)?._id]);
				const eraseBy = retention.eraseBy("suppression", factsAbout(tenant, recipient, now), now);
				const record = withoutUndefined<OptOutRecord>({
					_id: deps.ids.derive("optOut", name),
					kind: "opt_out",
					tenantId: tenant._id,
					subjects: subject.macs,
					...stated,
					recipient: whereaboutsOf(recipient),
					recordedAt: now,
					...(eraseBy === undefined ? {} : { eraseBy, nextCheckAt: eraseBy }),
				});
				await deps.evidence.append([actOn(record, "opt_out_recorded", record.scope, stated.recordedBy)]);
				if (await subjectRecords.insert(record)) return { record, placed: true };
			}
			throw new LetheError("store_unavailable", { cause: "lost every race" });
		},

		/** Lifts an opt-out for an opt-in given after it. @throws LetheError opt_in_not_fresh */
		async lift(record: OptOutRecord, by: Omit<Ending, "recordedAt">): Promise<void> {
			const now = deps.clock();
			if (by.at <= lastSaidAt(record) || by.at > now + limits.clockSkewMs) throw new LetheError("opt_in_not_fresh");
			await deps.evidence.append([actOn(record, "opt_out_lifted", by.source, by.recordedBy)]);
			if (await subjectRecords.end(record._id, withoutUndefined({ ...by, recordedAt: now }))) return;
			// Lifted before, it stays as it was; said again meanwhile, it stands.
			const found = await subjectRecords.find(record._id);
			if (found?.kind === "opt_out" && !found.ended) throw new LetheError("opt_in_not_fresh");
		},
	};
}

// What a recipient wrote is the recipient's act, not the engine's that wrote it down.
function actOn({ _id, tenantId }: OptOutRecord, type: ActType, code: string, recordedBy: string): Act {
	return { type, code, tenantId, about: _id, by: recordedBy === "engine" ? "recipient" : recordedBy };
}

// Not their number: older ones are erased in time, and then an id of before would come again.
function newest(records: SubjectRecord[]): SubjectRecord | undefined {
	const optOuts = records.filter(({ kind }) => kind === "opt_out");
	return optOuts.toSorted((one, other) => other.recordedAt - one.recordedAt).at(0);
}
