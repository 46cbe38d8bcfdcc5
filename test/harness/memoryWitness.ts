// A witness of the evidence log in memory.

import type { Witness } from "../../adapters/witness.ts";
import { isOfOneLog } from "../../domain/evidence.ts";

export function createMemoryWitness() {
	const kept: { note?: string; before: string[] } = { before: [] };
	const witness: Witness = {
		name: "memory",
		read: async () => kept.note,
		before: async () => kept.before,
		write: async (note) => {
			if (kept.note !== undefined && !isOfOneLog(kept.note, note)) kept.before.push(kept.note);
			kept.note = note;
			return true;
		},
	};
	return { ...witness, kept };
}
