// fsck over a log of 100,000 entries: whole it is found whole; edited, cut, filled, moved, shortened or forked it is not.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { TileDocument } from "../../adapters/mongo/models.ts";
import { signCheckpoint } from "../../audit/checkpoint.ts";
import { formatEntry, readEntry } from "../../audit/entry.ts";
import { packFrontier, unpackFrontier } from "../../audit/evidence.ts";
import { type FindingKind, fsck } from "../../audit/fsck.ts";
import { append, emptyFrontier, leafHash, rootOf } from "../../audit/merkle.ts";
import { type Bundle, everyTenant, indexText, spanOf } from "../../domain/evidence.ts";
import { carrierOf, createKey, createMemoryEvidence, ids, ofArray, origin } from "./memoryEvidence.ts";

/** A log of so many entries, published; `findingsIn` says what is found when its bundles are not what they were. */
async function createLog(size: number) {
	const log = createMemoryEvidence();
	await Promise.all(Array.from({ length: size / 8 }, () => log.evidence.integrate(carrierOf(8))));
	await log.checkpoints.publish();
	const note = log.kept.note ?? "";
	const check = (bundles: Bundle[], notes = [note]) =>
		fsck(
			{
				bundles: ofArray(bundles),
				tiles: ofArray(log.kept.tiles),
				checkpoints: notes.map((one, at) => ({ source: `checkpoint ${at}`, note: one })),
			},
			{ keys: [log.key], origin },
		);
	const findingsIn = async (bundles: Bundle[], notes?: string[]): Promise<Set<FindingKind>> =>
		new Set((await check(bundles, notes)).findings.map(({ kind }) => kind));
	return { ...log, note, size, check, findingsIn };
}

type TestLog = Awaited<ReturnType<typeof createLog>>;

/** Changes the entries of one bundle, clumsily: nothing else is put right. */
function withEntries({ kept }: TestLog, index: number, change: (entries: string[]) => string[]): Bundle[] {
	const bundle = kept.bundles[index] as Bundle;
	return kept.bundles.with(index, { ...bundle, entries: change([...bundle.entries]) });
}

const edit = (entries: string[]) => entries.with(5, (entries[5] as string).replace("queued", "delivered"));
const remove = (entries: string[]) => entries.toSpliced(5, 1);
const insert = (entries: string[]) =>
	entries.toSpliced(5, 0, (entries[5] as string).replace(/"ev_..../, '"ev_aaaa').replace("queued", "delivered"));
const reorder = (entries: string[]) => entries.toSpliced(5, 2, entries[6] as string, entries[5] as string);
const changes = { edit, remove, insert, reorder };

describe("fsck of a log of 100,000 entries", () => {
	let log: TestLog;
	before(async () => {
		log = await createLog(100_000);
	});

	it("finds nothing in a whole one, within seconds", async () => {
		const startedAt = performance.now();
		const { findings, size } = await log.check(log.kept.bundles);
		assert.deepEqual([findings, size], [[], 100_000]);
		assert.ok(performance.now() - startedAt < 30_000);
	});

	for (const [what, change] of Object.entries(changes)) {
		it(`finds an entry's ${what}, and where`, async () => {
			const { findings } = await log.check(withEntries(log, 200, change));
			assert.deepEqual(findings[0], { kind: "edited", index: Number(log.kept.bundles[200]?._id) });
			assert.ok(findings.some(({ kind }) => kind === "forked" || kind === "truncated"));
		});
	}

	it("finds that its end was cut off, by an entry or by half", async () => {
		const { bundles } = log.kept;
		const cut = rebuild(withEntries(log, bundles.length - 1, (entries) => entries.slice(0, -1)));
		for (const shorter of [cut, bundles.slice(0, 150)]) assert.ok((await log.findingsIn(shorter)).has("truncated"));
	});

	it("finds a checkpoint of another past", async () => {
		const fork = await signCheckpoint({ origin, size: 50_000, root: Buffer.alloc(32, 1) }, log.key.sign);
		assert.deepEqual(await log.findingsIn(log.kept.bundles, [log.note, fork]), new Set(["forked"]));
	});
});

describe("fsck", () => {
	let log: TestLog;
	before(async () => {
		log = await createLog(2_000);
	});

	for (const [what, change] of Object.entries(changes)) {
		it(`finds an entry's ${what} at either end, and by whoever makes all of the log anew`, async () => {
			for (const at of [0, log.kept.bundles.length - 1]) {
				assert.ok((await log.findingsIn(withEntries(log, at, change))).has("edited"));
				const found = await log.findingsIn(rebuild(withEntries(log, at, change)));
				assert.ok(!found.has("edited"));
				assert.ok(found.has("forked") || found.has("truncated"), `${[...found]}`);
			}
		});
	}

	it("finds a bundle that is gone, one that came twice, and two that changed places", async () => {
		const { bundles } = log.kept;
		const [a, b] = bundles.slice(3, 5) as [Bundle, Bundle];
		assert.ok((await log.findingsIn(bundles.toSpliced(3, 1))).has("missing"));
		assert.ok((await log.findingsIn(bundles.toSpliced(3, 0, a))).has("overlapping"));
		assert.ok((await log.findingsIn(bundles.toSpliced(3, 0, a))).has("repeated"));
		const swapped = bundles.toSpliced(3, 2, { ...b, _id: a._id }, { ...a, _id: b._id });
		assert.ok((await log.findingsIn(swapped)).has("forked"));
	});

	it("finds that all was cut off", async () => {
		for (const shorter of [log.kept.bundles.slice(0, 1), []]) {
			assert.ok((await log.findingsIn(shorter)).has("truncated"));
		}
	});

	it("finds a checkpoint of another log, of another past, and one that nobody signed", async () => {
		const { bundles } = log.kept;
		const root = Buffer.alloc(32, 1);
		const forks = [
			await signCheckpoint({ origin, size: 500, root }, log.key.sign),
			await signCheckpoint({ origin, size: log.size, root }, log.key.sign),
		];
		for (const fork of forks) assert.deepEqual(await log.findingsIn(bundles, [log.note, fork]), new Set(["forked"]));
		const stranger = await signCheckpoint({ origin, size: log.size, root }, createKey().sign);
		assert.deepEqual(await log.findingsIn(bundles, [log.note, stranger]), new Set(["bad_checkpoint"]));
	});

	it("finds no fault in an older checkpoint of the same log", async () => {
		for (const older of [0, 1, 777]) {
			const leaves = log.kept.bundles.flatMap(({ entries }) => entries).slice(0, older);
			const root = rootOf(
				append(
					emptyFrontier,
					leaves.map((text) => leafHash(Buffer.from(text))),
				),
			);
			const kept = await signCheckpoint({ origin, size: older, root }, log.key.sign);
			assert.deepEqual(await log.findingsIn(log.kept.bundles, [log.note, kept]), new Set());
		}
	});

	it("reads a log of any length by keeping a root of each tile, and not every entry's hash", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const usedBytes = () => {
			collect();
			const { heapUsed, external } = process.memoryUsage();
			return heapUsed + external;
		};
		const size = 400 * 256;
		let usedAtEnd = 0;
		async function* tiles(): AsyncGenerator<TileDocument> {
			usedAtEnd = usedBytes();
			yield* [];
		}
		const usedBefore = usedBytes();
		const found = await fsck({ bundles: madeBundles(size), tiles: tiles(), checkpoints: [] }, { keys: [], origin });
		assert.deepEqual([found.size, found.findings], [size, []]);
		// Of an entry a hash in memory takes some 240 bytes, and its id 16 to 43.
		assert.ok((usedAtEnd - usedBefore) / size < 100, `${Math.round((usedAtEnd - usedBefore) / size)} bytes an entry`);
	});

	it("finds a tile of a level that no log has, and does not go there", { timeout: 10_000 }, async () => {
		const [first] = log.kept.tiles as [TileDocument];
		const tile = { ...first, _id: `900000000/${indexText(0)}` };
		const stored = { bundles: ofArray(log.kept.bundles), tiles: ofArray([tile]), checkpoints: [] };
		const { findings } = await fsck(stored, { keys: [], origin });
		assert.deepEqual(findings, [{ kind: "tile", source: tile._id }]);
	});

	it("finds an entry that says more than it may, one that comes twice, and a bundle that is filed wrong", async () => {
		const more = withEntries(log, 6, (entries) =>
			entries.with(3, (entries[3] as string).replace("{", '{"aName":"erika",')),
		);
		assert.ok((await log.findingsIn(rebuild(more))).has("malformed"));
		const twice = withEntries(log, 6, (entries) => [...entries, entries[0] as string]);
		assert.ok((await log.findingsIn(rebuild(twice))).has("repeated"));
		const [ninth] = log.kept.bundles.slice(6) as [Bundle];
		assert.ok((await log.findingsIn(log.kept.bundles.with(6, { ...ninth, about: [] }))).has("misfiled"));
	});

	it("takes what bundles of earlier versions are filed under as well, of their own messages only", async () => {
		const [ninth] = log.kept.bundles.slice(6) as [Bundle];
		const filedUnder = (key: string) =>
			log.findingsIn(log.kept.bundles.with(6, { ...ninth, about: [...ninth.about, key] }));
		assert.deepEqual(await filedUnder(`${ninth.about[0]} 3`), new Set());
		assert.ok((await filedUnder("msg_other 3")).has("misfiled"));
	});

	it("finds a tile that is not over its entries", async () => {
		const [first, ...rest] = log.kept.tiles;
		assert.ok(first && rest.length > 5);
		const findingsWith = async (changed: TileDocument) => {
			const stored = { bundles: ofArray(log.kept.bundles), tiles: ofArray([changed, ...rest]), checkpoints: [] };
			return (await fsck(stored, { keys: [], origin })).findings;
		};
		const found = [{ kind: "tile", source: first._id }];
		assert.deepEqual(await findingsWith({ ...first, root: Buffer.alloc(32) }), found);
		assert.deepEqual(await findingsWith({ ...first, hashes: Buffer.alloc(256 * 32) }), found);
		// Tiles of before have their entries' hashes.
		const texts = log.kept.bundles.flatMap(({ entries }) => entries).slice(0, 256);
		const hashes = Buffer.concat(texts.map((text) => leafHash(Buffer.from(text))));
		assert.deepEqual(await findingsWith({ ...first, hashes }), []);
	});
});

/** A sound log of so many entries, each made as it is read. */
async function* madeBundles(size: number): AsyncGenerator<Bundle> {
	let frontier = emptyFrontier;
	while (frontier.size < size) {
		const start = frontier.size;
		const entries = Array.from({ length: 256 }, () =>
			formatEntry(ids.random("evidence"), 1, { type: "stores_prepared" }),
		);
		frontier = append(
			frontier,
			entries.map((text) => leafHash(Buffer.from(text))),
		);
		const filed = { about: [], tenants: [everyTenant], frontier: packFrontier(frontier), at: 1 };
		yield { _id: indexText(start), entries, ...filed };
	}
}

/** The same entries as a log that is sound in itself. */
function rebuild(bundles: Bundle[]): Bundle[] {
	let frontier = emptyFrontier;
	return bundles.map((bundle) => {
		const start = frontier.size;
		frontier = append(
			frontier,
			bundle.entries.map((text) => leafHash(Buffer.from(text))),
		);
		const entries = bundle.entries.flatMap((text) => readEntry(text) ?? []);
		return {
			...bundle,
			_id: indexText(start),
			about: [...new Set(entries.flatMap(({ about }) => about ?? []))],
			tenants: [...new Set(entries.flatMap(({ tenantId }) => tenantId ?? []))],
			frontier: packFrontier(
				unpackFrontier(spanOf({ _id: indexText(start), entries: bundle.entries }).end, packFrontier(frontier)),
			),
		};
	});
}
