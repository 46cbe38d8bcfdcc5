// A person sets up what they will sign in with, by the token that an administrator handed them: once, and within its time.

import type { StoredPerson } from "../../adapters/mongo/people.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Act } from "../../domain/evidence.ts";
import { findPasswordFault } from "../../domain/password.ts";
import type { Person, SignInMethod } from "../../domain/person.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import type { ApiDeps } from "../deps.ts";
import type { Passkeys, RegistrationResponseJSON } from "./passkeys.ts";
import type { Passwords } from "./passwords.ts";
import { makeRecoveryCodes } from "./recoveryCodes.ts";
import { findTotpStep, newTotpSecret, totpUri } from "./totp.ts";

export type EnrolDeps = Pick<ApiDeps, "clock" | "evidence" | "personMacs" | "personSeal"> & {
	store: {
		people: Pick<ApiDeps["store"]["people"], "findByEnrolment" | "change">;
		tenants: Pick<ApiDeps["store"]["tenants"], "find">;
	};
	passwords: Passwords;
	passkeys: Passkeys;
};

/** What a person sets up: a password with the code of the authenticator app that was just set up, or a passkey. */
export type SetUp = { password: string; code: string } | { passkey: RegistrationResponseJSON };

export type Enrol = ReturnType<typeof createEnrol>;

type Invited = StoredPerson & Required<Pick<Person, "enrolment">>;

/** All throw LetheError enrolment_invalid, and what Vault, the store and Redis throw while they are away. */
export function createEnrol(deps: EnrolDeps) {
	const { clock, store, personMacs, personSeal } = deps;

	async function read(token: string): Promise<Invited> {
		const person = await store.people.findByEnrolment(await personMacs.all("enrolment", token));
		if (!person?.enrolment || person.enrolment.expiresAt <= clock()) throw new LetheError("enrolment_invalid");
		return { ...person, enrolment: person.enrolment };
	}

	/** Applies what was set up, unless somebody has used the token meanwhile. */
	async function use({ _id, tenantId, enrolment: used }: Invited, set: Partial<Person>, code?: SignInMethod) {
		const act: Act = { type: "person_enrolled", tenantId, about: _id, by: _id };
		await deps.evidence.append([code === undefined ? act : { ...act, code }]);
		const changed = await store.people.change(_id, ({ enrolment, ...person }) => {
			if (enrolment?.mac !== used.mac) throw new LetheError("enrolment_invalid");
			const now = clock();
			return { ...person, ...set, enrolledAt: now, sessionsFrom: now };
		});
		if (!changed) throw new LetheError("enrolment_invalid");
		return changed;
	}

	return {
		/** Whose token it is. */
		read,
		/** The person, enrolled with what was set up, in place of all that they had; the token is used then. */
		use,
		/** What is needed to set up an authenticator app, or a passkey. A later call makes the secret of an earlier one void. */
		async begin(token: string) {
			const person = await read(token);
			const named = await openName(deps, person);
			const secret = newTotpSecret();
			const place = { tenantId: person.tenantId, personId: person._id, field: "totp" } as const;
			const sealedTotp = await personSeal.seal(place, Plaintext.text(secret));
			await store.people.change(person._id, (current) => {
				if (current.enrolment?.mac !== person.enrolment.mac) throw new LetheError("enrolment_invalid");
				return { ...current, enrolment: { ...current.enrolment, sealedTotp } };
			});
			return {
				person,
				...named,
				totp: { secret, uri: totpUri(secret, named.login) },
				passkey: await deps.passkeys.addingOptions(person, named),
			};
		},

		/**
		 * The person, enrolled, and recovery codes to go with a password.
		 * @throws LetheError password_refused; sign_in_failed when the code or passkey does not hold: the token may be used again
		 */
		async complete(token: string, setUp: SetUp): Promise<{ person: StoredPerson; recoveryCodes: string[] }> {
			const person = await read(token);
			if ("passkey" in setUp) {
				const passkeys = [await deps.passkeys.add(setUp.passkey)];
				return { person: await use(person, { passkeys }), recoveryCodes: [] };
			}
			const password = await hashNew(deps, person, setUp.password);
			const totp = await confirmTotp(deps, person, person.enrolment.sealedTotp, setUp.code);
			const { codes, recoveryMacs } = await makeRecoveryCodes(personMacs, person._id);
			return { person: await use(person, { password, totp, recoveryMacs }), recoveryCodes: codes };
		},
	};
}

/** Login name and name in clear. @throws LetheError keys_unavailable */
export async function openName(
	{ personSeal }: Pick<EnrolDeps, "personSeal">,
	{ _id: personId, tenantId, sealedName }: Person,
): Promise<{ login: string; name: string }> {
	if (sealedName === undefined) return { login: "", name: "" };
	return JSON.parse((await personSeal.open({ tenantId, personId, field: "name" }, sealedName)).reveal());
}

/** The hash of a password that a person chose. @throws LetheError password_refused */
export async function hashNew(
	deps: Pick<EnrolDeps, "personSeal" | "personMacs" | "passwords"> & { store: Pick<EnrolDeps["store"], "tenants"> },
	person: Person,
	password: string,
) {
	const { login, name } = await openName(deps, person);
	const tenant = await deps.store.tenants.find(person.tenantId);
	const fault = findPasswordFault(password, [login, name, tenant?.name ?? ""]);
	if (fault) throw new LetheError("password_refused", { extra: { reason: fault } });
	return deps.passwords.hash(password, await deps.personMacs.salt(login));
}

async function confirmTotp(
	{ personSeal, clock }: Pick<EnrolDeps, "personSeal" | "clock">,
	{ _id: personId, tenantId }: Person,
	sealed: string | undefined,
	code: string,
): Promise<NonNullable<Person["totp"]>> {
	if (sealed === undefined) throw new LetheError("sign_in_failed");
	const secret = (await personSeal.open({ tenantId, personId, field: "totp" }, sealed)).reveal();
	const step = findTotpStep(secret, code, clock());
	if (step === undefined) throw new LetheError("sign_in_failed");
	return { sealed, step };
}
