// Failed tries in Redis: what is taken back is of a count that stands, and none stays for ever.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Redis } from "ioredis";
import { createAttempts } from "../../../adapters/redis/attempts.ts";

test("a try that is taken back leaves no count that never ends, also where the count ended meanwhile", async (t) => {
	const connection = new Redis(process.env.REDIS_URL as string);
	t.after(() => connection.disconnect());
	const prefix = `t${randomBytes(6).toString("hex")}`;
	const attempts = createAttempts({ connection, prefix });
	const of = ["a", "b"].map((name) => ({ name, freeCount: 5, waitMsMax: 1_000 }));
	const kept = { keptMsMin: 60_000, keptMsMax: 600_000 };
	for (const _ of [1, 2]) assert.equal(await attempts.take(of, kept), 0);
	await connection.del(`${prefix}:attempts:b`);
	await attempts.forgive([], ["a", "b"]);
	assert.equal(await connection.hget(`${prefix}:attempts:a`, "count"), "1");
	assert.ok((await connection.pttl(`${prefix}:attempts:a`)) > 0);
	assert.equal(await connection.exists(`${prefix}:attempts:b`), 0);
	await connection.del(`${prefix}:attempts:a`);
});
