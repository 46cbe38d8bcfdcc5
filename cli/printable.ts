// What somebody else wrote, as a terminal may show it.

/** On a terminal no control character is left but tab and line feed: it moves no cursor and hides no line. */
export function printable(text: string, { isTTY }: { isTTY?: boolean } = process.stdout): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
	return isTTY ? text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd") : text;
}
