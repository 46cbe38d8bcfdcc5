// A person who may sign in: what is kept of them, and how they prove who they are. Times are epoch milliseconds.

import type { Role } from "./roles.ts";

/** An argon2id hash (RFC 9106) with what it takes to make it again; bytes in base64url. */
export type PasswordHash = { salt: string; hash: string; memoryKib: number; passes: number };

/** A public key credential of WebAuthn; `credentialId` and `publicKey` (COSE) in base64url. */
export type Passkey = {
	id: string;
	credentialId: string;
	publicKey: string;
	/** How often it signed, as it says itself; zero where it does not count. */
	counter: number;
	transports: string[];
	addedAt: number;
};

/**
 * Staff data is personal data too: the login name is kept as keyed hash and, with the name, encrypted under the tenant's
 * key for its people; everywhere else a person is an opaque id.
 */
export type Person = {
	_id: string;
	tenantId: string;
	roles: Role[];
	/** Login name and name as JSON, encrypted; absent once the person has left. */
	sealedName?: string;
	createdAt: number;
	createdBy: string;
	/** Who was shown the token of their last enrolment, where that is not who created them; and who else vouched for them since. */
	tokenBy?: string;
	confirmedBy?: string;
	/** A token that was handed out to enrol, as keyed hash; and the secret of the authenticator that is being set up. */
	enrolment?: { mac: string; expiresAt: number; sealedTotp?: string };
	password?: PasswordHash;
	/** Secret of the time-based one-time password, encrypted, and the last time step whose code was taken. */
	totp?: { sealed: string; step: number };
	passkeys: Passkey[];
	/** Whom the tenant's identity provider knows them as: a keyed hash of its `sub`. Nothing else signs them in then. */
	sso?: { providerId: string; mac: string };
	/** When they enrolled with what they have now; whoever vouches for them names it. */
	enrolledAt?: number;
	/** Keyed hashes of the recovery codes that are left. */
	recoveryMacs: string[];
	/** Sessions that began before are over, and those that were being begun when it changed. */
	sessionsFrom: number;
	/** Who is just taking something of this from them, and since when. */
	actedOn?: { by: string; at: number };
	endedAt?: number;
};

/** The ways to sign in; each shows two factors at once, or has an identity provider vouch for them. */
export const signInMethods = ["password", "recovery", "passkey", "sso"] as const;
export type SignInMethod = (typeof signInMethods)[number];

/** Where an identity provider sends people back to: a path a provider, so that none answers for another (RFC 9700, 4.4.2). */
export function ssoCallbackPath(providerId: string): string {
	return `/v1/session/sso/${providerId}/callback`;
}

/** As kept in Redis, under the keyed hash of its token. */
export type Session = {
	/** Opaque; names it in lists. */
	id: string;
	personId: string;
	tenantId: string;
	method: SignInMethod;
	startedAt: number;
	/** The person's, of when they showed who they are; absent in one that began before this was kept. */
	sessionsFrom?: number;
	/** When a second factor was last shown. */
	mfaAt: number;
};

/** Whoever runs the deployment, where a principal's id stands otherwise: who invites by command vouches for whom that is. */
export const deployer = "admin";

/** Roles that open content, let others in, or say yes to what others propose. */
const vouchedRoles: readonly Role[] = ["admin", "approver", "compliance"];

/** Who was shown the token by which they enrolled, or may. */
export function tokenHolder({ tokenBy, createdBy }: Pick<Person, "tokenBy" | "createdBy">): string {
	return tokenBy ?? createdBy;
}

/**
 * The roles that count. Who holds a person's token could enrol in their place, so until another person has vouched for
 * them, those that would let one person be two do not.
 */
export function rolesInForce(person: Pick<Person, "roles" | "tokenBy" | "createdBy" | "confirmedBy">): Role[] {
	const isVouched = tokenHolder(person) === deployer || person.confirmedBy !== undefined;
	return isVouched ? person.roles : person.roles.filter((role) => !vouchedRoles.includes(role));
}

/** A login name as it is compared: without case and the forms of a letter. */
export function normaliseLogin(login: string): string {
	return login.normalize("NFKC").trim().toLowerCase();
}

/** A person who has nothing left to sign in with, and for whom nobody vouches. */
export function withoutCredentials(person: Person): Person {
	const { enrolment: _, password: __, totp: ___, sso: ____, confirmedBy: _____, enrolledAt: ______, ...rest } = person;
	return { ...rest, passkeys: [], recoveryMacs: [] };
}

const credentialNames = ["enrolment", "password", "totp", "recovery", "sso"] as const;

/** What one change takes from a person, in words and opaque ids. `sessionsFrom`: sessions that began before are over. */
export type Taking = {
	roles?: Role[];
	passkeys?: string[];
	credentials?: (typeof credentialNames)[number][];
	sessionsFrom?: number;
};

/**
 * What a change takes; undefined when nothing. A code's time step and a passkey's counter, which move at each sign-in, are
 * nothing that is taken.
 */
export function takenBy(from: Person, to: Person): Taking | undefined {
	const roles = from.roles.filter((role) => !to.roles.includes(role));
	const passkeys = from.passkeys.map(({ id }) => id).filter((id) => !to.passkeys.some((one) => one.id === id));
	const isOver: Record<(typeof credentialNames)[number], boolean> = {
		enrolment: from.enrolment !== undefined && from.enrolment.mac !== to.enrolment?.mac,
		password: from.password !== undefined && from.password.hash !== to.password?.hash,
		totp: from.totp !== undefined && from.totp.sealed !== to.totp?.sealed,
		sso: from.sso !== undefined && from.sso.mac !== to.sso?.mac,
		recovery: from.recoveryMacs.some((mac) => !to.recoveryMacs.includes(mac)),
	};
	const credentials = credentialNames.filter((name) => isOver[name]);
	const taking: Taking = {
		...(roles.length > 0 && { roles }),
		...(passkeys.length > 0 && { passkeys }),
		...(credentials.length > 0 && { credentials }),
		...(to.sessionsFrom > from.sessionsFrom && { sessionsFrom: to.sessionsFrom }),
	};
	return Object.keys(taking).length > 0 ? taking : undefined;
}

/** A person of before without what was taken since. Which recovery code was used nobody wrote down: all are. */
export function takeFrom<Of extends Person>(person: Of, { roles, passkeys, credentials, sessionsFrom }: Taking): Of {
	const left: Of = {
		...person,
		roles: person.roles.filter((role) => !roles?.includes(role)),
		passkeys: person.passkeys.filter(({ id }) => !passkeys?.includes(id)),
		sessionsFrom: Math.max(person.sessionsFrom, sessionsFrom ?? 0),
	};
	for (const name of credentials ?? []) {
		if (name === "recovery") left.recoveryMacs = [];
		else delete left[name];
	}
	return left;
}
