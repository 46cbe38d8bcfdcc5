// People from invitation to leaving: what an administrator does, by command or by API, each act in the evidence log first.

import { randomBytes } from "node:crypto";
import { LetheError } from "../domain/errors.ts";
import type { Act } from "../domain/evidence.ts";
import type { IdKind } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import {
	deployer,
	normaliseLogin,
	type Person,
	rolesInForce,
	tokenHolder,
	withoutCredentials,
} from "../domain/person.ts";
import { Plaintext } from "../domain/plaintext.ts";
import type { Role } from "../domain/roles.ts";
import { refuseLeaving } from "../domain/tenancy.ts";
import type { ApiKeys } from "./apiKeys.ts";
import type { ApiKeyDocument } from "./mongo/models.ts";
import type { Store } from "./mongo/store.ts";
import type { PersonMacs } from "./personMacs.ts";
import type { PersonSeal } from "./vault/personSeal.ts";

export type People = ReturnType<typeof createPeople>;

type PeopleDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	ids: { random: (kind: IdKind) => string };
	store: {
		people: Store["people"];
		tenants: Pick<Store["tenants"], "find">;
		apiKeys: Pick<Store["apiKeys"], "findByTenant">;
	};
	apiKeys: Pick<ApiKeys, "revoke">;
	macs: PersonMacs;
	personSeal: Pick<PersonSeal, "seal">;
	evidence: { append: (acts: Act[]) => Promise<unknown> };
};

/** All throw LetheError keys_unavailable | store_unavailable. `by`: id of whoever does it, or `admin`. */
export function createPeople(deps: PeopleDeps) {
	const { clock, store, evidence, apiKeys } = deps;
	const { makeEnrolment, invite } = createInvitations(deps);
	const taking = createTaking(deps);

	/** One of a tenant's, also who has left. @throws LetheError not_found; another tenant's answers like absence */
	async function find(tenantId: string, id: string) {
		const person = await store.people.find(id);
		if (person?.tenantId !== tenantId) throw new LetheError("not_found");
		return person;
	}

	/** One of a tenant's who has not left. @throws LetheError not_found */
	async function read(tenantId: string, id: string) {
		const person = await find(tenantId, id);
		if (person.endedAt !== undefined) throw new LetheError("not_found");
		return person;
	}

	return {
		read,

		invite,

		/** Takes all that a person signs in with, ends their sessions, and answers a new token to enrol with. */
		async renewEnrolment(by: string, tenantId: string, id: string) {
			await read(tenantId, id);
			const { token, enrolment } = await makeEnrolment();
			await taking(by, id, async () => {
				await evidence.append([{ type: "person_changed", code: "enrolment", tenantId, about: id, by }]);
				const renewed = { enrolment, tokenBy: by, sessionsFrom: clock() };
				await changeStanding(id, (person) => ({ ...withoutCredentials(person), ...renewed }));
			});
			return { id, enrolmentToken: token, expiresAt: enrolment.expiresAt };
		},

		async setRoles(by: string, tenantId: string, id: string, roles: Role[]): Promise<Person> {
			await read(tenantId, id);
			return taking(by, id, async () => {
				await evidence.append([{ type: "person_changed", code: `roles.${roles.join(".")}`, tenantId, about: id, by }]);
				return changeStanding(id, (person) => ({ ...person, roles }));
			});
		},

		/**
		 * Vouches for a person who has enrolled: it is they who did, and not whoever was shown their token. `enrolledAt`: when
		 * they did, as whoever vouches was told: who enrolled since, in their place, is not vouched for.
		 * @throws LetheError not_enrolled; enrolment_changed; self_approval for the person themselves and for who was shown
		 * their token
		 */
		async confirm(by: string, tenantId: string, id: string, enrolledAt: number): Promise<Person> {
			const known = requireConfirmable(by, await read(tenantId, id), enrolledAt);
			if (known.confirmedBy !== undefined) return known;
			await evidence.append([{ type: "person_changed", code: "confirmed", tenantId, about: id, by }]);
			return changeStanding(id, (person) => ({ ...requireConfirmable(by, person, enrolledAt), confirmedBy: by }));
		},

		/**
		 * For good: name and credentials go, the id stays, since the evidence log names it. Answers the ids of API keys that
		 * they may have the text of: those that open still, and, with `revokeKeys`, those that were revoked. Done again, it
		 * answers anew.
		 * @throws LetheError not_found
		 */
		async end(
			by: string,
			tenantId: string,
			id: string,
			{ revokeKeys = false } = {},
		): Promise<{ liveKeys: string[]; revokedKeys: string[] }> {
			const { endedAt } = await find(tenantId, id);
			return taking(by, id, async () => {
				const revoked = revokeKeys ? await findLiveKeys(deps, tenantId, id) : [];
				for (const key of revoked) await apiKeys.revoke(by, key);
				if (endedAt === undefined) {
					await evidence.append([{ type: "person_ended", tenantId, about: id, by }]);
					await store.people.end(id, clock());
				}
				// Read once they are out: until then they could make more.
				return { liveKeys: idsOf(await findLiveKeys(deps, tenantId, id)), revokedKeys: idsOf(revoked) };
			});
		},
	};

	async function changeStanding(id: string, decide: (person: Person) => Person): Promise<Person> {
		const changed = await store.people.change(id, (person) => {
			if (person.endedAt !== undefined) throw new LetheError("not_found");
			return decide(person);
		});
		if (!changed) throw new LetheError("not_found");
		return changed;
	}
}

/**
 * Takes from an administrator what makes them one, by `act`, while nobody takes it from whoever does it: of two who do that to
 * each other at once neither would be left to let anybody in. Each puts their mark on the other, and then looks at
 * themselves: at least one of them sees the other's.
 * @throws LetheError person_acted_on; unauthenticated for who is no administrator any more
 */
function createTaking({ clock, store }: Pick<PeopleDeps, "clock" | "store">) {
	const isAdmin = (person: Person | undefined) =>
		person !== undefined && person.endedAt === undefined && rolesInForce(person).includes("admin");
	const refuseMarked = ({ actedOn }: Person, by?: string): void => {
		const isUnderWay = actedOn !== undefined && actedOn.by !== by && actedOn.at > clock() - limits.personActMs;
		if (isUnderWay) throw new LetheError("person_acted_on");
	};

	return async <T>(by: string, id: string, act: () => Promise<T>): Promise<T> => {
		if (by === deployer || !isAdmin(await store.people.find(id))) return act();
		const mark = { by, at: clock() };
		await store.people.change(id, (person) => {
			refuseMarked(person, by);
			return { ...person, actedOn: mark };
		});
		try {
			const actor = await store.people.find(by);
			if (!actor || !isAdmin(actor)) throw new LetheError("unauthenticated");
			refuseMarked(actor);
			return await act();
		} finally {
			await store.people.change(id, ({ actedOn, ...person }) =>
				actedOn?.by === by && actedOn.at === mark.at ? person : undefined,
			);
		}
	};
}

/** Keys in force that somebody made or was ever shown a text of, and those that were made with such a one. */
async function findLiveKeys(
	{ store, clock }: Pick<PeopleDeps, "store" | "clock">,
	tenantId: string,
	personId: string,
): Promise<ApiKeyDocument[]> {
	const keys = await store.apiKeys.findByTenant(tenantId);
	const known = new Set([personId]);
	for (const by of known) {
		for (const { _id, createdBy, shownTo = [] } of keys) {
			// Of one that was shown to more than are kept nobody knows whose it is.
			const isShown = shownTo.includes(by) || shownTo.length > limits.keyHoldersMax;
			if (createdBy === by || isShown) known.add(_id);
		}
	}
	const now = clock();
	const isLive = ({ revokedAt, expiresAt = Number.POSITIVE_INFINITY }: ApiKeyDocument) =>
		revokedAt === undefined && expiresAt > now;
	return keys.filter((key) => known.has(key._id) && isLive(key));
}

function idsOf(keys: ApiKeyDocument[]): string[] {
	return keys.map(({ _id }) => _id).sort();
}

function requireConfirmable(by: string, person: Person, enrolledAt: number): Person {
	if (person._id === by || (tokenHolder(person) === by && by !== deployer)) throw new LetheError("self_approval");
	if (person.enrolment !== undefined || person.enrolledAt === undefined) throw new LetheError("not_enrolled");
	if (person.enrolledAt !== enrolledAt) throw new LetheError("enrolment_changed");
	return person;
}

function createInvitations(deps: PeopleDeps) {
	const { clock, ids, store, evidence, macs } = deps;

	async function makeEnrolment() {
		const token = `lethe_enrol_${randomBytes(32).toString("base64url")}`;
		const expiresAt = clock() + limits.enrolmentLifeMs;
		return { token, enrolment: { mac: await macs.one("enrolment", token), expiresAt } };
	}

	/**
	 * Adds a person, who has to enrol with the token that is answered, once. `id`: of the person; where they stand, an
	 * earlier run added them and was cut off before it showed its token: another is shown.
	 * @throws LetheError login_taken; too_many_records; tenant_suspended when the tenant is leaving; enrolment_invalid when
	 * they have enrolled since
	 */
	async function invite(
		by: string,
		{ tenantId, login, name, roles }: { tenantId: string; login: string; name: string; roles: Role[] },
		id = ids.random("person"),
	): Promise<{ id: string; enrolmentToken: string; expiresAt: number }> {
		refuseLeaving(await store.tenants.find(tenantId));
		const known = await store.people.findByTenant(tenantId);
		const others = known.filter(({ _id }) => _id !== id);
		const inForce = others.filter(({ endedAt }) => endedAt === undefined);
		if (inForce.length >= limits.peoplePerTenantMax) throw new LetheError("too_many_records");
		const normalised = normaliseLogin(login);
		const taken = await store.people.findByLogin(await macs.all("login", normalised));
		if (others.some(({ _id, endedAt }) => taken.includes(_id) && endedAt === undefined)) {
			throw new LetheError("login_taken");
		}
		// Of somebody who left half way.
		for (const { _id, endedAt } of others) if (endedAt && taken.includes(_id)) await store.people.deleteLogins(_id);
		const { token, enrolment } = await makeEnrolment();
		const named = Plaintext.text(JSON.stringify({ login: normalised, name }));
		const sealedName = await deps.personSeal.seal({ tenantId, personId: id, field: "name" }, named);
		await evidence.append([{ type: "person_invited", code: roles.join("."), tenantId, about: id, by }]);
		const now = clock();
		const empty = { passkeys: [], recoveryMacs: [], sessionsFrom: now };
		// The person first: a name that leads to nobody would be taken for good.
		const person = { tenantId, roles, sealedName, createdAt: now, createdBy: by, enrolment, ...empty };
		if (!(await store.people.insert({ _id: id, ...person }))) await renewToken(id, by, enrolment);
		const mac = await macs.one("login", normalised);
		if (!taken.includes(id) && !(await store.people.putLogin(tenantId, mac, id))) {
			await store.people.delete(id);
			throw new LetheError("login_taken");
		}
		return { id, enrolmentToken: token, expiresAt: enrolment.expiresAt };
	}

	async function renewToken(id: string, by: string, enrolment: Person["enrolment"]): Promise<void> {
		await store.people.change(id, (person) => {
			if (!person.enrolment || person.endedAt !== undefined) throw new LetheError("enrolment_invalid");
			return { ...person, enrolment, tokenBy: by };
		});
	}

	return { makeEnrolment, invite };
}
