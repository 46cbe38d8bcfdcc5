// The callbacks that were just taken, in Redis: a carrier's repeats, and an eavesdropper's, end before they cost the store anything.

import { createHash } from "node:crypto";
import { limits } from "../../domain/limits.ts";
import type { ServerTls } from "../serverTls.ts";
import { connectRedis } from "./connect.ts";

export type Replays = ReturnType<typeof createReplays>;

// A Redis that hangs must not keep a carrier waiting: Telnyx waits two seconds in all.
const answerMsMax = 250;

/**
 * A callback is remembered once what it did is durable, never before: a carrier that brings it again because we died in
 * between must be heard. What Redis does not know, forgot or can't tell counts as new; the store then knows each event
 * by its id, and keeps a message from going back.
 */
export function createReplays(options: { url: string; prefix: string; tls?: ServerTls | undefined }) {
	const { connection, connect } = connectRedis(options.url, {
		// Receipts come in bursts: what those of a moment ask goes out as one write.
		enableAutoPipelining: true,
		commandTimeout: answerMsMax,
		tls: options.tls,
	});
	// Hashed: some carriers' keys hold what they sent, and a queue's secrets vouch for its own callbacks only.
	const keyOf = (sendQueue: string, replayKey: string) => {
		const hash = createHash("sha256")
			.update(JSON.stringify([sendQueue, replayKey]))
			.digest("base64url");
		return `${options.prefix}:callback:${hash}`;
	};

	return {
		/** @param replayKey as `verify` told it */
		async isKnown(sendQueue: string, replayKey: string): Promise<boolean> {
			// Nobody waits for it: until it is there, every callback is new.
			void connect();
			return (await connection.exists(keyOf(sendQueue, replayKey)).catch(() => 0)) === 1;
		},
		/** For as long as a callback can be fresh. Never rejects. */
		async remember(sendQueue: string, replayKey: string): Promise<void> {
			const key = keyOf(sendQueue, replayKey);
			await connection.set(key, "", "PX", limits.callbackReplayMs).catch(() => undefined);
		},
		close: () => connection.disconnect(),
	};
}
