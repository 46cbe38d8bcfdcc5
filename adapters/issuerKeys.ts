// The public keys of outside issuers of tokens: found by discovery, through the guard for servers that tenants name, and held for a while.

import { LetheError } from "../domain/errors.ts";
import type { OutboundHttp } from "./outboundHttp.ts";

/** RFC 7517, as it came: whoever uses a key checks it. */
export type JwkSet = { keys: Record<string, unknown>[] };

export type IssuerKeys = ReturnType<typeof createIssuerKeys>;

type Held = { set: JwkSet; loadedAt: number };
/** When it may be asked next, and how often in a row it has failed. */
type Turn = { at: number; failures: number };

const refreshMs = 10 * 60_000;
// An issuer that does not answer is not what makes its tokens false: what was held goes on for so long.
const staleMsMax = 3600_000;
// Whoever names an issuer in a token can have it asked: one that answers no oftener than this, one that fails ever later.
const retryMs = 30_000;
const failedRetryFirstMs = 5_000;
const failedRetryMsMax = 60_000;
const timeoutMs = 5_000;
const answerBytesMax = 128 * 1024;
const issuersHeldMax = 1_000;

/** Calls for the same issuer share one request. */
export function createIssuerKeys({
	outbound,
	clock,
}: {
	outbound: Pick<OutboundHttp, "request">;
	clock: () => number;
}) {
	const held = new Map<string, Held>();
	const turns = createTurns(clock);
	const pending = new Map<string, Promise<JwkSet>>();

	async function load(url: string): Promise<JwkSet> {
		const { issuer, jwks_uri } = await fetchObject(discoveryUrl(url));
		// OpenID Connect Discovery 4.3, RFC 8414 3.3: else one issuer could speak for another.
		if (issuer !== url || typeof jwks_uri !== "string") throw unavailable("discovery");
		const { keys } = await fetchObject(jwks_uri);
		if (!Array.isArray(keys)) throw unavailable("keys");
		const set = { keys: keys.filter((key) => typeof key === "object" && key !== null) };
		held.delete(url);
		held.set(url, { set, loadedAt: clock() });
		forgetOldest(held);
		return set;
	}

	async function fetchObject(url: string): Promise<Record<string, unknown>> {
		const headers = { accept: "application/json" };
		const answer = await outbound.request({ url, method: "GET", headers, timeoutMs, answerBytesMax });
		if (answer.kind === "failed") throw unavailable(answer.code);
		if (answer.status !== 200) throw unavailable(`status ${answer.status}`);
		try {
			return Object(JSON.parse(answer.body)) as Record<string, unknown>;
		} catch {
			throw unavailable("not JSON");
		}
	}

	function refresh(url: string): Promise<JwkSet> {
		const running = pending.get(url);
		if (running !== undefined) return running;
		const request = load(url).finally(() => pending.delete(url));
		// Whoever waits for it is told by the request itself.
		request.then(
			() => turns.note(url, true),
			() => turns.note(url, false),
		);
		pending.set(url, request);
		return request;
	}

	return {
		/**
		 * An issuer's keys; `unknownKey` when those held lack one that a token names: then they are asked for again, now and
		 * then. One that fails is not asked again at once. @throws LetheError issuer_unavailable
		 */
		async get(url: string, unknownKey = false): Promise<JwkSet> {
			const known = held.get(url);
			const now = clock();
			const age = known ? now - known.loadedAt : Number.POSITIVE_INFINITY;
			const isWanted = age >= refreshMs || unknownKey;
			// A request that is under way is shared.
			const mayAsk = pending.has(url) || turns.isOver(url);
			if (known && age < staleMsMax && !(isWanted && mayAsk)) return known.set;
			if (!mayAsk && turns.isFailing(url)) throw unavailable("failed a moment ago");
			try {
				return await refresh(url);
			} catch (error) {
				if (known && age < staleMsMax) return known.set;
				throw error;
			}
		},
	};
}

/** Has an issuer that was asked rest for a while: one that fails ever longer. */
function createTurns(clock: () => number) {
	const turns = new Map<string, Turn>();
	return {
		note(url: string, isAnswer: boolean): void {
			const failures = isAnswer ? 0 : (turns.get(url)?.failures ?? 0) + 1;
			const failedMs = Math.min(failedRetryFirstMs * 2 ** Math.min(failures - 1, 20), failedRetryMsMax);
			turns.delete(url);
			turns.set(url, { at: clock() + (isAnswer ? retryMs : failedMs), failures });
			forgetOldest(turns);
		},
		/** Its rest is, or it has none; one that is longer than any was begun before the clock was set back. */
		isOver(url: string): boolean {
			const { at = 0 } = turns.get(url) ?? {};
			return at <= clock() || at > clock() + failedRetryMsMax;
		},
		isFailing: (url: string) => (turns.get(url)?.failures ?? 0) > 0,
	};
}

function forgetOldest(of: Map<string, unknown>): void {
	const [oldest] = of.keys();
	if (oldest !== undefined && of.size > issuersHeldMax) of.delete(oldest);
}

function discoveryUrl(issuer: string): string {
	return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

function unavailable(why: string): LetheError {
	return new LetheError("issuer_unavailable", { cause: why });
}
