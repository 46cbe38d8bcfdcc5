// Each real server is read whole: what is planted in it is found in every encoding, and so is what has leaked into it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { Client, Connection } from "@temporalio/client";
import { Redis } from "ioredis";
import type { Term } from "../../../cli/canary/encodings.ts";
import { createExamine } from "../../../cli/canary/examine.ts";
import { createControls, createMarks } from "../../../cli/canary/messages.ts";
import { mongoPlace, openMongo } from "../../../cli/canary/mongo.ts";
import { redisPlace } from "../../../cli/canary/redis.ts";
import { temporalPlace } from "../../../cli/canary/temporal.ts";
import { vaultPlace } from "../../../cli/canary/vault.ts";

const setting = (name: string): string => {
	const value = process.env[name];
	if (!value) throw new Error(`${name} is not set: run this with npm test`);
	return value;
};
const namespace = process.env.TEMPORAL_NAMESPACE ?? "default";
const id = randomBytes(6).toString("hex");
const mongo = openMongo(setting("MONGODB_URL"));
const redis = new Redis(setting("REDIS_URL"));
const connection = await Connection.connect({ address: setting("TEMPORAL_ADDRESS") });
const temporal = new Client({ connection, namespace });
after(async () => {
	redis.disconnect();
	await mongo.close();
	await connection.close();
});

const marks = createMarks(randomBytes);
const number = marks.numbers[0] as Term;
const examine = createExamine({ canaries: [marks.text, number], controls: createControls(randomBytes) });

/** Term and source of each hit whose source was named. */
const hitsIn = (report: Awaited<ReturnType<typeof examine>>, source: string) =>
	new Set(report.hits.filter((hit) => hit.source === source).map((hit) => hit.term));

test("MongoDB: a document of any collection and the oplog are read; nothing planted stays", async () => {
	const leaky = `lethe_leaky_${id}`;
	try {
		const clean = await examine(mongoPlace(mongo, id));
		assert.equal(clean.read, true, clean.error);
		assert.deepEqual(clean.hits, []);
		await mongo
			.db(leaky)
			.collection("leaks")
			.insertOne({ deep: [{ text: marks.text.value, number: number.value }] });
		const report = await examine(mongoPlace(mongo, id));
		assert.equal(report.read, true, report.error);
		assert.deepEqual(hitsIn(report, `${leaky}.leaks`), new Set([marks.text.label, number.label]));
	} finally {
		await mongo.db(leaky).dropDatabase();
	}
	const { databases } = await mongo.db("admin").admin().listDatabases({ nameOnly: true });
	assert.ok(!databases.some(({ name }) => name === `lethe_canary_${id}`));
});

test("Redis: every type of key, in every database, is read; nothing planted stays", async () => {
	const key = `leaky-${id}`;
	const writes: [string, () => Promise<unknown>][] = [
		["string", () => redis.set(key, marks.text.value)],
		["list", () => redis.rpush(key, ...Array.from({ length: 1200 }, (_, index) => `item ${index}`), marks.text.value)],
		["hash", () => redis.hset(key, marks.text.value, "value")],
		["zset", () => redis.zadd(key, 1, marks.text.value)],
		["stream", () => redis.xadd(key, "*", "field", marks.text.value)],
	];
	for (const [type, write] of writes) {
		await write();
		try {
			const report = await examine(redisPlace(redis, id));
			assert.equal(report.read, true, report.error);
			assert.deepEqual(hitsIn(report, `db0 ${key}`), new Set([marks.text.label]), type);
		} finally {
			await redis.del(key);
		}
	}
	assert.deepEqual(await redis.keys(`lethe-canary-control-${id}*`), []);
	assert.deepEqual((await examine(redisPlace(redis, id))).hits, []);
});

test("Temporal: histories and visibility of open and closed runs, and schedules, are read", async () => {
	const workflowId = `leaky-${id}`;
	const clean = await examine(temporalPlace(temporal, namespace, id));
	assert.equal(clean.read, true, clean.error);
	assert.deepEqual(clean.hits, []);
	const handle = await temporal.workflow.start("leaky", {
		workflowId,
		taskQueue: workflowId,
		args: [{ number: number.value }],
		memo: { text: marks.text.value },
		workflowExecutionTimeout: "2m",
	});
	try {
		await handle.terminate();
		const report = await examine(temporalPlace(temporal, namespace, `${id}b`));
		assert.equal(report.read, true, report.error);
		assert.ok(hitsIn(report, `history of ${workflowId}`).has(number.label));
		assert.ok(hitsIn(report, `visibility of ${workflowId}`).has(marks.text.label));
	} finally {
		await temporal.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
	}
});

test("Vault: names of keys and secrets and their metadata are read, by a role that may read no secret", async () => {
	const { servers } = JSON.parse(readFileSync(setting("LETHE_TEST_STACK"), "utf8"));
	const issuerToken = readFileSync(servers.vault.issuerTokenFile, "utf8").trim();
	const place = (token: string) => vaultPlace({ url: setting("VAULT_ADDR"), issuerToken: async () => token, id });
	const report = await examine(place(issuerToken));
	assert.equal(report.read, true, report.error);
	assert.deepEqual(report.hits, []);
	assert.equal((await examine(place("not a token"))).read, false);
});

test("a server that is away is not read", async () => {
	const away = openMongo("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200");
	const noRedis = new Redis("redis://127.0.0.1:1", { maxRetriesPerRequest: 0, retryStrategy: () => null });
	noRedis.on("error", () => undefined);
	const noConnection = Connection.lazy({ address: "127.0.0.1:1", connectTimeout: 200, interceptors: [] });
	const noTemporal = new Client({ connection: noConnection, namespace });
	try {
		for (const place of [
			mongoPlace(away, id),
			redisPlace(noRedis, id),
			temporalPlace(noTemporal, namespace, id),
			vaultPlace({ url: "http://127.0.0.1:1", issuerToken: async () => "x", id }),
		]) {
			const report = await examine(place);
			assert.equal(report.read, false, place.name);
			assert.ok(report.error);
		}
	} finally {
		noRedis.disconnect();
		await away.close();
		await noConnection.close();
	}
});
