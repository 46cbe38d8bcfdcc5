// Has carriers forget what is final: part of the worker, beside the sweep, so that a slow carrier keeps no repair waiting.

import type { Turned } from "../activities/redact.ts";
import { limits } from "../domain/limits.ts";
import { createLoop } from "./loop.ts";

type Redact = {
	findQueues: () => Promise<string[]>;
	redactQueue: (sendQueue: string, isStopping: () => boolean) => Promise<Turned>;
};

const busyEveryMs = 250;
const idleEveryMs = 2_000;

/** Gives each send queue turns of its own; one that rests, or fails, keeps no other waiting. */
export function createRedactor(options: {
	redact: Redact;
	/** Throws while this process may do nothing. */
	check: () => void;
	onError: (error: Error) => void;
	restMs?: number;
}) {
	const { redact, onError, restMs = limits.driverPatienceMs } = options;
	const inFlight = new Map<string, Promise<void>>();
	/** When each queue may have its next turn. */
	const wantedAt = new Map<string, number>();
	let stopping = false;

	async function turn(sendQueue: string): Promise<void> {
		const turned = await redact
			.redactQueue(sendQueue, () => stopping)
			.catch((error: Error): Turned => {
				onError(error);
				return "resting";
			});
		wantedAt.set(sendQueue, performance.now() + (turned === "resting" ? restMs : 0));
		inFlight.delete(sendQueue);
	}

	async function step(): Promise<number> {
		options.check();
		const now = performance.now();
		const of = (sendQueue: string) => wantedAt.get(sendQueue) ?? 0;
		const due = (await redact.findQueues()).filter((name) => !inFlight.has(name) && of(name) <= now);
		// Whoever has waited for the longest first.
		due.sort((one, other) => of(one) - of(other));
		for (const name of due.slice(0, limits.redactionQueuesMax - inFlight.size)) inFlight.set(name, turn(name));
		return inFlight.size > 0 ? busyEveryMs : idleEveryMs;
	}

	const loop = createLoop({ step, idleEveryMs, onError });
	return {
		start: loop.start,
		/** Resolves once what is under way has ended. */
		async close(): Promise<void> {
			stopping = true;
			await loop.close();
			await Promise.all(inFlight.values());
		},
	};
}
