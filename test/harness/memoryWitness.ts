// A witness of the evidence log in memory.

import type { Witness } from "../../adapters/witness.ts";

export function createMemoryWitness() {
	const kept: { note?: string } = {};
	const witness: Witness = {
		name: "memory",
		read: async () => kept.note,
		write: async (note) => {
			kept.note = note;
			return true;
		},
	};
	return { ...witness, kept };
}
