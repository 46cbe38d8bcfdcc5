// What two long texts differ in: where both say the same for long, an ellipsis stands.

import { diffArrays } from "diff";

// Shorter texts are taken in at a glance; those that differ in more are given whole.
const wordsMin = 60;
const editsMax = 2_000;
// Words that stay of a stretch, at either end, so that one sees where it is.
const aroundItems = 4;

/** The two texts without the long stretches of words that both have, in the order in which they have them. */
export function elide(before: string, after: string): [string, string] {
	const [old, now] = [before.split(" "), after.split(" ")];
	const isLong = old.length + now.length >= wordsMin;
	const stretches = isLong ? diffArrays(old, now, { maxEditLength: editsMax }) : undefined;
	if (!stretches) return [before, after];
	const tell = (others: "added" | "removed") =>
		stretches
			.filter((stretch) => !stretch[others])
			.flatMap(({ value, added, removed }) => (added || removed ? value : shorten(value)))
			.join(" ");
	return [tell("added"), tell("removed")];
}

function shorten(words: string[]): string[] {
	if (words.length <= 2 * aroundItems + 1) return words;
	return [...words.slice(0, aroundItems), "…", ...words.slice(-aroundItems)];
}
