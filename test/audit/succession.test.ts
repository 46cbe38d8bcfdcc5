// A log from which a restore has lost what was signed: nothing is signed over it until people have judged it, and then nothing of what was witnessed is lost.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openCheckpoint, signCheckpoint } from "../../audit/checkpoint.ts";
import { fsck } from "../../audit/fsck.ts";
import { idOfNote, openLine, predecessorsIn } from "../../audit/succession.ts";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import { judgeLog } from "../../cli/evidence/succeed.ts";
import type { EpochStanding } from "../../domain/ledger.ts";
import { carrierOf, createMemoryEvidence, type MemoryEvidence, ofArray, origin } from "./memoryEvidence.ts";

const ledgerOf = (standing: EpochStanding) => ({ life: async () => ({ stored: undefined, standing }) });

const [early, signed, restored] = [300, 700, 512];

/** Signed at 300 and at 700 entries, and put back to a copy of 512, which was never signed at that length. */
async function createRestored() {
	const log = createMemoryEvidence();
	await log.evidence.integrate(carrierOf(early));
	await log.checkpoints.publish();
	const older = log.kept.note as string;
	await log.evidence.integrate(carrierOf(restored - early));
	const copy = log.kept.bundles.length;
	await log.evidence.integrate(carrierOf(signed - restored));
	await log.checkpoints.publish();
	log.kept.bundles.length = copy;
	log.kept.note = older;
	return { log, older, lost: log.witnessed.note as string };
}

const judge = (log: MemoryEvidence) =>
	judgeLog({ ...log, evidence: log.createWriter(), ledger: ledgerOf("current") }, "restore");

async function exported(log: MemoryEvidence, since?: number): Promise<string[]> {
	const lines: string[] = [];
	for await (const line of (await log.exports.export({ since }))?.lines ?? []) lines.push(line);
	return lines;
}

describe("a log that lacks what was signed of it", () => {
	it("goes on as its successor once people have judged it, which is an entry and leaves what was witnessed", async () => {
		const { log, lost } = await createRestored();
		assert.equal((await log.checkpoints.publish()).standing, "behind");
		const { predecessor, successor, size } = await judge(log);
		assert.deepEqual([predecessor.size, successor, size], [signed, `${origin}/2`, restored]);
		assert.deepEqual(await log.checkpoints.publish(), { standing: "equal", size: restored + 1 });
		assert.equal(openCheckpoint(log.witnessed.note ?? "", [log.key], `${origin}/2`)?.size, restored + 1);
		assert.equal(log.kept.note, log.witnessed.note);
		assert.deepEqual([log.witnessed.before, log.kept.before], [[lost], [lost]]);
		const { type, code, by, about, predecessor: named } = log.entries()[restored];
		assert.deepEqual([type, code, by, about], ["evidence_succeeded", "restore", "admin", idOfNote(lost)]);
		assert.deepEqual(named, predecessor);
		await log.createWriter().append([{ type: "denied" }]);
		assert.deepEqual(await log.checkpoints.publish(), { standing: "equal", size: restored + 2 });
		assert.deepEqual(await log.checkpoints.standing(), {
			standing: "equal",
			size: restored + 2,
			witnessed: restored + 2,
		});
	});

	it("is signed by nobody on the entry alone, on the judgement alone, or on that of another loss", async () => {
		const { log, lost } = await createRestored();
		await log.succession.judge(lost);
		assert.equal((await log.checkpoints.publish()).standing, "behind", "no entry says so");
		await log.succession.judge("");
		await judge({ ...log, succession: { ...log.succession, judge: async () => undefined } });
		assert.equal((await log.checkpoints.publish()).standing, "behind", "nobody has judged it");
		await log.succession.judge(lost);
		assert.equal((await log.checkpoints.publish()).standing, "equal");
		log.kept.bundles.pop();
		assert.equal((await log.checkpoints.publish()).standing, "behind", "cut once more");
		assert.equal((await judge(log)).successor, `${origin}/3`);
		await log.checkpoints.publish();
		assert.deepEqual(log.kept.before, [lost, log.witnessed.before[1]]);
	});

	it("that holds what its witnesses saw needs none, and one in quarantine is restored first", async () => {
		const { log } = await createRestored();
		const quarantined = { ...log, ledger: ledgerOf("store_behind") };
		await assert.rejects(judgeLog(quarantined, "restore"), /run `lethe restore` first/);
		await judge(log);
		await log.checkpoints.publish();
		await assert.rejects(judge(log), /needs no successor/);
	});

	it("goes on under a name that was never given, also where the witnesses are from before the last succession", async () => {
		const { log, lost } = await createRestored();
		await judge(log);
		await log.checkpoints.publish();
		log.witnessed.note = lost;
		log.witnessed.before.length = 0;
		assert.equal((await judge(log)).successor, `${origin}/3`);
		await log.checkpoints.publish();
		const lines = await exported(log);
		const result = await verifyEvidence(ofArray(lines), [log.key]);
		assert.deepEqual(result.valid && result.predecessors?.map((one) => one.origin), [origin, `${origin}/2`]);
	});

	it("is exported with its predecessors, and shows growth from every checkpoint whose entries it has still", async () => {
		const { log, older, lost } = await createRestored();
		const { predecessor } = await judge(log);
		await log.checkpoints.publish();
		await log.createWriter().integrate(carrierOf(signed));
		await log.checkpoints.publish();
		const verify = (lines: string[], kept?: string) => verifyEvidence(ofArray(lines), [log.key], kept);
		const result = await verify(await exported(log));
		assert.deepEqual(result.valid && [result.origin, result.predecessors], [`${origin}/2`, [predecessor]]);
		const grown = await verify(await exported(log, early), older);
		assert.equal(grown.valid && grown.grownSince, early);
		assert.deepEqual(await verify(await exported(log, signed), lost), { valid: false, reason: "not_grown" });
		const [first = "", ...rest] = await exported(log);
		const header = JSON.parse(first);
		const stranger = await signCheckpoint({ origin: "other", size: 1, root: Buffer.alloc(32) }, log.key.sign);
		const { predecessors: _, ...bare } = header;
		const stripped = await verifyEvidence(ofArray([JSON.stringify(bare), ...rest]), [log.key]);
		assert.equal(stripped.valid && stripped.predecessorsMissing, 1);
		for (const predecessors of [[stranger], ["forged"], [lost, lost], [log.kept.note]]) {
			const changed = [JSON.stringify({ ...header, predecessors }), ...rest];
			assert.deepEqual(await verify(changed), { valid: false, reason: "bad_checkpoint" });
		}
	});

	it("is whole to fsck, which finds that no entry names a predecessor, and what one has seen that it lacks", async () => {
		const { log, older, lost } = await createRestored();
		await judge(log);
		await log.checkpoints.publish();
		const check = async (notes: string[], bundles = log.kept.bundles) => {
			const predecessors = predecessorsIn(openLine(log.witnessed.before, [log.key], origin), 2);
			const checkpoints = notes.map((note) => ({ source: "kept", note }));
			const stored = { bundles: ofArray(bundles), tiles: ofArray(log.kept.tiles), checkpoints, predecessors };
			const { findings } = await fsck(stored, { keys: [log.key], origin: `${origin}/2` });
			return findings.map(({ kind }) => kind);
		};
		assert.deepEqual(await check([log.witnessed.note as string, older]), []);
		assert.deepEqual(await check([lost]), ["truncated"]);
		assert.deepEqual(await check([older], log.kept.bundles.slice(0, -1)), ["unnamed"]);
	});

	it("is finished by the next who publishes, where a witness was told and another was not", async () => {
		const { log, lost } = await createRestored();
		await judge(log);
		await log.checkpoints.publish();
		const told = log.witnessed.note as string;
		log.witnessed.note = lost;
		log.witnessed.before.length = 0;
		const other = { name: "other", read: async () => told, write: async () => true, before: async () => [lost] };
		const checkpoints = log.createCheckpoints([other, log.witness]);
		assert.equal((await checkpoints.standing()).standing, "ahead");
		assert.equal((await checkpoints.publish()).standing, "equal");
		assert.deepEqual([log.witnessed.note, log.witnessed.before], [told, [lost]]);
	});
});
