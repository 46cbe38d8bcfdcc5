// Waits for a message's final state on a caller's behalf, by reading it again until then.

import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { ApiDeps } from "./deps.ts";

const pauseFirstMs = 50;
const pauseMsMax = 500;

/** At most 256 callers wait at a time; `stop` sends all of them home. */
export function createWait(deps: { store: { messages: Pick<ApiDeps["store"]["messages"], "find"> } }) {
	const stopping = new AbortController();
	let waiters = 0;

	return {
		/** The message as it is when final, when `waitMs` are over or when `signal` ends it; undefined: not waited for. */
		async wait(id: string, waitMs: number, signal: AbortSignal): Promise<Message | undefined> {
			if (waiters >= limits.stateWaitersMax) return undefined;
			waiters++;
			const ended = AbortSignal.any([stopping.signal, signal, AbortSignal.timeout(waitMs)]);
			try {
				for (let pauseMs = pauseFirstMs; ; pauseMs = Math.min(pauseMs * 1.5, pauseMsMax)) {
					// It is accepted, whether or not it can be read: told of a failure, its caller would send it again.
					const message = await deps.store.messages.find(id).catch(() => undefined);
					if (!message || isFinal(message.state) || ended.aborted) return message;
					await sleep(pauseMs, undefined, { signal: ended }).catch(() => undefined);
				}
			} finally {
				waiters--;
			}
		},
		stop: () => stopping.abort(),
	};
}

/** Milliseconds that a Prefer header asks to wait, at most `maxMs`; 0 when it asks for none. RFC 7240, 4.3. */
export function readWait(header: string | string[] | undefined, maxMs: number): number {
	const seconds = /(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])/i.exec([header ?? ""].flat().join(","))?.[1];
	return Math.min(Number(seconds ?? 0) * 1000, maxMs);
}
