// What two long texts differ in: where both say the same for long, an ellipsis stands.

// Shorter texts are taken in at a glance; longer ones than a table of so many cells can hold are given whole.
const wordsMin = 60;
const cellsMax = 4_000_000;
// Words that stay of a stretch, at either end, so that one sees where it is.
const aroundItems = 4;

/** The two texts without the long stretches of words that both have, in the order in which they have them. */
export function elide(before: string, after: string): [string, string] {
	const [old, now] = [before.split(" "), after.split(" ")];
	const isLong = old.length + now.length >= wordsMin && (old.length + 1) * (now.length + 1) <= cellsMax;
	if (!isLong) return [before, after];
	const shared = findShared(old, now);
	return [shorten(old, shared.old), shorten(now, shared.now)];
}

/** The words of a longest common subsequence, by their places. */
function findShared(old: string[], now: string[]) {
	const width = now.length + 1;
	// At (i, j): how many words the two have in common from there on.
	const common = new Uint16Array((old.length + 1) * width);
	const at = (i: number, j: number) => common[i * width + j] ?? 0;
	for (let i = old.length - 1; i >= 0; i -= 1) {
		for (let j = now.length - 1; j >= 0; j -= 1) {
			common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
		}
	}
	const shared = { old: new Set<number>(), now: new Set<number>() };
	for (let i = 0, j = 0; i < old.length && j < now.length; ) {
		if (old[i] === now[j]) {
			shared.old.add(i++);
			shared.now.add(j++);
		} else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
		else j += 1;
	}
	return shared;
}

function shorten(words: string[], shared: Set<number>): string {
	const kept: string[] = [];
	for (let start = 0; start < words.length; ) {
		let end = start;
		while (end < words.length && shared.has(end)) end += 1;
		const stretch = words.slice(start, end);
		if (stretch.length > 2 * aroundItems + 1) {
			kept.push(...stretch.slice(0, aroundItems), "…", ...stretch.slice(-aroundItems));
		} else kept.push(...stretch);
		if (end < words.length) kept.push(words[end] as string);
		start = end + 1;
	}
	return kept.join(" ");
}
