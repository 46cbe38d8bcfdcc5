// Keeps the hashes that lead to a person under the newest version of their key: older ones can end once everybody has signed in.

import type { StoredPerson } from "../../adapters/mongo/people.ts";
import { LetheError } from "../../domain/errors.ts";
import { keyVersionOf } from "../../domain/keyVersionOf.ts";
import { normaliseLogin } from "../../domain/person.ts";
import type { ApiDeps } from "../deps.ts";
import { openName } from "./enrol.ts";

export type RenewHashesDeps = Pick<ApiDeps, "personMacs" | "personSeal"> & {
	store: { people: Pick<ApiDeps["store"]["people"], "change" | "renewLogin"> };
};

/** Of somebody who has just signed in. `login`: where they gave it; `subjectMac`: of whom their provider vouched for. */
export async function renewHashes(
	deps: RenewHashesDeps,
	person: StoredPerson,
	{ login, subjectMac = "" }: { login?: string; subjectMac?: string },
): Promise<void> {
	const { people } = deps.store;
	try {
		const name = login ?? normaliseLogin((await openName(deps, person)).login);
		await people.renewLogin(person.tenantId, await deps.personMacs.one("login", name), person._id);
		const known = person.sso?.mac;
		if (known === undefined || !isOlder(known, subjectMac)) return;
		await people.change(person._id, (current) =>
			current.sso?.mac === known ? { ...current, sso: { ...current.sso, mac: subjectMac } } : undefined,
		);
	} catch (error) {
		// Whoever has signed in is in; the next time does it.
		if (!(error instanceof LetheError)) throw error;
	}
}

function isOlder(mac: string, than: string): boolean {
	return (keyVersionOf(mac) ?? 0) < (keyVersionOf(than) ?? 0);
}
