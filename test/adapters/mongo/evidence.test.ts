// The evidence log on a real server: one sequence across processes, and what is tampered with in the database is found.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createBatcher } from "../../../adapters/batcher.ts";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { readBundle, type StoredBundle, storeBundle } from "../../../adapters/mongo/evidence.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { createCheckpoints } from "../../../audit/checkpoints.ts";
import { createEvidence } from "../../../audit/evidence.ts";
import { createEvidenceExports } from "../../../audit/evidenceExport.ts";
import { fsck } from "../../../audit/fsck.ts";
import { verifyEvidence } from "../../../audit/verifyEvidence.ts";
import { spanOf } from "../../../domain/evidence.ts";
import { carrierOf, createKey, ids, origin, unsigned } from "../../audit/memoryEvidence.ts";
import { createMemoryWitness } from "../../harness/memoryWitness.ts";

describe("the evidence log in the store", () => {
	let connection: MongoConnection;
	let stores: Store[];
	const connections: MongoConnection[] = [];
	const key = createKey();
	const witness = createMemoryWitness();
	const time = { now: 1_780_000_000_000 };
	const clock = () => time.now;
	before(async () => {
		const database = `t${randomBytes(6).toString("hex")}`;
		for (let at = 0; at < 4; at++) {
			connections.push(await connectMongo({ url: process.env.MONGODB_URL as string, database }));
		}
		[connection] = connections as [MongoConnection];
		stores = connections.map((one) =>
			createStore(one, { clock, randomToken: () => randomBytes(9).toString("base64url") }),
		);
		await stores[0]?.prepare();
	});
	after(async () => {
		await connection.dropDatabase();
		for (const one of connections) await one.close();
	});
	const first = () => (stores[0] as Store).evidence;
	const writers = () =>
		stores.map((store) => createEvidence({ clock, ids, store: store.evidence, gather: createBatcher }));
	const checkpoints = () =>
		createCheckpoints({
			...{ origin, store: first(), witnesses: [witness], sign: key.sign, keys: async () => [key] },
			judged: async () => undefined,
		});
	const check = async () => {
		const { note } = witness.kept;
		const kept = note === undefined ? [] : [{ source: "witness", note }];
		const log = { bundles: first().read(0), tiles: first().tiles(), checkpoints: kept };
		return fsck(log, { keys: [key], origin });
	};
	const kindsFound = async () => (await check()).findings.map(({ kind }) => kind);

	it("gives each index once, and each entry one, though four processes write at once", async () => {
		const documents = Array.from({ length: 100 }, (_, at) => carrierOf(1 + (at % 9)));
		const count = documents.reduce((sum, { evidence }) => sum + evidence.length, 0);
		const repeats = writers().flatMap((one) => documents.map((document) => one.integrate(document)));
		const acts = writers().flatMap((one) => Array.from({ length: 25 }, () => one.append([{ type: "denied" }])));
		await Promise.all([...repeats, ...acts]);
		const { size, findings } = await check();
		assert.deepEqual([size, findings], [count + 100, []]);
	});

	it("reads any run of entries, across pages", async () => {
		const [one] = writers();
		for (let at = 0; at < 150; at++) await one?.append([{ type: "denied" }]);
		const { size } = await check();
		for (const [start, end] of [
			[0, size],
			[7, 8],
			[300, size - 3],
			[size, size + 5],
		] as const) {
			const indexes: number[] = [];
			for await (const bundle of first().read(start, end)) {
				const span = spanOf(bundle);
				for (let at = span.start; at < span.end; at++) if (at >= start && at < end) indexes.push(at);
			}
			const wanted = Array.from({ length: Math.max(0, Math.min(end, size) - start) }, (_, at) => start + at);
			assert.deepEqual(indexes, wanted);
		}
	});

	it("a short run costs the store no more than the bundles that hold it", async () => {
		const watched = await connectMongo({
			url: `${process.env.MONGODB_URL}&monitorCommands=true`,
			database: connection.name,
		});
		let sent = 0;
		watched.getClient().on("commandSucceeded", ({ reply }) => {
			sent += (reply as { cursor?: { firstBatch: unknown[] } }).cursor?.firstBatch.length ?? 0;
		});
		const { evidence } = createStore(watched, { clock, randomToken: () => "token" });
		const spans: { start: number; end: number }[] = [];
		for await (const bundle of evidence.read(300, 310)) spans.push(spanOf(bundle));
		await watched.close();
		assert.ok(spans.every(({ start, end }) => start < 310 && end > 300));
		assert.equal(sent, spans.length);
	});

	it("publishes, exports by the period, and proves each of its entries", async () => {
		assert.equal((await checkpoints().publish()).standing, "equal");
		const from = time.now + 1000;
		time.now = from;
		const document = carrierOf(260);
		await writers()[1]?.integrate(document);
		assert.equal((await checkpoints().publish()).standing, "equal");
		const exports = createEvidenceExports({ store: first(), ...unsigned });
		const made = await exports.export({ from });
		assert.ok(made);
		const result = await verifyEvidence(made.lines, [key]);
		assert.ok(result.valid);
		assert.deepEqual([result.end - result.start, result.shown, result.end], [260, 260, result.size]);
		const proof = await exports.prove(result.end - 1, document.tenantId);
		assert.equal((await verifyEvidence(linesOf([JSON.stringify(proof)]), [key])).valid, true);
	});

	it("shows a tenant's bundles only, the newest first", async () => {
		const [mine, theirs] = [carrierOf(3), carrierOf(3)];
		for (const document of [mine, theirs, mine]) await writers()[0]?.integrate(document);
		const page = await first().pageOf({ tenantId: mine.tenantId }, Number.MAX_SAFE_INTEGER, 1_000);
		assert.ok(page.some(({ about }) => about.includes(mine._id)));
		assert.ok(!page.some(({ about }) => about.includes(theirs._id)));
		const about = await first().pageOf({ about: mine._id }, Number.MAX_SAFE_INTEGER, 1_000);
		assert.equal(about.flatMap(({ entries }) => entries.filter((text) => text.includes(mine._id))).length, 3);
		assert.deepEqual(
			page.map(({ _id }) => _id),
			page
				.map(({ _id }) => _id)
				.sort()
				.reverse(),
		);
	});

	it("is found edited, cut and shortened by whoever may write to the database", async () => {
		await checkpoints().publish();
		const collection = connection.collection<StoredBundle>("evidenceBundles");
		const all = await collection.find({}).sort({ _id: 1 }).toArray();
		const bundle = all.find((stored) => readBundle(stored).entries[0]?.includes("queued")) as StoredBundle;
		const { entries, ...about } = readBundle(bundle);
		const edited = entries.map((text) => text.replace("queued", "sending"));
		await collection.replaceOne({ _id: bundle._id }, storeBundle({ ...about, entries: edited }));
		assert.deepEqual((await kindsFound()).slice(0, 2), ["edited", "forked"]);
		// As bundles of before stand.
		const { packed: _, ...plain } = bundle;
		await collection.replaceOne({ _id: bundle._id }, { ...plain, entries });
		assert.deepEqual(await kindsFound(), []);
		await collection.updateOne({ _id: bundle._id }, { $set: { packed: Buffer.from("none") }, $unset: { entries: 1 } });
		assert.ok((await kindsFound()).includes("misfiled"));
		await collection.replaceOne({ _id: bundle._id }, bundle);
		await collection.deleteOne({ _id: bundle._id });
		assert.ok((await kindsFound()).includes("missing"));
		await collection.insertOne(bundle);
		assert.deepEqual(await kindsFound(), []);
		await collection.deleteOne({ _id: all.at(-1)?._id as string });
		assert.ok((await kindsFound()).includes("truncated"));
		assert.equal((await checkpoints().standing()).standing, "behind");
		await writers()[2]?.append([{ type: "denied" }]);
		await writers()[2]?.append(Array.from({ length: 600 }, () => ({ type: "denied" as const })));
		assert.ok((await kindsFound()).includes("forked"));
		assert.equal((await checkpoints().publish()).standing, "forked");
	});
});

async function* linesOf(lines: string[]) {
	yield* lines;
}
