// Ports: free ones of loopback, each given once, and the same at the next start while they are free.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { createPorts } from "../../stack/ports.ts";

const listen = async (port: number) => {
	const server = createServer().listen(port, "127.0.0.1");
	await once(server, "listening");
	return server;
};

test("each port is free, given once, and below those of outgoing connections", async () => {
	const ports = createPorts({});
	const given = await Promise.all(Array.from({ length: 30 }, (_, index) => ports.pick(`server ${index}`)));
	assert.equal(new Set(given).size, given.length);
	for (const port of given) {
		assert.ok(port >= 15_000 && port < 30_000);
		(await listen(port)).close();
	}
	assert.deepEqual(Object.values(ports.given()).sort(), [...given].sort());
});

test("a port of an earlier start is given again, and another one while something else holds it", async () => {
	const known = { redis: await createPorts({}).pick("redis") };
	assert.equal(await createPorts(known).pick("redis"), known.redis);
	const other = await listen(known.redis);
	const instead = await createPorts(known).pick("redis");
	assert.notEqual(instead, known.redis);
	other.close();
	await once(other, "close");
	assert.equal(await createPorts(known).pick("redis"), known.redis);
});

test("a port that is remembered for one server is given to no other", async () => {
	const known = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`server ${index}`, 15_000 + index * 70]));
	const ports = createPorts(known);
	const given = await Promise.all(Array.from({ length: 50 }, (_, index) => ports.pick(`new ${index}`)));
	assert.deepEqual(
		given.filter((port) => Object.values(known).includes(port)),
		[],
	);
});
