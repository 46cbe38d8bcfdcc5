// Names that were seen, in a log of any length: a Set ends at 2^24 of them, and keeps each on the heap.

import { hash } from "node:crypto";

const wordsEach = 4;
const slotsAtFirst = 1_024;

/**
 * Sixteen bytes a name, outside the heap: of 128 bits two names are the same by chance in no log that anybody will write.
 * At most three quarters of the slots are taken, so that each is found in a few steps.
 */
export function createSeenNames() {
	let words = new Uint32Array(slotsAtFirst * wordsEach);
	let count = 0;

	function grow(): void {
		const before = words;
		words = new Uint32Array(before.length * 2);
		for (let at = 0; at < before.length; at += wordsEach) if (before[at] !== 0) put(words, before, at);
	}

	return {
		/** False where it was seen before. */
		add(name: string): boolean {
			const short = new Uint32Array(wordsEach);
			const digest = hash("sha256", name, "buffer");
			for (let at = 0; at < wordsEach; at++) short[at] = digest.readUInt32LE(at * 4);
			// Zero is a slot that is free.
			short[0] = (short[0] as number) | 1;
			if (!put(words, short, 0)) return false;
			count++;
			if (count * 4 * wordsEach > words.length * 3) grow();
			return true;
		},
	};
}

/** Puts the name that stands at `from` into its slot; false where it is there. */
function put(words: Uint32Array, source: Uint32Array, from: number): boolean {
	const slots = words.length / wordsEach;
	let slot = (source[from + 1] as number) % slots;
	for (;;) {
		const at = slot * wordsEach;
		if (words[at] === 0) {
			for (let word = 0; word < wordsEach; word++) words[at + word] = source[from + word] as number;
			return true;
		}
		let same = 0;
		while (same < wordsEach && words[at + same] === source[from + same]) same++;
		if (same === wordsEach) return false;
		slot = (slot + 1) % slots;
	}
}
