// What Redis remembers of callbacks, on a real server: each for a while, under no name that tells anything.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { Redis } from "ioredis";
import { createReplays } from "../../../adapters/redis/replays.ts";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";

const url = process.env.REDIS_URL as string;

describe("callbacks that were taken", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	const redis = new Redis(url);
	const opened: ReturnType<typeof createReplays>[] = [];
	const open = (server = url) => {
		const replays = createReplays({ url: server, prefix });
		opened.push(replays);
		return replays;
	};
	const replays = open();
	const keys = () => redis.keys(`${prefix}:*`);
	after(async () => {
		const left = await keys();
		if (left.length > 0) await redis.del(left);
		redis.disconnect();
		for (const each of opened) each.close();
	});

	it("are known to every process, of their queue only, and new again when Redis was emptied", async () => {
		const others = open();
		assert.equal(await replays.isKnown("queue", "one"), false);
		await until(async () => {
			await replays.remember("queue", "one");
			return (await others.isKnown("queue", "one")) || undefined;
		});
		assert.equal(await others.isKnown("queue", "two"), false);
		assert.equal(await others.isKnown("other", "one"), false);
		await redis.del(await keys());
		assert.equal(await others.isKnown("queue", "one"), false);
	});

	it("leave neither what was signed nor a number in Redis, and are forgotten once they can't be fresh", async () => {
		await replays.remember("queue", "+12025550142 delivered");
		const [key, ...more] = await keys();
		assert.ok(key);
		assert.deepEqual([more, await redis.get(key)], [[], ""]);
		assert.ok(!/2025550142|delivered/.test(key));
		const left = await redis.pttl(key);
		assert.ok(left > 2 * limits.callbackFreshnessMs - 60_000 && left <= limits.callbackReplayMs, String(left));
	});

	it("are new to a Redis that is away or hangs, which is told within a second", async () => {
		await using silent = await startSilent();
		for (const away of ["redis://127.0.0.1:1", silent.url]) {
			const none = open(away);
			const started = performance.now();
			await none.remember("queue", "one");
			assert.equal(await none.isKnown("queue", "one"), false);
			assert.ok(performance.now() - started < 2_000, away);
		}
	});
});

/** Takes connections and never says a word. */
async function startSilent() {
	const sockets: Socket[] = [];
	const server = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	return {
		url: `redis://127.0.0.1:${port}`,
		async [Symbol.asyncDispose]() {
			const closed = new Promise<void>((resolve) => server.close(() => resolve()));
			for (const socket of sockets) socket.destroy();
			await closed;
		},
	};
}
