// Publishing and its witness: a log that is shorter than what was seen of it, or another, is told apart, and nothing is signed over it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openCheckpoint, signCheckpoint } from "../../audit/checkpoint.ts";
import { createCheckpoints } from "../../audit/checkpoints.ts";
import type { Bundle } from "../../domain/evidence.ts";
import { carrierOf, createKey, createMemoryEvidence, origin } from "./memoryEvidence.ts";

async function published(entries = 700) {
	const log = createMemoryEvidence();
	await log.evidence.integrate(carrierOf(entries));
	assert.deepEqual(await log.checkpoints.publish(), { standing: "equal", size: entries });
	return log;
}

describe("a published log", () => {
	it("has one checkpoint, with its witness and with itself, until it grows", async () => {
		const log = await published();
		const { note } = log.witnessed;
		assert.equal(log.kept.note, note);
		assert.equal(openCheckpoint(note ?? "", [log.key], origin)?.size, 700);
		assert.deepEqual(await log.checkpoints.publish(), { standing: "equal", size: 700 });
		assert.equal(log.witnessed.note, note);
		await log.evidence.append([{ type: "denied" }]);
		assert.deepEqual(await log.checkpoints.standing(), { standing: "ahead", size: 701, witnessed: 700 });
		await log.checkpoints.publish();
		assert.equal(openCheckpoint(log.witnessed.note ?? "", [log.key], origin)?.size, 701);
	});

	it("is equal to nothing while it is empty, and ahead before its first checkpoint", async () => {
		const log = createMemoryEvidence();
		assert.deepEqual(await log.checkpoints.standing(), { standing: "equal", size: 0 });
		assert.deepEqual(await log.checkpoints.publish(), { standing: "equal", size: 0 });
		await log.evidence.append([{ type: "denied" }]);
		assert.deepEqual(await log.checkpoints.standing(), { standing: "ahead", size: 1 });
	});

	it("that was cut short is behind, and nothing is signed over it", async () => {
		const log = await published();
		const { note } = log.witnessed;
		log.kept.bundles.pop();
		assert.deepEqual(await log.checkpoints.standing(), { standing: "behind", size: 512, witnessed: 700 });
		assert.equal((await log.checkpoints.publish()).standing, "behind");
		assert.equal(log.witnessed.note, note);
	});

	it("that lacks entries in its midst is forked", async () => {
		const log = await published();
		await log.evidence.append([{ type: "denied" }]);
		log.kept.bundles.splice(2, 1);
		assert.equal((await log.checkpoints.standing()).standing, "forked");
	});

	it("that was cut short and has grown again is forked", async () => {
		const log = await published(100);
		log.kept.bundles.length = 0;
		log.kept.tiles.length = 0;
		await log.createWriter().integrate(carrierOf(150));
		assert.equal((await log.checkpoints.standing()).standing, "forked");
		assert.equal((await log.checkpoints.publish()).standing, "forked");
	});

	it("whose witness shows what nobody signed is forked", async () => {
		const log = await published();
		log.witnessed.note = await signCheckpoint({ origin, size: 3, root: Buffer.alloc(32) }, createKey().sign);
		assert.equal((await log.checkpoints.standing()).standing, "forked");
	});

	it("whose witnesses have lost what they saw says so", async () => {
		const log = await published();
		delete log.witnessed.note;
		assert.equal((await log.checkpoints.standing()).standing, "unwitnessed");
		assert.equal((await log.checkpoints.publish()).standing, "unwitnessed");
	});

	it("leaves it to another publisher that was faster, and keeps none that the witness did not take", async () => {
		const log = await published();
		await log.evidence.append([{ type: "denied" }]);
		const { note } = log.kept;
		const witness = { name: "slow", read: async () => note, write: async () => false, before: async () => [] };
		const { store, key } = log;
		const slow = createCheckpoints({
			...{
				origin,
				store,
				witnesses: [witness],
				sign: key.sign,
				keys: async () => [key],
				judged: async () => undefined,
			},
		});
		assert.deepEqual(await slow.publish(), { standing: "ahead", size: 701 });
		assert.equal(log.kept.note, note);
	});

	it("whose last bundle was given another edge is forked, and is not signed", async () => {
		const log = await published();
		await log.evidence.append([{ type: "denied" }]);
		const last = log.kept.bundles.at(-1) as Bundle;
		log.kept.bundles[log.kept.bundles.length - 1] = { ...last, frontier: Buffer.from(last.frontier).fill(1, 0, 32) };
		assert.equal((await log.checkpoints.publish()).standing, "forked");
	});

	it("whose publisher died after the witness had seen it has that checkpoint at the next", async () => {
		const log = await published();
		log.kept.note = undefined;
		await log.checkpoints.publish();
		assert.equal(log.kept.note, log.witnessed.note);
	});
});
