// How much each send queue sent, counted for people to see.

import type { Redis } from "ioredis";

// What was sent is counted in slots, of which the last full one is shown.
export const sentSlotSeconds = 5;
const sentKeptSeconds = 60;
const countSentMs = 500;

/** Where the segments of one slot, numbered since the epoch, are counted. */
export function sentKey(prefix: string, sendQueue: string, slot: number): string {
	return `${prefix}:sent:${sendQueue}:${slot}`;
}

type SentBy = { prefix: string; sendQueue: string; clock: () => number };

/** Adds up what this sender sent, for people to see; what is lost of it is lost to nobody else. */
export function countSent(connection: Redis, { prefix, sendQueue, clock }: SentBy) {
	let segments = 0;
	const flush = async () => {
		if (segments === 0) return;
		const key = sentKey(prefix, sendQueue, Math.floor(clock() / 1000 / sentSlotSeconds));
		const counted = segments;
		segments = 0;
		await connection.multi().incrby(key, counted).expire(key, sentKeptSeconds).exec();
	};
	const timer = setInterval(() => void flush().catch(() => undefined), countSentMs);
	timer.unref();
	return {
		count: (more: number) => {
			segments += more;
		},
		async close(): Promise<void> {
			clearInterval(timer);
			await flush().catch(() => undefined);
		},
	};
}
