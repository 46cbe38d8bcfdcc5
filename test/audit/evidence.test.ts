// The log's way in: one sequence whoever writes, no entry twice, nothing lost when a writer dies or loses a race.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fsck } from "../../audit/fsck.ts";
import { spanOf } from "../../domain/evidence.ts";
import { carrierOf, createMemoryEvidence, ids, type MemoryEvidence, ofArray, origin } from "./memoryEvidence.ts";

const noFindings = async ({ kept, key }: MemoryEvidence) => {
	const log = { bundles: ofArray(kept.bundles), tiles: ofArray(kept.tiles), checkpoints: [] };
	assert.deepEqual((await fsck(log, { keys: [key], origin })).findings, []);
};

describe("the evidence log", () => {
	it("has an act when it answers, under an id of its own, by whom and about what", async () => {
		const log = createMemoryEvidence();
		const [tenantId, by, about] = [ids.random("tenant"), ids.random("apiKey"), ids.random("hold")];
		await log.evidence.append([{ type: "hold_placed", tenantId, by, about, code: "litigation" }]);
		const [entry] = log.entries();
		assert.deepEqual(
			{ ...entry, id: "" },
			{
				id: "",
				at: new Date(log.time.now).toISOString(),
				type: "hold_placed",
				tenantId,
				by,
				about,
				code: "litigation",
			},
		);
		await noFindings(log);
	});

	it("is one sequence, however many write at once", async () => {
		const log = createMemoryEvidence({ turn: () => turn() });
		const writers = Array.from({ length: 5 }, log.createWriter);
		await Promise.all(
			Array.from({ length: 200 }, (_, at) =>
				writers[at % 5]?.append([{ type: "denied", about: ids.random("request") }, { type: "record_read" }]),
			),
		);
		assert.equal(log.entries().length, 400);
		await noFindings(log);
	});

	it("goes on where its store ends, when that is a copy of before", async () => {
		const log = createMemoryEvidence();
		for (let entry = 0; entry < 6; entry++) await log.evidence.append([{ type: "record_read" }]);
		log.kept.bundles.splice(3);
		log.evidence.forget();
		await log.evidence.append([{ type: "record_read" }]);
		assert.equal(log.entries().length, 4);
		await noFindings(log);
	});

	it("enters nothing by what it had read of a store that is another one by then", async () => {
		const log = createMemoryEvidence({ turn: () => turn() });
		const integrating = log.evidence.integrate(carrierOf(5));
		for (let turns = 0; turns < 6; turns++) {
			log.evidence.forget();
			await turn();
		}
		await integrating;
		await log.evidence.append([{ type: "record_read" }]);
		assert.equal(log.entries().length, 6);
		await noFindings(log);
	});

	it("enters what a document carries once, however often and by whomever it is integrated", async () => {
		const log = createMemoryEvidence({ turn: () => turn() });
		const writers = Array.from({ length: 4 }, log.createWriter);
		const documents = Array.from({ length: 60 }, (_, at) => carrierOf(1 + (at % 7)));
		const count = documents.reduce((sum, { evidence }) => sum + evidence.length, 0);
		const twice = [...documents, ...documents];
		const all = () => Promise.all(writers.flatMap((one) => twice.map((document) => one.integrate(document))));
		await all();
		await all();
		assert.equal(log.entries().length, count);
		await noFindings(log);
	});

	it("goes on where a writer died between the log and the document", async () => {
		const log = createMemoryEvidence();
		const document = carrierOf(3);
		await log.evidence.integrate(document);
		const evidence = [...document.evidence, { at: 1_780_000_000_009, type: "delivered" as const }];
		// The document says that nothing is integrated, for its writer died before it could say otherwise.
		assert.equal(await log.createWriter().integrate({ ...document, evidence }), 4);
		assert.deepEqual(
			log.entries().map(({ type }) => type),
			["queued", "queued", "queued", "delivered"],
		);
	});

	it("looks for a repeat among its message's own, and reads no other message's bundle for it", async () => {
		const log = createMemoryEvidence();
		await log.evidence.append([{ type: "denied" }]);
		const document = carrierOf(2);
		const integrated = await log.evidence.integrate(document);
		const read: number[] = [];
		const { findAbout } = log.store;
		log.store.findAbout = async (keys) => {
			const found = await findAbout(keys);
			read.push(found.length);
			return found;
		};
		const evidence = [...document.evidence, { at: 1_780_000_000_009, type: "delivered" as const }];
		await log.evidence.integrate({ ...document, integrated, evidence });
		await log.createWriter().integrate({ ...document, integrated, evidence });
		assert.deepEqual([read, log.entries().length], [[1, 2], 4]);
	});

	it("enters a certificate once, though who lost the race for it had read an older document than who enters it again", async () => {
		const log = createMemoryEvidence();
		const document = carrierOf(2);
		const certified = { at: 1_780_000_000_005, type: "certified" as const };
		const integrated = await log.evidence.integrate(document);
		await log.createWriter().integrate(document, [certified]);
		const late = { at: 1_780_000_000_006, type: "receipt" as const };
		const evidence = [...document.evidence, late, certified];
		await log.createWriter().integrate({ ...document, integrated, evidence });
		assert.deepEqual(
			log.entries().map(({ type }) => type),
			["queued", "queued", "certified", "receipt"],
		);
	});

	it("enters what the next update adds, and again only if that update said something else", async () => {
		const log = createMemoryEvidence();
		const document = carrierOf(2);
		const certified = { at: 1_780_000_000_005, type: "certified" as const };
		assert.equal(await log.evidence.integrate(document, [certified]), 3);
		assert.equal(await log.evidence.integrate({ ...document, evidence: [...document.evidence, certified] }), 3);
		assert.equal(log.entries().length, 3);
		const late = { at: 1_780_000_000_006, type: "receipt" as const };
		await log.evidence.integrate({ ...document, evidence: [...document.evidence, late] });
		assert.equal(log.entries().length, 4);
	});

	it("keeps bundles to 256 entries, each from the index after the last", async () => {
		const log = createMemoryEvidence();
		await log.evidence.integrate(carrierOf(600));
		await log.evidence.append([{ type: "denied" }]);
		assert.deepEqual(log.kept.bundles.map(spanOf), [
			{ start: 0, end: 256 },
			{ start: 256, end: 512 },
			{ start: 512, end: 600 },
			{ start: 600, end: 601 },
		]);
	});

	it("refuses an act that says more than it may, and enters nothing of it or with it", async () => {
		const log = createMemoryEvidence();
		const acts = [{ type: "denied" as const }, { type: "searched" as const, code: "+4915112345678" }];
		await assert.rejects(log.evidence.append(acts), { name: "ZodError" });
		assert.equal(log.entries().length, 0);
	});

	it("never goes back in time, though clocks do", async () => {
		const log = createMemoryEvidence();
		await log.evidence.append([{ type: "denied" }]);
		log.time.now -= 60_000;
		await log.evidence.append([{ type: "denied" }]);
		const [first, second] = log.kept.bundles;
		assert.equal(first?.at, second?.at);
	});
});
