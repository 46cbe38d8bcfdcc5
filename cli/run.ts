// How every command that asks a deployment ends: its exit code, and one line on standard error that names the mend.

import { readFile } from "node:fs/promises";
import { LetheError } from "../domain/errors.ts";

export const exitCodes = { yes: 0, no: 1, misuse: 2 } as const;

/** Input that can't be used, or an answer that is no: one line that names the mend. */
export class Refusal extends Error {
	readonly exitCode: number;
	/** Of the API's answer; undefined where there was none. */
	readonly status: number | undefined;

	constructor(message: string, exitCode: number = exitCodes.misuse, status?: number) {
		super(message.replace(/\s*\n\s*/g, " "));
		this.exitCode = exitCode;
		this.status = status;
	}
}

/** Runs a command and sets the exit code that it answers. @param name as it was called, below `lethe` */
export async function run(name: string, act: () => number | Promise<number>): Promise<void> {
	try {
		process.exitCode = await act();
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
		console.error(`lethe ${name}: ${error.message}`);
		process.exitCode = error.exitCode;
	}
}

/** A file's text. @throws Refusal */
export async function readText(file: string): Promise<string> {
	try {
		return await readFile(file, "utf8");
	} catch {
		throw new Refusal(`${file} can't be read: check its path and your rights.`);
	}
}

/** The first field that is wrong, and not its value, which may be a message's text. */
export function explainError(error: unknown): string {
	if (!(error instanceof LetheError)) throw error;
	const [first] = error.errors;
	const path = (first?.pointer ?? "/").slice(1).replaceAll("/", ".") || "the document";
	const detail = first?.detail ?? "is not valid";
	return detail.endsWith("?") ? `${path} ${detail}` : `${path} ${detail}. Correct that field.`;
}
