// How every carrier command reads its file and ends: its exit code, and one line on standard error that names the mend.

import { readFile } from "node:fs/promises";

export const exitCodes = { yes: 0, no: 1, misuse: 2 } as const;

/** Input that can't be used; one line that names the mend and repeats none of the input. */
export class Unusable extends Error {}

/** Runs a command and sets the exit code that it answers. @param name as it was called */
export async function run(name: string, act: () => Promise<number>): Promise<void> {
	try {
		process.exitCode = await act();
	} catch (error) {
		if (!(error instanceof Unusable)) throw error;
		console.error(`lethe carrier ${name}: ${error.message}`);
		process.exitCode = exitCodes.misuse;
	}
}

/** @throws Unusable for a file that can't be read, or is no JSON in UTF-8 */
export async function readJsonFile(file: string): Promise<unknown> {
	const bytes = await readFile(file).catch(() => {
		throw new Unusable(`${file} can't be read: check its path and your rights.`);
	});
	let text: string;
	try {
		// A byte that is not of its encoding would be another character, and another verdict or count.
		text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new Unusable(`${file} is not UTF-8, or larger than a text can be: save it as that, or in parts.`);
	}
	try {
		return JSON.parse(text);
	} catch {
		throw new Unusable(`${file} is not JSON: correct it.`);
	}
}

/** An array of texts. @throws Unusable */
export async function readTexts(file: string): Promise<string[]> {
	const value = await readJsonFile(file);
	const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
	if (!isTexts) throw new Unusable(`${file} must hold an array of texts.`);
	return value;
}
