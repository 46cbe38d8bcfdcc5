// Who signs in: by login name, password and a code, or by a passkey. Every way shows two factors, and every refusal is the same.

import { setTimeout as sleep } from "node:timers/promises";
import type { StoredPerson } from "../../adapters/mongo/people.ts";
import type { Attempted } from "../../adapters/redis/attempts.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Act } from "../../domain/evidence.ts";
import { limits } from "../../domain/limits.ts";
import { normaliseLogin, type Person, type SignInMethod } from "../../domain/person.ts";
import { createTurns } from "../../domain/turns.ts";
import { networkOf, siteOf } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import { type AuthenticationResponseJSON, type Passkeys, passkeyOwner } from "./passkeys.ts";
import type { Passwords } from "./passwords.ts";
import { normaliseRecoveryCode } from "./recoveryCodes.ts";
import { renewHashes } from "./renewHashes.ts";
import { findTotpStep } from "./totp.ts";

export type SignInDeps = Pick<ApiDeps, "clock" | "evidence" | "personMacs" | "personSeal" | "sessions"> & {
	store: { people: Pick<ApiDeps["store"]["people"], "find" | "findByLogin" | "change" | "renewLogin"> };
	passwords: Passwords;
	passkeys: Passkeys;
};

/** `code`: of the authenticator app; without one, a recovery code. */
type ByPassword = { login: string; password: string; code?: string | undefined; recoveryCode?: string | undefined };
type ByPasskey = { passkey: AuthenticationResponseJSON };
export type Shown = ByPassword | ByPasskey;

export type SignedIn = { person: StoredPerson; method: SignInMethod };

// Strangers may fail as often as they like: they don't fill the log.
const strangersEveryMs = 10_000;

export type SignIn = ReturnType<typeof createSignIn>;

/**
 * @throws LetheError sign_in_failed whatever was wrong; sign_in_slowed with `retryAfterSeconds`; rate_limited;
 * sessions_unavailable | keys_unavailable | store_unavailable
 */
export function createSignIn(deps: SignInDeps) {
	const slow = createSlowing(deps);
	// As many as there are places for at the hashing: nothing is counted, and so kept, of a try that there is none for.
	const inPlace = createTurns(limits.passwordHashesMax + limits.passwordHashesWaitingMax, 0);
	let strangersFrom = 0;

	async function enterFailure(people: StoredPerson[]): Promise<void> {
		const acts: Act[] = people.map(({ _id, tenantId }) => ({ type: "sign_in_failed", tenantId, about: _id }));
		if (acts.length === 0 && deps.clock() >= strangersFrom) {
			strangersFrom = deps.clock() + strangersEveryMs;
			acts.push({ type: "sign_in_failed" });
		}
		if (acts.length > 0) await deps.evidence.append(acts);
	}

	/** Runs one try; a failure is entered against those whom it was about. */
	async function tried(of: StoredPerson[], verify: () => Promise<SignedIn | undefined>): Promise<SignedIn> {
		try {
			const signedIn = await verify();
			if (signedIn) return signedIn;
		} catch (error) {
			if (!(error instanceof LetheError) || error.code !== "sign_in_failed") throw error;
		}
		await enterFailure(of);
		throw new LetheError("sign_in_failed");
	}

	async function attemptPasskey({ passkey }: ByPasskey, address: string): Promise<SignedIn> {
		const forgive = await slow.before("passkey", address);
		const found = await findOwner(deps, passkey);
		const signedIn = await tried(found ? [found] : [], () => byPasskey(deps, passkey, found));
		await forgive();
		await renewHashes(deps, signedIn.person, {});
		return signedIn;
	}

	async function attemptPassword(shown: ByPassword, address: string): Promise<SignedIn> {
		const login = normaliseLogin(shown.login);
		const forgive = await slow.before("password", address, login);
		const candidates = await findCandidates(deps, login);
		const signedIn = await tried(candidates, () => byPassword(deps, shown, login, candidates));
		await forgive({ isShared: candidates.length > 1 });
		await renewHashes(deps, signedIn.person, { login });
		return signedIn;
	}

	/** @param address of the caller: failures slow its network, and its site, too */
	return async function signIn(shown: Shown, address: string): Promise<SignedIn> {
		// Of somebody known more is looked up, and entered: what fails sooner is told no sooner.
		const isTime = sleep(limits.signInFailureMsMin);
		const attempt =
			"passkey" in shown ? attemptPasskey(shown, address) : inPlace(() => attemptPassword(shown, address));
		return attempt.catch(async (error: unknown) => {
			if (error instanceof LetheError && error.code === "sign_in_failed") await isTime;
			throw error;
		});
	};
}

type Forgive = (of?: { isShared?: boolean }) => Promise<void>;

/** Counts tries by account, by network and by site, and has them wait. Its calls throw LetheError sessions_unavailable | keys_unavailable. */
export function createSlowing({ personMacs, sessions }: Pick<SignInDeps, "personMacs" | "sessions">) {
	const { signInWaitMsMax: waitMsMax } = limits;
	const keptMs = { keptMsMin: limits.signInsKeptMsMin, keptMsMax: limits.signInsKeptMsMax };

	/**
	 * From one network with a long wait. From all together with a short one, since strangers who have many networks take each
	 * turn; a network that the account's owner has come from is not counted there, so nobody elsewhere keeps them out.
	 */
	async function countedOf(login: string, network: string) {
		const here = await personMacs.one("account-network", `${network}\n${login}`);
		const everywhere = await personMacs.one("account", login);
		const fromAll = { freeCount: limits.signInsFreeEverywhereMax, waitMsMax: limits.signInWaitEverywhereMsMax };
		const of: Attempted[] = [{ name: here, freeCount: limits.signInsFreePerAccountMax, waitMsMax }];
		const isKnown = await sessions.isKnown(here);
		if (!isKnown) of.push({ name: everywhere, ...fromAll });
		return { here, everywhere, of, isKnown };
	}

	/** A network, and the site that it is one of many of, unless the account's owner has come from there. */
	async function countedFrom(way: SignInMethod, address: string, isKnown: boolean): Promise<Attempted[]> {
		const [network, site] = [networkOf(address), siteOf(address)];
		const macOf = (from: string) => personMacs.one("address", `${way}\n${from}`);
		const here = { name: await macOf(network), freeCount: limits.signInsFreePerAddressMax, waitMsMax };
		if (isKnown || site === network) return [here];
		const fromSite = { freeCount: limits.signInsFreePerSiteMax, waitMsMax: limits.signInWaitEverywhereMsMax };
		return [here, { name: await macOf(site), ...fromSite }];
	}

	return {
		/**
		 * Counts a try; what it answers is called after a success. Guesses at passwords leave those who come another way alone.
		 * `isShared`: others have that login name too, and who knows one of them forgives no guesses at another.
		 * @throws LetheError sign_in_slowed
		 */
		async before(way: SignInMethod, address: string, login?: string): Promise<Forgive> {
			const account = login === undefined ? undefined : await countedOf(login, networkOf(address));
			const from = await countedFrom(way, address, account?.isKnown ?? false);
			const of = [...from, ...(account?.of ?? [])];
			const waitMs = await sessions.tryOnce(of, keptMs);
			if (waitMs > 0)
				throw new LetheError("sign_in_slowed", { extra: { retryAfterSeconds: Math.ceil(waitMs / 1000) } });
			return async ({ isShared = false } = {}) => {
				const counted = of.map((one) => one.name);
				if (!account || isShared) return sessions.forgive([], counted);
				const spared = from.map((one) => one.name);
				await sessions.forgive([account.here, account.everywhere], spared);
				await sessions.know(account.here, limits.networkKnownMs);
			};
		},
	};
}

type Candidate = StoredPerson & Required<Pick<Person, "password" | "totp">>;

/** Who has this login name, at whichever tenant, and a password. */
async function findCandidates({ store, personMacs }: SignInDeps, login: string): Promise<Candidate[]> {
	const ids = await store.people.findByLogin(await personMacs.all("login", login));
	const found = await Promise.all(ids.map(store.people.find));
	return found.filter((person): person is Candidate =>
		Boolean(person && !person.endedAt && person.password && person.totp),
	);
}

async function byPassword(
	deps: SignInDeps,
	{ password, code, recoveryCode }: ByPassword,
	login: string,
	candidates: Candidate[],
): Promise<SignedIn | undefined> {
	// Beside the hashing, which takes longer: the time shows neither who is known nor which of the two was wrong.
	const [matching, secrets] = await Promise.all([
		personSaltMatch(deps, password, login, candidates),
		Promise.all(candidates.map((person) => openTotp(deps, person))),
	]);
	for (const person of matching) {
		const secret = secrets[candidates.indexOf(person)] as string;
		const used =
			code === undefined
				? await takeRecovery(deps, person, recoveryCode ?? "")
				: await takeCode(deps, person, secret, code);
		if (used) return { person: used, method: code === undefined ? "recovery" : "password" };
	}
	return undefined;
}

async function personSaltMatch(deps: SignInDeps, password: string, login: string, candidates: Candidate[]) {
	return deps.passwords.match(password, candidates, await deps.personMacs.salt(login));
}

async function openTotp({ personSeal }: SignInDeps, { tenantId, _id: personId, totp }: Candidate): Promise<string> {
	return (await personSeal.open({ tenantId, personId, field: "totp" }, totp.sealed)).reveal();
}

/** Takes a code once: neither it nor an older one is taken again. */
async function takeCode(deps: SignInDeps, shown: Candidate, secret: string, code: string) {
	const step = findTotpStep(secret, code, deps.clock());
	let taken = false;
	const changed = await deps.store.people.change(shown._id, (person) => {
		taken = step !== undefined && hasStill(person, shown) && step > (person.totp?.step ?? step);
		return taken && person.totp ? { ...person, totp: { ...person.totp, step: step as number } } : undefined;
	});
	return taken ? changed : undefined;
}

async function takeRecovery(deps: SignInDeps, shown: Candidate, code: string) {
	const macs = await deps.personMacs.all("recovery", `${shown._id}\n${normaliseRecoveryCode(code)}`);
	let taken = false;
	const changed = await deps.store.people.change(shown._id, (person) => {
		const recoveryMacs = person.recoveryMacs.filter((mac) => !macs.includes(mac));
		taken = hasStill(person, shown) && recoveryMacs.length < person.recoveryMacs.length;
		return taken ? { ...person, recoveryMacs } : undefined;
	});
	return taken ? changed : undefined;
}

/** Whether what was shown is theirs still: a password may be replaced while it is hashed. */
function hasStill({ password, totp }: Person, shown: Candidate): boolean {
	return password?.hash === shown.password.hash && totp?.sealed === shown.totp.sealed;
}

async function findOwner({ store }: SignInDeps, response: AuthenticationResponseJSON) {
	const id = passkeyOwner(response);
	const person = id === undefined ? undefined : await store.people.find(id);
	return person?.endedAt === undefined ? person : undefined;
}

async function byPasskey(
	deps: SignInDeps,
	response: AuthenticationResponseJSON,
	person: StoredPerson | undefined,
): Promise<SignedIn | undefined> {
	const passkey = person?.passkeys.find(({ credentialId }) => credentialId === response.id);
	const counter = await deps.passkeys.verify(response, passkey);
	let taken = false;
	const changed = await deps.store.people.change(person?._id ?? "", (current) => {
		const known = current.passkeys.find(({ id }) => id === passkey?.id);
		// Once more, by what it is now: another may have come with the same count, or a later one.
		taken = known !== undefined && (counter > known.counter || (counter === 0 && known.counter === 0));
		const passkeys = current.passkeys.map((one) => (one === known ? { ...one, counter } : one));
		return taken ? { ...current, passkeys } : undefined;
	});
	return changed && taken ? { person: changed, method: "passkey" } : undefined;
}
