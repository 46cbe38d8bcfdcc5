// Keys of the next bucket, made before it is needed: a short outage of Vault at the turn stops no message.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createKeysAhead } from "../../adapters/keysAhead.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";

const dayMs = 24 * 3600_000;
// Of a message that is valid for an hour, with another for its receipts.
const aliveMs = 2 * 3600_000 + limits.clockSkewMs;

describe("keys ahead", () => {
	let api: TestApi;
	let turn = Math.ceil(Date.now() / dayMs) * dayMs - aliveMs;
	before(async () => {
		api = await createTestApi();
	});
	after(() => api.close());
	beforeEach(() => {
		api.memory.away.value = false;
		turn += 7 * dayMs;
	});

	const setTime = (at: number) => {
		api.time.offsetMs = at - Date.now();
	};
	/** A tenant of its own whose messages come until shortly before their buckets turn. */
	async function inUse(beforeMs: number) {
		setTime(turn - beforeMs);
		const { key } = await api.addTenant();
		const { json } = await api.post(key);
		return { key, cohortId: (await api.read(json.id)).content?.cohortId };
	}

	it("a message after the turn is taken though Vault is away, and is in the next cohort", async () => {
		const { key, cohortId } = await inUse(limits.cohortAheadMs - 60_000);
		await api.makeKeysAhead();
		api.memory.away.value = true;
		setTime(turn + 1_000);
		const { status, json } = await api.post(key);
		assert.equal(status, 202);
		const message = await api.read(json.id);
		assert.ok(message.content && message.content.cohortId !== cohortId);
		const cohort = await api.store.cohorts.find(message.content.cohortId);
		assert.deepEqual([cohort?.state, cohort?.dueAt], ["open", turn + aliveMs + dayMs]);
	});

	it("what Vault was away for is made at a later pass", async () => {
		const { key } = await inUse(limits.cohortAheadMs - 60_000);
		api.memory.away.value = true;
		await api.makeKeysAhead();
		api.memory.away.value = false;
		setTime(turn - 30_000);
		await Promise.all([api.makeKeysAhead(), api.makeKeysAhead()]);
		api.memory.away.value = true;
		setTime(turn + 1_000);
		assert.equal((await api.post(key)).status, 202);
	});

	it("a pass that fails before it has begun is told of, and keeps no later one from being made", async () => {
		const told: unknown[] = [];
		let passes = 0;
		const upcoming = () => {
			passes++;
			throw new LetheError("policies_unavailable");
		};
		const makeKeysAhead = createKeysAhead({
			cohorts: { upcoming, ensure: async () => "coh_a" },
			encryption: { prepareCohort: async () => undefined },
			log: { warn: ({ code }) => told.push(code) },
		});
		await makeKeysAhead();
		await makeKeysAhead();
		assert.deepEqual([passes, told], [2, ["policies_unavailable", "policies_unavailable"]]);
	});

	it("nothing is made long before it is needed, nor for what has long been idle", async () => {
		await inUse(2 * limits.cohortAheadMs);
		const known = api.memory.keys.size;
		await api.makeKeysAhead();
		assert.equal(api.memory.keys.size, known);
		setTime(turn + dayMs - 1_000);
		await api.makeKeysAhead();
		assert.equal(api.memory.keys.size, known);
	});

	it("what was made is not made again", async () => {
		await inUse(limits.cohortAheadMs - 1_000);
		await api.makeKeysAhead();
		const wrappingKeys = api.connection.collection("wrappingKeys");
		const drawn = await wrappingKeys.countDocuments();
		await api.makeKeysAhead();
		assert.equal(await wrappingKeys.countDocuments(), drawn);
	});
});
