// Publishes checkpoints, and has witnesses outside the database keep them: without those a log that was cut short could not be told from a whole one.

import type { EvidenceStore } from "../adapters/mongo/evidence.ts";
import type { Witness } from "../adapters/witness.ts";
import type { Standing } from "../domain/evidence.ts";
import { type Checkpoint, openCheckpoint, type SignCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { unpackFrontier } from "./evidence.ts";
import { rootOf } from "./merkle.ts";
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

	async function compare(seen: Checkpoint | undefined, size: number): Promise<Standing> {
		if (seen === undefined) return "forked";
		if (seen.size > size) return "behind";
		if (!(await tree.rootAt(seen.size)).equals(seen.root)) return "forked";
		return seen.size === size ? "equal" : "ahead";
	}

	async function judge(): Promise<{ standing: Standing; size: number; witnessed?: number; notes: string[] }> {
		const size = (await deps.store.head())?.end ?? 0;
		const notes = (await Promise.all(deps.witnesses.map(({ read }) => read()))).filter((note) => note !== undefined);
		if (notes.length === 0) {
			const published = await deps.store.checkpoint();
			const first = size === 0 ? "equal" : "ahead";
			return { standing: published === undefined ? first : "unwitnessed", size, notes };
		}
		const keys = await deps.keys();
		const seen = notes.map((note) => openCheckpoint(note, keys, deps.origin));
		const standings = await Promise.all(seen.map((checkpoint) => compare(checkpoint, size)));
		const worst = (["forked", "behind", "ahead", "equal"] as const).find((one) => standings.includes(one));
		const sizes = seen.flatMap((checkpoint) => checkpoint?.size ?? []);
		return { standing: worst ?? "forked", size, ...(sizes.length > 0 ? { witnessed: Math.max(...sizes) } : {}), notes };
	}

	return {
		/** Compares the log's length, and the root at what each witness saw, with what it saw. @throws LetheError */
		async standing(): Promise<{ standing: Standing; size: number; witnessed?: number }> {
			const { notes: _, ...told } = await judge();
			return told;
		},

		/**
		 * Signs a checkpoint over the log as it stands and hands it to each witness, unless the last one says the same, or
		 * the log is not the one that they saw: then nothing is signed, and the answer says so.
		 * @throws LetheError when store, witness or key server are away
		 */
		async publish(): Promise<{ standing: Standing; size: number }> {
			const { standing: now, size, notes } = await judge();
			// Whoever published it may have died before the log itself kept it.
			if (now === "equal" && notes[0] !== undefined) await deps.store.keepCheckpoint(size, notes[0]);
			if (now !== "ahead") return { standing: now, size };
			const head = await deps.store.head();
			if (head === undefined) return { standing: "behind", size: 0 };
			const root = rootOf(unpackFrontier(head.end, head.frontier));
			// What a checkpoint promises is proven from tiles: they are kept before it is signed.
			await tree.nodesOf(head.end);
			const note = await signCheckpoint({ origin: deps.origin, size: head.end, root }, deps.sign);
			for (const witness of deps.witnesses) await witness.write(note);
			await deps.store.keepCheckpoint(head.end, note);
			return { standing: "equal", size: head.end };
		},
	};
}
