// Publishes checkpoints, and has witnesses outside the database keep them: without those a log that was cut short could not be told from a whole one.

import type { EvidenceStore } from "../adapters/mongo/evidence.ts";
import type { Witness } from "../adapters/witness.ts";
import type { Standing } from "../domain/evidence.ts";
import { type Checkpoint, openCheckpoint, type SignCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { unpackFrontier } from "./evidence.ts";
import { emptyFrontier, type Frontier, type Hash, rootOf } from "./merkle.ts";
import { createTreeReader, type TreeStore } from "./treeReader.ts";

export type Checkpoints = ReturnType<typeof createCheckpoints>;

type CheckpointsDeps = {
	/** The log's name in its checkpoints. */
	origin: string;
	store: TreeStore & Pick<EvidenceStore, "head" | "checkpoint" | "keepCheckpoint">;
	/** At least one, none of them in the database. */
	witnesses: readonly Witness[];
	sign: SignCheckpoint;
	/** Public keys of the log, `x` of their JWKs. */
	keys: () => Promise<readonly { x: string }[]>;
};

export function createCheckpoints(deps: CheckpointsDeps) {
	const tree = createTreeReader(deps.store);

	async function compare(seen: Checkpoint | undefined, head: Frontier): Promise<Standing> {
		if (seen === undefined) return "forked";
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

	async function judge(): Promise<{ standing: Standing; head: Frontier; witnessed?: number; notes: string[] }> {
		const newest = await deps.store.head();
		const head = newest === undefined ? emptyFrontier : unpackFrontier(newest.end, newest.frontier);
		const notes = (await Promise.all(deps.witnesses.map(({ read }) => read()))).filter((note) => note !== undefined);
		if (notes.length === 0) {
			const published = await deps.store.checkpoint();
			const first = head.size === 0 ? "equal" : "ahead";
			return { standing: published === undefined ? first : "unwitnessed", head, notes };
		}
		const keys = await deps.keys();
		const seen = notes.map((note) => openCheckpoint(note, keys, deps.origin));
		const standings = await Promise.all(seen.map((checkpoint) => compare(checkpoint, head)));
		const worst = (["forked", "behind", "ahead", "equal"] as const).find((one) => standings.includes(one));
		const sizes = seen.flatMap((checkpoint) => checkpoint?.size ?? []);
		return { standing: worst ?? "forked", head, ...(sizes.length > 0 ? { witnessed: Math.max(...sizes) } : {}), notes };
	}

	return {
		/** Compares the log's length, and the root at what each witness saw, with what it saw. @throws LetheError */
		async standing(): Promise<{ standing: Standing; size: number; witnessed?: number }> {
			const { standing, head, witnessed } = await judge();
			return { standing, size: head.size, ...(witnessed === undefined ? {} : { witnessed }) };
		},

		/**
		 * Signs a checkpoint over the log as it stands and hands it to each witness, unless the last one says the same, or
		 * the log is not the one that they saw: then nothing is signed, and the answer says so.
		 * @throws LetheError when store, witness or key server are away
		 */
		async publish(): Promise<{ standing: Standing; size: number }> {
			const { standing, head, notes } = await judge();
			const { size } = head;
			// Whoever published it may have died before the log itself kept it.
			if (standing === "equal" && notes[0] !== undefined && notes[0] !== (await deps.store.checkpoint())) {
				await deps.store.keepCheckpoint(size, notes[0]);
			}
			if (standing !== "ahead") return { standing, size };
			const root = rootOf(head);
			// What a checkpoint promises is proven from tiles: they are kept, and agree, before it is signed.
			if (!(await rootAt(size))?.equals(root)) return { standing: "forked", size };
			const note = await signCheckpoint({ origin: deps.origin, size, root }, deps.sign);
			for (const witness of deps.witnesses) {
				// Another process publishes at the same time: its checkpoint stands, the next is ours or its own.
				if (!(await witness.write(note))) return { standing, size };
			}
			await deps.store.keepCheckpoint(size, note);
			return { standing: "equal", size };
		},
	};
}
