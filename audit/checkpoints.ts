// Publishes checkpoints, and has witnesses outside the database keep them: without those a log that was cut short could not be told from a whole one.

import type { EvidenceStore } from "../adapters/mongo/evidence.ts";
import type { Witness } from "../adapters/witness.ts";
import type { Standing } from "../domain/evidence.ts";
import { type Checkpoint, type SignCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { readEntry } from "./entry.ts";
import { unpackFrontier } from "./evidence.ts";
import { emptyFrontier, type Frontier, type Hash, rootOf } from "./merkle.ts";
import { idOfNote, type OfLine, openLine, originOf, predecessorsIn } from "./succession.ts";
import { createTreeReader, type TreeStore } from "./treeReader.ts";

export type Checkpoints = ReturnType<typeof createCheckpoints>;

type CheckpointsDeps = {
	/** The log's name in its checkpoints, that of the first of its line. */
	origin: string;
	store: TreeStore &
		Pick<EvidenceStore, "head" | "checkpoint" | "keepCheckpoint" | "before" | "keepBefore" | "findAbout">;
	/** At least one, none of them in the database. */
	witnesses: readonly Witness[];
	sign: SignCheckpoint;
	/** Public keys of the log, `x` of their JWKs. */
	keys: () => Promise<readonly { x: string }[]>;
	/** The last checkpoint of which people have judged that the log goes on without what it covers. */
	judged: () => Promise<string | undefined>;
};

export function createCheckpoints(deps: CheckpointsDeps) {
	const { judge, rootAt } = createJudging(deps);
	const { sign, keep, isSucceeded, nextGeneration } = createSigning(deps, rootAt);

	return {
		/** Compares the log's length, and the root at what each witness saw, with what it saw. @throws LetheError */
		async standing(): Promise<{ standing: Standing; size: number; witnessed?: number }> {
			const { standing, head, witnessed } = await judge();
			return { standing, size: head.size, ...(witnessed === undefined ? {} : { witnessed }) };
		},

		/**
		 * The last checkpoint of this log that a witness has, or else the store; and the name of its successor, should it need
		 * one. Undefined when nobody signed any.
		 */
		async last(): Promise<{ note: string; checkpoint: Checkpoint; successor: string } | undefined> {
			const { last } = await judge();
			return last && { ...last, successor: originOf(deps.origin, await nextGeneration(last)) };
		},

		/**
		 * Signs a checkpoint over the log as it stands and hands it to each witness, unless the last one says the same, or
		 * the log is not the one that they saw: then nothing is signed, and the answer says so, until people have judged that
		 * it goes on as another: as that it is signed from then on, and witnesses keep what they saw for good.
		 * @throws LetheError when store, witness or key server are away
		 */
		async publish(): Promise<Published> {
			const { standing, head, notes, last } = await judge();
			const { size } = head;
			const generation = last?.generation ?? 1;
			// Whoever published it may have died before the log itself kept it.
			if (standing === "equal" && notes[0] !== undefined && notes[0] !== (await deps.store.checkpoint())) {
				await keep(generation, size, notes[0]);
			}
			if (standing === "ahead") return sign(generation, head);
			if (standing !== "equal" && last && (await isSucceeded(last))) return sign(await nextGeneration(last), head);
			return { standing, size };
		},
	};
}

/** Compares the log with what was seen of it. */
function createJudging(deps: CheckpointsDeps) {
	const tree = createTreeReader(deps.store);

	async function compare(seen: Checkpoint, head: Frontier): Promise<Standing> {
		if (seen.size > head.size) return "behind";
		// Of a log that has not grown the last bundle tells; nothing else is read.
		const root = seen.size === head.size ? rootOf(head) : await rootAt(seen.size);
		if (!root?.equals(seen.root)) return "forked";
		return seen.size === head.size ? "equal" : "ahead";
	}

	/** The root over the entries and tiles that are kept; undefined where some of them are missing. */
	async function rootAt(size: number): Promise<Hash | undefined> {
		try {
			return await tree.rootAt(size);
		} catch (error) {
			if (error instanceof RangeError) return undefined;
			throw error;
		}
	}

	async function judge(): Promise<Judged> {
		const newest = await deps.store.head();
		const head = newest === undefined ? emptyFrontier : unpackFrontier(newest.end, newest.frontier);
		const notes = (await Promise.all(deps.witnesses.map(({ read }) => read()))).filter((note) => note !== undefined);
		const published = notes.length === 0 ? await deps.store.checkpoint() : undefined;
		const shown = published === undefined ? notes : [published];
		const line = shown.length === 0 ? [] : openLine(shown, await deps.keys(), deps.origin);
		const last = line.at(-1);
		if (notes.length === 0) {
			const first = head.size === 0 ? "equal" : "ahead";
			return { standing: published === undefined ? first : "unwitnessed", head, notes, last };
		}
		const current = line.filter(({ generation }) => generation === last?.generation);
		const standings = await Promise.all(current.map(({ checkpoint }) => compare(checkpoint, head)));
		// A note that nobody signed is another log's. A witness that keeps a predecessor's is shown the next of this one.
		if (line.length < notes.length) standings.push("forked");
		if (current.length < line.length) standings.push("ahead");
		const worst = (["forked", "behind", "ahead", "equal"] as const).find((one) => standings.includes(one));
		return { standing: worst ?? "forked", head, notes, last, ...(last && { witnessed: last.checkpoint.size }) };
	}

	return { judge, rootAt };
}

type Judging = ReturnType<typeof createJudging>;

/** Signs the log, and has it keep what is signed. */
function createSigning(deps: CheckpointsDeps, rootAt: Judging["rootAt"]) {
	/** Signs it over the log as it stands, and hands it to each witness. */
	async function sign(generation: number, head: Frontier): Promise<Published> {
		const { size } = head;
		const root = rootOf(head);
		// What a checkpoint promises is proven from tiles: they are kept, and agree, before it is signed.
		if (!(await rootAt(size))?.equals(root)) return { standing: "forked", size };
		const note = await signCheckpoint({ origin: originOf(deps.origin, generation), size, root }, deps.sign);
		for (const witness of deps.witnesses) {
			// Another process publishes at the same time: its checkpoint stands, the next is ours or its own.
			if (!(await witness.write(note))) return { standing: "ahead", size };
		}
		await keep(generation, size, note);
		return { standing: "equal", size };
	}

	/** Has the log itself keep it, and what witnesses have of the logs before it: whoever exports it shows those, too. */
	async function keep(generation: number, size: number, note: string): Promise<void> {
		if ((await deps.store.before()).length < generation - 1) {
			const notes = (await Promise.all(deps.witnesses.map(({ before }) => before()))).flat();
			const witnessed = openLine(notes, await deps.keys(), deps.origin);
			for (const one of predecessorsIn([...(await knownToStore()), ...witnessed], generation)) {
				await deps.store.keepBefore(one.generation, one.checkpoint.size, one.note);
			}
		}
		await deps.store.keepCheckpoint(size, note);
	}

	/** Whether people have judged that the log goes on without what that checkpoint covers, and the log itself says so. */
	async function isSucceeded({ note }: OfLine): Promise<boolean> {
		if ((await deps.judged()) !== note) return false;
		const found = await deps.store.findAbout([idOfNote(note)]);
		return found.some(({ entries }) => entries.some((text) => readEntry(text)?.about === idOfNote(note)));
	}

	/** No name is given twice, also where the witnesses are from a copy of before the last succession. */
	async function nextGeneration({ generation }: OfLine): Promise<number> {
		return 1 + Math.max(generation, ...(await knownToStore()).map((one) => one.generation));
	}

	async function knownToStore(): Promise<OfLine[]> {
		const latest = await deps.store.checkpoint();
		const notes = [...(await deps.store.before()), ...(latest === undefined ? [] : [latest])];
		return openLine(notes, await deps.keys(), deps.origin);
	}

	return { sign, keep, isSucceeded, nextGeneration };
}

type Published = { standing: Standing; size: number };
/** `last`: the largest checkpoint of the newest log of the line; `witnessed`: how many entries it covers. */
type Judged = {
	standing: Standing;
	head: Frontier;
	notes: string[];
	last: OfLine | undefined;
	witnessed?: number;
};
