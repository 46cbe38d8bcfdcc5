// From a number to what is on record of whom it belongs to: the number becomes a keyed hash under the tenant's key.

import type { SubjectPseudonym } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import { type Standing, type SubjectRecord, standingOf } from "../domain/subject.ts";
import type { ApiDeps } from "./deps.ts";

export type SubjectsDeps = Pick<ApiDeps, "hmac"> & {
	store: { subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "findBySubjects"> };
};

/** One recipient of a tenant. `macs` are the pseudonyms under every live key version, the newest first. */
export type Subject = { tenantId: string; pseudonym: SubjectPseudonym; macs: string[] };

/** @throws LetheError keys_unavailable, store_unavailable */
export function createSubjects(deps: SubjectsDeps) {
	async function records(subject: Subject): Promise<SubjectRecord[]> {
		return deps.store.subjectRecords.findBySubjects(subject.macs);
	}

	return {
		/** Whose number it is, for that tenant. */
		async identify(tenantId: string, number: Plaintext): Promise<Subject> {
			const { toStore, live, others } = await deps.hmac.macs("subject", tenantId, number.reveal());
			const more = others.length > 0 ? { others: textsOf(others) } : {};
			return { tenantId, pseudonym: { ...toStore, ...more }, macs: textsOf(live) };
		},
		/** Everything on record. */
		records,
		/** What it adds up to now; one read. */
		async standing(subject: Subject): Promise<Standing> {
			// With what is on all of the tenant, in the same read.
			const found = await deps.store.subjectRecords.findBySubjects([...subject.macs, subject.tenantId]);
			return standingOf(found, subject.tenantId);
		},
	};
}

function textsOf(macs: readonly { mac: string }[]): string[] {
	return macs.map(({ mac }) => mac);
}
