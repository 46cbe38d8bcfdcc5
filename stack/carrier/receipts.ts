// Signs delivery receipts and brings them to the callback URL, again and again until they are taken or too old.

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Agent } from "undici";
import type { Receipt, Step } from "./magic.ts";

export type Receipts = ReturnType<typeof createReceipts>;

type Delivery = { id: string; callbackUrl: string };
type SignedReceipt = { body: string; headers: Record<string, string> };

/** Waits between the tries of one receipt, doubling, and how long they may last together. */
const retry = { firstMs: 100, maxMs: 5_000, forMs: 10 * 60_000 };
const answerTimeoutMs = 5_000;
const staleByMs = 3600_000;

/** @param deps see `createCarrierApp`; receipts on their way are kept in memory only */
export function createReceipts(deps: {
	clock: () => number;
	randomBytes: (size: number) => Buffer;
	signingKey: KeyObject;
	receiptDelayMs: number;
	lateReceiptMs: number;
	receiptsPendingMax: number;
}) {
	const callbacks = createCallbacks();
	const { sleep, stop } = createSleeper();
	const forgersKey = generateKeyPairSync("ed25519").privateKey;
	const counts = { pending: 0, taken: 0, refused: 0, givenUp: 0 };

	/** Works through the steps of one message, in order. */
	async function run(delivery: Delivery, steps: readonly Step[]): Promise<void> {
		counts.pending++;
		let first: SignedReceipt | undefined;
		for (const step of steps) {
			await sleep(step.wait === "short" ? deps.receiptDelayMs : deps.lateReceiptMs);
			const sent = await Promise.all(step.receipts.map((receipt) => deliver(delivery, receipt, first)));
			first ??= sent[0];
		}
		counts.pending--;
	}

	// One receipt until it is taken; one that nobody should believe, until it is answered at all.
	async function deliver(delivery: Delivery, receipt: Receipt, first?: SignedReceipt): Promise<SignedReceipt> {
		let waitMs = retry.firstMs;
		for (let waitedMs = 0; ; waitedMs += waitMs) {
			// A retry is signed anew: after an outage the first signature's time would be stale.
			const signed = receipt.signature === "replayed" && first ? first : signReceipt(delivery.id, receipt);
			const status = await callbacks.post(delivery.callbackUrl, signed);
			const taken = status !== undefined && status >= 200 && status < 300;
			const refused = status !== undefined && receipt.signature !== "good";
			const tooOld = waitedMs > retry.forMs;
			if (taken || refused || tooOld) {
				counts[taken ? "taken" : refused ? "refused" : "givenUp"]++;
				return signed;
			}
			// Half to whole of it: receipts that failed together do not all come back together.
			await sleep(waitMs * (0.5 + (deps.randomBytes(1)[0] ?? 0) / 512));
			waitMs = Math.min(waitMs * 2, retry.maxMs);
		}
	}

	function signReceipt(id: string, { event, status, code, signature }: Receipt): SignedReceipt {
		const now = deps.clock() - (signature === "stale" ? staleByMs : 0);
		const timestamp = String(Math.floor(now / 1000));
		const body = JSON.stringify({ eventId: `${id}.${event}`, id, status, at: new Date(now).toISOString(), code });
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

	/** Forgets every receipt on its way. */
	async function close(): Promise<void> {
		stop();
		await callbacks.close();
	}

	return { run, close, isFull: () => counts.pending >= deps.receiptsPendingMax, counts: () => ({ ...counts }) };
}

function createCallbacks() {
	const agent = new Agent({
		connections: 32,
		connect: { timeout: answerTimeoutMs },
		headersTimeout: answerTimeoutMs,
		bodyTimeout: answerTimeoutMs,
		maxResponseSize: 16 * 1024,
	});

	/** The status of the answer; `undefined` when there was none. */
	async function post(url: string, { headers, body }: SignedReceipt): Promise<number | undefined> {
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
