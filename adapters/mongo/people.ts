// People who may sign in, and the keyed hashes of login names, by which one is found.

import type { mongo } from "mongoose";
import { keyVersionOf } from "../../domain/keyVersionOf.ts";
import { type Person, withoutCredentials } from "../../domain/person.ts";
import { changeRevised } from "./changeRevised.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import { pageAll } from "./pageAll.ts";

/** `revision` counts its changes. */
export type StoredPerson = Person & { revision: number };

/**
 * A keyed hash that leads to a person. Named by tenant and hash: no two people of one share a login name, and nobody
 * learns who is known at another.
 */
export type PersonLoginDocument = { _id: string; mac: string; personId: string };

/** @throws LetheError store_unavailable */
export function createPeopleStore(
	people: mongo.Collection<StoredPerson>,
	logins: mongo.Collection<PersonLoginDocument>,
) {
	const find = (id: string) =>
		guardStore(async () => ((await people.findOne({ _id: id })) as StoredPerson | null) ?? undefined);

	const change = (
		id: string,
		decide: (person: StoredPerson) => (Person & { revision?: number }) | undefined,
		before?: (from: StoredPerson, to: StoredPerson) => Promise<void>,
	) => changeRevised(people, () => find(id), decide, before);
	const deleteLogins = (personId: string) => guardStore(async () => void (await logins.deleteMany({ personId })));

	return {
		find,
		/** False when one of that id stands. */
		insert: (person: Person) => guardStore(() => insertOnce(people, { ...person, revision: 0 })),
		/** Ids of the people whom a hash, under any live version of its key, leads to; some may be gone. */
		findByLogin: (macs: string[]) =>
			guardStore(async () => (await logins.find({ mac: { $in: macs } }).toArray()).map(({ personId }) => personId)),
		/** Whose token to enrol this is. */
		findByEnrolment: (macs: string[]) =>
			guardStore(
				async () => ((await people.findOne({ "enrolment.mac": { $in: macs } })) as StoredPerson | null) ?? undefined,
			),
		/** Whom an identity provider knows under one of these hashes. */
		findBySubject: (macs: string[]) =>
			guardStore(() => people.find({ "sso.mac": { $in: macs } }).toArray() as Promise<StoredPerson[]>),
		/** False when that person's tenant has one of that hash. */
		putLogin: (tenantId: string, mac: string, personId: string) =>
			guardStore(() => insertOnce(logins, { _id: `${tenantId}/${mac}`, mac, personId })),
		/**
		 * Has a person's login name known by this hash in the place of those under older versions of its key; a newer one
		 * stays, and so does all where somebody else has this one.
		 */
		renewLogin: (tenantId: string, mac: string, personId: string) =>
			guardStore(async () => {
				const isOlder = (login: PersonLoginDocument) => (keyVersionOf(login.mac) ?? 0) < (keyVersionOf(mac) ?? 0);
				const known = await logins.find({ personId }).toArray();
				const older = known.filter(isOlder).map(({ _id }) => _id);
				if (older.length === 0) return;
				const isThere = known.some((login) => login.mac === mac);
				if (!isThere && !(await insertOnce(logins, { _id: `${tenantId}/${mac}`, mac, personId }))) return;
				await logins.deleteMany({ _id: { $in: older } });
			}),
		deleteLogins,
		/** All of a tenant's people, those who left included, the newest first. */
		findByTenant: (tenantId: string) =>
			guardStore(() => people.find({ tenantId }).sort({ createdAt: -1, _id: -1 }).toArray() as Promise<StoredPerson[]>),
		/** Everybody's, page by page. */
		pageAll: (afterId: string, itemsMax: number) => pageAll(people, afterId, itemsMax),
		pageLogins: (afterId: string, itemsMax: number) => pageAll(logins, afterId, itemsMax),
		/** A page of them, after the cursor's place. */
		page: (tenantId: string, itemsMax: number, after?: Place) =>
			findPage(people, { tenantId }, "createdAt", { itemsMax, after }),
		/** Changes a person by what `decide` makes of them; see `changeRevised`. */
		change,
		/** Erases name and credentials, for good. True when it was this call that did. */
		async end(id: string, now: number): Promise<boolean> {
			let ended = false;
			await change(id, (person) => {
				ended = person.endedAt === undefined;
				const { sealedName: _, ...rest } = withoutCredentials(person);
				return ended ? { ...rest, endedAt: now, sessionsFrom: now } : undefined;
			});
			await deleteLogins(id);
			return ended;
		},
		/** Forgets a person of a tenant that leaves. */
		delete: (id: string) =>
			guardStore(async () => {
				await deleteLogins(id);
				await people.deleteOne({ _id: id });
			}),
	};
}
