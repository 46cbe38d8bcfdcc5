// What is wrong with a pack: where, what, and how to mend it.

/** A fault in a pack's text. `line` counts from 1. */
export type PackFault = { line: number; message: string; mend: string };

/** A fault in a set of packs, at a place in one of them if it has one. */
export type SetFault = { pack?: string; path: (string | number)[]; message: string; mend: string };

/** Packs that can't be used. The message is one line: the first fault with its file, line and mend. */
export class PackError extends Error {
	readonly faults: readonly (PackFault & { file: string })[];

	constructor(faults: readonly (PackFault & { file: string })[]) {
		const [first] = faults;
		const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
		super(`${first?.file}:${first?.line}: ${first?.message}. ${first?.mend}${more}`.replace(/\s*\n\s*/g, " "));
		this.name = "PackError";
		this.faults = faults;
	}
}

/** The one of `names` that `name` is most likely meant to be, undefined when none is near. */
export function nearest(name: string, names: readonly string[]): string | undefined {
	const far = name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3));
	const ranked = names
		.map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
		.sort((a, b) => a.distance - b.distance);
	return ranked[0] && ranked[0].distance <= far ? ranked[0].candidate : undefined;
}

/** How many letters have to be added, left out or changed (Levenshtein). */
function editDistance(one: string, other: string): number {
	let row = Array.from({ length: other.length + 1 }, (_, index) => index);
	for (let i = 1; i <= one.length; i += 1) {
		const next = [i];
		for (let j = 1; j <= other.length; j += 1) {
			const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
			next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		row = next;
	}
	return row[other.length] ?? 0;
}
