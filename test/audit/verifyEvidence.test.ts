// Exports and proofs, checked as an auditor does: offline, by pinned keys, and refused when anything of them is off.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { signCheckpoint } from "../../audit/checkpoint.ts";
import { packFrontier, unpackFrontier } from "../../audit/evidence.ts";
import { createEvidenceExports, type Period } from "../../audit/evidenceExport.ts";
import { append, leafHash } from "../../audit/merkle.ts";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import { type Bundle, indexText, spanOf } from "../../domain/evidence.ts";
import { carrierOf, createKey, createMemoryEvidence, type MemoryEvidence, ofArray } from "./memoryEvidence.ts";

const hour = 3600_000;

describe("an export", () => {
	let log: MemoryEvidence;
	let start = 0;
	let older = "";
	const [ours, theirs] = [carrierOf(300), carrierOf(300)];
	before(async () => {
		log = createMemoryEvidence();
		start = log.time.now;
		for (const [hours, document] of [ours, theirs].entries()) {
			log.time.now = start + hours * hour;
			await log.evidence.integrate(document);
			await log.evidence.append([{ type: "process_started", code: "worker", by: "engine" }]);
			await log.checkpoints.publish();
			older ||= log.kept.note ?? "";
		}
		log.time.now += hour;
		await log.evidence.integrate(carrierOf(100));
		await log.checkpoints.publish();
	});

	const linesOf = async (period: Period = {}, tenantId?: string): Promise<string[]> => {
		const made = await log.exports.export(period, tenantId);
		const lines: string[] = [];
		for await (const line of made?.lines ?? []) lines.push(line);
		return lines;
	};
	const verify = (lines: string[], keys = [log.key], kept?: string) => verifyEvidence(ofArray(lines), keys, kept);

	it("of the whole log verifies, entry for entry", async () => {
		const result = await verify(await linesOf());
		const { origin, size } = { origin: "lethe.example/evidence", size: 702 };
		const whole = { valid: true, origin, size, start: 0, end: 702, shown: 702, hidden: 0 };
		assert.deepEqual({ ...result, stepBack: undefined }, { ...whole, stepBack: undefined });
	});

	it("of a period has what was integrated in it, and the next begins where it ends", async () => {
		const periods = [
			{ from: start, to: start + hour },
			{ from: start + hour, to: start + 2 * hour },
			{ from: start + 2 * hour },
			{ from: start + 3 * hour },
		];
		const results = [];
		for (const period of periods) results.push(await verify(await linesOf(period)));
		assert.deepEqual(
			results.map((result) => result.valid && [result.start, result.end]),
			[
				[0, 301],
				[301, 602],
				[602, 702],
				[702, 702],
			],
		);
	});

	it("shows a tenant its own entries and those of nobody, and proves the others by their hashes", async () => {
		const lines = await linesOf({}, ours.tenantId);
		const result = await verify(lines);
		assert.deepEqual(result.valid && [result.shown, result.hidden], [302, 400]);
		assert.ok(!lines.some((line) => line.includes(theirs.tenantId) || line.includes(theirs._id)));
	});

	it("shows a tenant nothing of an entry that can't be read here, whosever it is, and proves it by its hash", async () => {
		const later = createMemoryEvidence();
		await later.evidence.integrate(ours);
		const [last] = later.kept.bundles.slice(-1) as [Bundle];
		// As a later release may have entered it.
		const text = `{"about":"${theirs._id}","tenantId":"${theirs.tenantId}","type":"unheard_of"}`;
		const { end } = spanOf(last);
		const grown = append(unpackFrontier(end, last.frontier), [leafHash(Buffer.from(text))]);
		const filed = { about: [theirs._id], tenants: [theirs.tenantId], frontier: packFrontier(grown), at: last.at };
		await later.store.insert([{ _id: indexText(end), entries: [text], ...filed }]);
		await later.checkpoints.publish();
		const lines: string[] = [];
		for await (const line of (await later.exports.export({}, ours.tenantId))?.lines ?? []) lines.push(line);
		assert.ok(!lines.some((line) => line.includes(theirs.tenantId)));
		const result = await verify(lines, [later.key]);
		assert.deepEqual(result.valid && [result.shown, result.hidden], [300, 1]);
		assert.equal(await later.exports.prove(end, ours.tenantId), undefined);
	});

	it("is refused with any line changed, gone, doubled or moved, or cut off anywhere", async () => {
		const lines = await linesOf({ from: start, to: start + 2 * hour }, ours.tenantId);
		for (const at of [1, 150, 301, 302, 500, lines.length - 1]) {
			const [line = "", next = lines[1] ?? ""] = lines.slice(at, at + 2);
			const spoilt = [
				lines.with(at, line.includes("queued") ? line.replace("queued", "sending") : line.replace(/[a-z]/, "Q")),
				lines.toSpliced(at, 1),
				lines.toSpliced(at, 0, line),
				lines.slice(0, at),
				...(next === line ? [] : [lines.toSpliced(at, 2, next, line)]),
			];
			for (const bad of spoilt) assert.equal((await verify(bad)).valid, false, `line ${at}`);
		}
	});

	it("is refused when its first line says anything else", async () => {
		const [first = "", ...rest] = await linesOf({ from: start + hour, to: start + 2 * hour });
		const header = JSON.parse(first);
		for (const [what, changed] of Object.entries({
			"an entry less at its beginning": { ...header, start: header.start + 1 },
			"an entry more at its end": { ...header, end: header.end + 1 },
			"a negative index": { ...header, start: -1 },
			"no hashes before it": { ...header, left: [] },
			"other hashes behind it": { ...header, right: header.right.toReversed() },
			"a field that nobody knows": { ...header, jwk: {} },
			"another checkpoint": { ...header, checkpoint: older },
			nothing: {},
		})) {
			assert.equal((await verify([JSON.stringify(changed), ...rest])).valid, false, what);
		}
		assert.deepEqual(await verify([]), { valid: false, reason: "malformed", line: 1 });
	});

	it("is refused when the log itself holds an entry twice, shown or as its hash", async () => {
		const twice = createMemoryEvidence();
		await twice.evidence.integrate(ours);
		await twice.evidence.append([{ type: "process_started", code: "worker", by: "engine" }]);
		const bundles = twice.kept.bundles;
		const [last, entry] = [bundles.at(-1) as Bundle, bundles[0]?.entries[3] as string];
		const { end } = spanOf(last);
		const frontier = append(unpackFrontier(end, last.frontier), [leafHash(Buffer.from(entry))]);
		bundles.push({
			...(bundles[0] as Bundle),
			_id: indexText(end),
			entries: [entry],
			frontier: packFrontier(frontier),
		});
		await twice.checkpoints.publish();
		for (const tenantId of [undefined, theirs.tenantId]) {
			const lines: string[] = [];
			for await (const line of (await twice.exports.export({}, tenantId))?.lines ?? []) lines.push(line);
			const refused = { valid: false, reason: "repeated", line: end + 2 };
			assert.deepEqual(await verify(lines, [twice.key]), refused, tenantId);
		}
	});

	it("tells by how much an entry says that it was before those that stand before it", async () => {
		const late = createMemoryEvidence();
		const act = { type: "process_started", code: "worker", by: "engine" } as const;
		for (const hours of [2, 1, 3, 3]) {
			late.time.now = start + hours * hour;
			await late.evidence.append([act]);
		}
		await late.checkpoints.publish();
		const lines: string[] = [];
		for await (const line of (await late.exports.export({}))?.lines ?? []) lines.push(line);
		const result = await verify(lines, [late.key]);
		assert.deepEqual(result.valid && result.stepBack, { ms: hour, line: 3 });
	});

	it("is refused under any key but the pinned one", async () => {
		assert.deepEqual(await verify(await linesOf(), [createKey()]), { valid: false, reason: "bad_checkpoint" });
	});

	it("shows that the log has grown from a checkpoint that the auditor kept, and from no other", async () => {
		const lines = await linesOf({ since: 301 });
		const grown = await verify(lines, [log.key], older);
		assert.equal(grown.valid && grown.grownSince, 301);
		assert.deepEqual(await verify(await linesOf(), [log.key], older), {
			valid: false,
			reason: "older_checkpoint_missing",
		});
		const fork = await signCheckpoint(
			{ origin: "lethe.example/evidence", size: 301, root: Buffer.alloc(32) },
			log.key.sign,
		);
		assert.deepEqual(await verify(lines, [log.key], fork), { valid: false, reason: "not_grown" });
		assert.deepEqual(await verify(lines, [log.key], "forged"), { valid: false, reason: "bad_checkpoint" });
	});

	it("of one entry is a path that verifies, for whoever may see it", async () => {
		const proof = await log.exports.prove(7, ours.tenantId);
		assert.ok(proof);
		assert.equal((await verify([JSON.stringify(proof)])).valid, true);
		assert.equal(await log.exports.prove(7, theirs.tenantId), undefined);
		assert.equal(await log.exports.prove(702, ours.tenantId), undefined);
		assert.deepEqual(await verify([JSON.stringify({ ...proof, index: 8 })]), { valid: false, reason: "not_proven" });
		const entry = proof.entry.replace("queued", "sending");
		assert.deepEqual(await verify([JSON.stringify({ ...proof, entry })]), { valid: false, reason: "not_proven" });
	});

	it("is over a checkpoint that covers its period, which is asked for first; what none covers is left out, and counted", async () => {
		const late = createMemoryEvidence();
		await late.evidence.integrate(carrierOf(5));
		await late.checkpoints.publish();
		const covered = late.time.now + hour;
		late.time.now = covered;
		await late.evidence.integrate(carrierOf(7));
		const asked = { count: 0 };
		const exportBy = async (publishSoon: () => void, period: Period, patienceMs = 0) => {
			const { store } = late;
			const ask = () => {
				asked.count++;
				publishSoon();
			};
			const exports = createEvidenceExports({
				store,
				publishSoon: ask,
				monotonic: () => performance.now(),
				patienceMs,
			});
			const made = await exports.export(period);
			return verifyEvidence(made?.lines ?? ofArray([]), [late.key]);
		};
		const nobody = () => undefined;
		const known = await exportBy(nobody, { to: covered });
		assert.deepEqual([known.valid && known.end, known.valid && known.uncovered, asked.count], [5, undefined, 0]);
		for (const [period, uncovered] of [
			[{}, 7],
			[{ from: covered }, 7],
			[{ to: covered + hour }, 7],
			[{ from: covered + hour }, undefined],
		] as const) {
			const without = await exportBy(nobody, period);
			assert.deepEqual([without.valid && without.end, without.valid && without.uncovered], [5, uncovered]);
		}
		asked.count = 0;
		const whole = await exportBy(() => void late.checkpoints.publish(), { from: covered }, 60_000);
		assert.deepEqual([whole.valid && whole.start, whole.valid && whole.end, asked.count], [5, 12, 1]);
		assert.equal(whole.valid && whole.uncovered, undefined);
	});
});
