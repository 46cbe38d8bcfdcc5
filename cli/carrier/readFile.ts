// How every carrier command reads its file; what is refused of it repeats none of it.

import { readFile } from "node:fs/promises";
import { Refusal } from "../run.ts";

/** @throws Refusal for a file that can't be read, or is no JSON in UTF-8 */
export async function readJsonFile(file: string): Promise<unknown> {
	const bytes = await readFile(file).catch(() => {
		throw new Refusal(`${file} can't be read: check its path and your rights.`);
	});
	let text: string;
	try {
		// A byte that is not of its encoding would be another character, and another verdict or count.
		text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new Refusal(`${file} is not UTF-8, or larger than a text can be: save it as that, or in parts.`);
	}
	try {
		return JSON.parse(text);
	} catch {
		throw new Refusal(`${file} is not JSON: correct it.`);
	}
}

/** An array of texts. @throws Refusal */
export async function readTexts(file: string): Promise<string[]> {
	const value = await readJsonFile(file);
	const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
	if (!isTexts) throw new Refusal(`${file} must hold an array of texts.`);
	return value;
}
