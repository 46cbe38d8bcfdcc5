// Words of a vocabulary that has no fixed list, told apart by their letters and digits only.

/** Lower case, everything else than letters and digits as one underscore: `9(2)(h)` and `9_2_H` are the same word. */
export function toWord(text: string): string {
	return text
		.toLowerCase()
		.replace(/[^\p{L}\p{N}]+/gu, "_")
		.replace(/^_+|_+$/g, "");
}

/** A word in camel case with its parts set apart, `legitimateInterests` as `legitimate_Interests`; any other as it is. */
export function setApart(text: string): string {
	return text.replace(/([a-z])([A-Z])/g, "$1_$2");
}

/** As `toWord`, and of parts that were set apart also as they were before: lists have `voicemail` and `voice_call`. */
export function spellings(text: string): string[] {
	const joined = text.replace(/([a-z])_([A-Z])/g, "$1$2");
	return joined === text ? [toWord(text)] : [toWord(text), toWord(joined)];
}

/** Whether a text has one of the phrases in it, as whole words. @param phrases as `toWord` gives them */
export function mentions(text: string, phrases: readonly string[]): boolean {
	const texts = spellings(text).map((spelling) => `_${spelling}_`);
	return phrases.some((phrase) => texts.some((words) => words.includes(`_${phrase}_`)));
}

// What hipaa.marketing-authorization takes for none, in any proof.
const absences = new Set([
	...["", "none", "no", "false", "missing", "absent", "n_a", "not_given", "not_obtained", "not_signed", "unsigned"],
	...["pending", "refused", "denied", "declined", "revoked", "withdrawn", "expired"],
]);

/** Whether what stands for a proof says that there is none, or none any more. */
export function saysNone(text: string): boolean {
	return absences.has(toWord(setApart(text)));
}
