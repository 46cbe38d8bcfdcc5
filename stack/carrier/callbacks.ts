// Signs what the simulated carrier tells its customer and brings it there, again and again until it is taken or too old.

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Agent } from "undici";

export type Callbacks = ReturnType<typeof createCallbacks>;

/** How a callback is signed: as it should be, under a wrong key, with a time one hour old, or not anew at all. */
export type Signature = "good" | "forged" | "stale" | "replayed";
export type SignedCallback = { body: string; headers: Record<string, string> };

/** Waits between the tries of one callback, doubling, and how long they may last together. */
const retry = { firstMs: 100, maxMs: 5_000, forMs: 10 * 60_000 };
const answerTimeoutMs = 5_000;
const staleByMs = 3600_000;

/** @param deps see `createCarrierApp`; callbacks on their way are kept in memory only */
export function createCallbacks(deps: {
	clock: () => number;
	randomBytes: (size: number) => Buffer;
	signingKey: KeyObject;
}) {
	const { post, close: closeAgent } = createPoster();
	const { sleep, stop } = createSleeper();
	const forgersKey = generateKeyPairSync("ed25519").privateKey;
	const counts = { pending: 0, taken: 0, refused: 0, givenUp: 0 };

	/** One callback until it is taken; one that nobody should believe, until it is answered at all. */
	async function deliver(
		url: string,
		signature: Signature,
		bodyAt: (now: number) => string,
		earlier?: SignedCallback,
	): Promise<SignedCallback> {
		let waitMs = retry.firstMs;
		for (let waitedMs = 0; ; waitedMs += waitMs) {
			// A retry is signed anew: after an outage the first signature's time would be stale.
			const signed = signature === "replayed" && earlier ? earlier : signAt(signature, bodyAt);
			const status = await post(url, signed);
			const taken = status !== undefined && status >= 200 && status < 300;
			const refused = status !== undefined && signature !== "good";
			const tooOld = waitedMs > retry.forMs;
			if (taken || refused || tooOld) {
				counts[taken ? "taken" : refused ? "refused" : "givenUp"]++;
				return signed;
			}
			// Half to whole of it: callbacks that failed together do not all come back together.
			await sleep(waitMs * (0.5 + (deps.randomBytes(1)[0] ?? 0) / 512));
			waitMs = Math.min(waitMs * 2, retry.maxMs);
		}
	}

	function signAt(signature: Signature, bodyAt: (now: number) => string): SignedCallback {
		const now = deps.clock() - (signature === "stale" ? staleByMs : 0);
		const timestamp = String(Math.floor(now / 1000));
		const body = bodyAt(now);
		const key = signature === "forged" ? forgersKey : deps.signingKey;
		return {
			body,
			headers: {
				"content-type": "application/json",
				"x-carrier-timestamp": timestamp,
				"x-carrier-signature": sign(null, Buffer.from(`${timestamp}.${body}`), key).toString("base64"),
			},
		};
	}

	/** Forgets every callback on its way. */
	async function close(): Promise<void> {
		stop();
		await closeAgent();
	}

	return { deliver, sleep, close, counts };
}

function createPoster() {
	const agent = new Agent({
		connections: 32,
		connect: { timeout: answerTimeoutMs },
		headersTimeout: answerTimeoutMs,
		bodyTimeout: answerTimeoutMs,
		maxResponseSize: 16 * 1024,
	});

	/** The status of the answer; `undefined` when there was none. */
	async function post(url: string, { headers, body }: SignedCallback): Promise<number | undefined> {
		try {
			const { origin, pathname, search } = new URL(url);
			const answer = await agent.request({ origin, path: pathname + search, method: "POST", headers, body });
			await answer.body.dump();
			return answer.statusCode;
		} catch {
			return undefined;
		}
	}

	return { post, close: () => agent.destroy() };
}

// Sleepers stopped half way never wake; nothing holds them, so they are forgotten.
function createSleeper() {
	const timers = new Set<NodeJS.Timeout>();
	let stopped = false;

	function sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			if (stopped) return;
			const timer = setTimeout(() => {
				timers.delete(timer);
				resolve();
			}, ms);
			timers.add(timer);
		});
	}

	function stop(): void {
		stopped = true;
		for (const timer of timers) clearTimeout(timer);
		timers.clear();
	}

	return { sleep, stop };
}
