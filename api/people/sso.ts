// Single sign-on by a tenant's identity provider (OpenID Connect, authorization code with PKCE): the way there, the way back, and whom it stands for here.

import { createHash, randomBytes } from "node:crypto";
import type { IdentityProviderDocument } from "../../adapters/mongo/models.ts";
import type { StoredPerson } from "../../adapters/mongo/people.ts";
import { errorCatalogue, LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { ssoCallbackPath } from "../../domain/person.ts";
import { refuseSso, type SsoRefusal } from "../../domain/refuseSso.ts";
import type { ApiDeps } from "../deps.ts";
import type { Enrol } from "./enrol.ts";
import { verifyIdToken } from "./idToken.ts";
import { renewHashes } from "./renewHashes.ts";
import { createSlowing } from "./signIn.ts";

export type SsoDeps = Pick<
	ApiDeps,
	| "clock"
	| "evidence"
	| "ids"
	| "issuerKeys"
	| "log"
	| "openid"
	| "personMacs"
	| "personSeal"
	| "providerCredentials"
	| "publicUrl"
	| "sessionLimits"
	| "sessions"
> & {
	store: {
		identityProviders: Pick<ApiDeps["store"]["identityProviders"], "find">;
		people: Pick<ApiDeps["store"]["people"], "change" | "find" | "findBySubject" | "renewLogin">;
	};
	enrol: Pick<Enrol, "read" | "use">;
};

/** A program of the person's own machine (RFC 8252, 7.3): where it listens, and the S256 challenge (RFC 7636) of its verifier. */
export type Loopback = { port: number; challenge: string };

/** The session that a new one takes the place of. */
type Before = { personId: string; mac: string };

export type Beginning = {
	issuer: string;
	/** Whether they are to show who they are once more, however recently they did. */
	fresh: boolean;
	enrolmentToken?: string | undefined;
	loopback?: Loopback | undefined;
	before?: Before | undefined;
};

/** What Redis holds of one that is under way, under the hash of its state: no secret of it. */
type UnderWay = {
	providerId: string;
	authenticatedFrom: number;
	enrolling?: { personId: string; mac: string };
	/** Whom the way back has to come by: the browser that began, or a program. */
	by: { browser: string } | { loopback: Loopback };
	before?: Before;
};

/** What a provider has vouched for, until it is settled. */
type Vouch = Pick<UnderWay, "providerId" | "enrolling" | "before"> & {
	/** As it is kept, and as it may have been kept under other versions of the key. */
	subject: { mac: string; macs: string[] };
	authenticatedAt: number;
};

export type SsoSignedIn = { person: StoredPerson; mfaAt: number; before: Before | undefined };

/** Where the person's browser goes on: with a session, or to the program that began. */
export type CameBack = SsoSignedIn | { location: string };

export type Sso = ReturnType<typeof createSso>;

/**
 * All throw LetheError sso_failed | sso_mfa_missing | sso_unlinked | sso_taken | enrolment_invalid, each refusal in the
 * evidence log first; sign_in_slowed; issuer_unavailable; sessions_unavailable | keys_unavailable | store_unavailable
 */
export function createSso(deps: SsoDeps) {
	const { personMacs: macs, sessions } = deps;
	const tried = createTries(deps);

	/** @throws LetheError not_found when no tenant's people sign in by that issuer */
	async function findByIssuer(issuer: string): Promise<IdentityProviderDocument> {
		const found = await deps.store.identityProviders.find(deps.ids.derive("identityProvider", issuer));
		if (found?.url !== issuer) throw new LetheError("not_found");
		return found;
	}

	return {
		/** The URL to send a browser to. `browser`: the secret of the cookie that ties the way back to it. */
		async begin({ issuer, fresh, enrolmentToken, loopback, before }: Beginning, browser: string): Promise<string> {
			const provider = await findByIssuer(issuer);
			const enrolling = enrolmentToken === undefined ? undefined : await readEnrolment(deps, provider, enrolmentToken);
			const state = randomBytes(32).toString("base64url");
			const maxAgeMs = fresh ? 0 : deps.sessionLimits.lifeMs;
			const underWay: UnderWay = {
				providerId: provider._id,
				authenticatedFrom: deps.clock() - maxAgeMs,
				by: loopback ? { loopback } : { browser: await macs.one("browser", browser) },
				...(enrolling && { enrolling }),
				...(before && { before }),
			};
			await sessions.putChallenge(await macs.one("state", state), limits.ssoLifeMs, underWay);
			return deps.openid.authorizationUrl(provider, {
				redirect_uri: `${deps.publicUrl}${ssoCallbackPath(provider._id)}`,
				...{ state, nonce: await macs.one("nonce", state), verifier: await macs.one("verifier", state) },
				max_age: String(Math.floor(maxAgeMs / 1000)),
				...(fresh && { prompt: "login" }),
				...(provider.mfa.acr && { acr_values: provider.mfa.acr.join(" ") }),
			});
		},

		/** The way back. `query`: as the provider sent it; `browser`: the secret of the browser's cookie, if it has one. */
		async comeBack(providerId: string, query: string, browser: string | undefined, address: string): Promise<CameBack> {
			const attempt: Attempt = {};
			const comingBack = tried(address, attempt, async () => {
				const state = new URLSearchParams(query).get("state") ?? "";
				const underWay = (await sessions.takeChallenge(await macs.all("state", state))) as UnderWay | undefined;
				if (!underWay || !(await isWhoBegan(deps, underWay, providerId, browser))) throw refuseSso("state");
				const provider = await findProvider(deps, underWay);
				attempt.provider = provider;
				const { by } = underWay;
				if ("browser" in by) return settle(deps, provider, await vouchFor(deps, provider, underWay, { query, state }));
				attempt.program = by.loopback;
				const vouch = await vouchFor(deps, provider, underWay, { query, state });
				return { location: await handOver(deps, by.loopback, vouch) };
			});
			return comingBack.catch((error: unknown) => {
				if (!attempt.program || !(error instanceof LetheError)) throw error;
				return { location: loopbackUrl(attempt.program, { error: error.code }) };
			});
		},

		/** A program fetches what it was handed a code for, by the verifier that nobody else has. */
		async fetch(code: string, verifier: string, address: string): Promise<SsoSignedIn> {
			const attempt: Attempt = {};
			return tried(address, attempt, async () => {
				const challenge = createHash("sha256").update(verifier).digest("base64url");
				const vouch = (await sessions.takeChallenge(await macs.all("code", `${challenge}\n${code}`))) as
					| Vouch
					| undefined;
				if (!vouch) throw refuseSso("state");
				const provider = await findProvider(deps, vouch);
				attempt.provider = provider;
				return settle(deps, provider, vouch);
			});
		},
	};
}

/** What is known of a try by the time that it fails. */
type Attempt = { provider?: IdentityProviderDocument; program?: Loopback };

const strangersEveryMs = 10_000;
// Whoever is refused so is somebody whom the provider vouched for.
const vouchedFor = new Set<unknown>(["mfa", "age", "unlinked", "taken"] satisfies SsoRefusal[]);

/** Runs tries: a refusal is entered, and slows its address. */
function createTries(deps: SsoDeps) {
	const slow = createSlowing(deps);
	const enteredAt = new Map<string, number>();

	/** Of those who are strangers to the provider too, one in ten seconds a tenant: they don't fill the log. */
	async function enter(error: LetheError, provider: IdentityProviderDocument | undefined): Promise<void> {
		const { cause, code } = error;
		deps.log.warn({ code, cause, ...(provider && { about: provider._id }) }, "single sign-on refused");
		if (errorCatalogue[code].status >= 500) return;
		const name = provider?._id ?? "";
		const now = deps.clock();
		if (!vouchedFor.has(cause) && now < (enteredAt.get(name) ?? 0) + strangersEveryMs) return;
		if (!vouchedFor.has(cause)) enteredAt.set(name, now);
		const why = typeof cause === "string" ? `sso.${cause}` : "sso";
		const of = provider && { tenantId: provider.tenantId, about: provider._id };
		await deps.evidence.append([{ type: "sign_in_failed", code: why, ...of }]);
	}

	return async function tried<T>(address: string, attempt: Attempt, run: () => Promise<T>): Promise<T> {
		const forgive = await slow.before("sso", address);
		try {
			const done = await run();
			await forgive();
			return done;
		} catch (error) {
			if (error instanceof LetheError) await enter(error, attempt.provider);
			throw error;
		}
	};
}

/** @throws LetheError sso_failed when it was removed meanwhile */
async function findProvider({ store }: SsoDeps, { providerId }: Pick<Vouch, "providerId">) {
	const found = await store.identityProviders.find(providerId);
	if (!found) throw refuseSso("state");
	return found;
}

async function readEnrolment({ enrol }: SsoDeps, { tenantId }: IdentityProviderDocument, token: string) {
	const { _id: personId, tenantId: theirs, enrolment } = await enrol.read(token);
	if (theirs !== tenantId) throw new LetheError("enrolment_invalid");
	return { personId, mac: enrolment.mac };
}

/** A way back that somebody else's browser began signs nobody in: not as them, nor them as somebody else. */
async function isWhoBegan(
	{ personMacs }: SsoDeps,
	{ by, providerId }: UnderWay,
	cameBackTo: string,
	browser: string | undefined,
): Promise<boolean> {
	if (providerId !== cameBackTo) return false;
	if ("loopback" in by) return true;
	return browser !== undefined && (await personMacs.all("browser", browser)).includes(by.browser);
}

async function vouchFor(
	deps: SsoDeps,
	provider: IdentityProviderDocument,
	{ authenticatedFrom, enrolling, before }: UnderWay,
	{ query, state }: { query: string; state: string },
): Promise<Vouch> {
	const { personMacs: macs, openid, providerCredentials } = deps;
	const [nonce, verifier] = [await macs.one("nonce", state), await macs.one("verifier", state)];
	const callback = new URL(`${deps.publicUrl}${ssoCallbackPath(provider._id)}?${query}`);
	const credential = await providerCredentials.read(provider._id);
	const token = await openid.redeem(provider, credential, callback, { state, nonce, verifier });
	const { subject, authenticatedAt } = await verifyIdToken(deps, provider, token, { nonce, authenticatedFrom });
	const named = `${provider._id}\n${subject}`;
	return {
		...{ providerId: provider._id, authenticatedAt },
		subject: { mac: await macs.one("subject", named), macs: await macs.all("subject", named) },
		...(enrolling && { enrolling }),
		...(before && { before }),
	};
}

/** Has the browser bring a code to the program that began, which gets the session for it: no browser keeps that. */
async function handOver({ personMacs, sessions }: SsoDeps, program: Loopback, vouch: Vouch): Promise<string> {
	const code = randomBytes(32).toString("base64url");
	const mac = await personMacs.one("code", `${program.challenge}\n${code}`);
	await sessions.putChallenge(mac, limits.ssoCodeLifeMs, vouch);
	return loopbackUrl(program, { code });
}

// RFC 8252, 8.3: the address, not the name, which may lead elsewhere.
function loopbackUrl({ port }: Loopback, parameters: Record<string, string>): string {
	return `http://127.0.0.1:${port}/?${new URLSearchParams(parameters)}`;
}

/** Whom the provider's subject stands for here: whoever enrolled with it, or does so now. Nobody is made by signing in. */
async function settle(deps: SsoDeps, provider: IdentityProviderDocument, vouch: Vouch): Promise<SsoSignedIn> {
	const { subject, enrolling, authenticatedAt: mfaAt, before } = vouch;
	const known = (await deps.store.people.findBySubject(subject.macs)).filter(
		({ endedAt, sso, tenantId }) =>
			endedAt === undefined && sso?.providerId === provider._id && tenantId === provider.tenantId,
	);
	if (enrolling) {
		if (known.length > 0) throw refuseSso("taken", "sso_taken");
		const sso = { providerId: provider._id, mac: subject.mac };
		return { person: await enrolBySso(deps, enrolling, sso), mfaAt, before };
	}
	const [person, ...others] = known;
	// Two who enrolled with it at once: neither, until an administrator has one enrol anew.
	if (!person || others.length > 0) throw refuseSso("unlinked", "sso_unlinked");
	await renewHashes(deps, person, { subjectMac: subject.mac });
	return { person, mfaAt, before };
}

async function enrolBySso(
	{ clock, enrol, store }: SsoDeps,
	{ personId, mac }: NonNullable<Vouch["enrolling"]>,
	sso: NonNullable<StoredPerson["sso"]>,
): Promise<StoredPerson> {
	const person = await store.people.find(personId);
	const { enrolment } = person ?? {};
	if (!person || !enrolment || enrolment.mac !== mac || enrolment.expiresAt <= clock()) {
		throw new LetheError("enrolment_invalid");
	}
	return enrol.use({ ...person, enrolment }, { sso }, "sso");
}
