// Words of a vocabulary that has no fixed list, told apart by their letters and digits only.

/** Lower case, everything else than letters and digits as one underscore: `9(2)(h)` and `9_2_H` are the same word. */
export function toWord(text: string): string {
	return text
		.toLowerCase()
		.replace(/[^\p{L}\p{N}]+/gu, "_")
		.replace(/^_+|_+$/g, "");
}

/** Whether a text has one of the phrases in it, as whole words. @param phrases as `toWord` gives them */
export function mentions(text: string, phrases: readonly string[]): boolean {
	const words = `_${toWord(text)}_`;
	return phrases.some((phrase) => words.includes(`_${phrase}_`));
}
