// Questions on the terminal, with or without showing what is typed; from a pipe, a line an answer.

import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

/** Asks one question after the other. @throws Error with the mend when the input ends before its answer */
export function createAsk() {
	let shown = true;
	const isTerminal = process.stdin.isTTY === true;
	const output = new Writable({
		write(chunk, _encoding, done) {
			if (shown) process.stderr.write(chunk);
			done();
		},
	});
	const lines: Interface = createInterface({ input: process.stdin, output, terminal: isTerminal });
	const answers = lines[Symbol.asyncIterator]();
	// A pipe's last line may come with its end: its answer is there all the same.
	let isClosed = false;
	lines.once("close", () => {
		isClosed = true;
	});

	return {
		/** @param secret whether nothing of the answer is shown */
		async ask(question: string, { secret = false } = {}): Promise<string> {
			process.stderr.write(question);
			shown = !secret;
			if (!isClosed) lines.resume();
			const { value, done } = await answers.next();
			shown = true;
			if (secret && isTerminal) process.stderr.write("\n");
			if (done) throw new Error(`no answer to "${question.trim()}". Give one line for each question.`);
			// What is not asked for keeps no process waiting for its input's end.
			if (!isClosed) lines.pause();
			return value;
		},
		close: () => lines.close(),
	};
}

// One reader for all questions of a process: another would not have the lines that the first has read ahead of a pipe.
let piped: ReturnType<typeof createAsk> | undefined;

/**
 * What an option gives; `-` has it asked for on the terminal, or read from standard input, a line each in the order asked:
 * no shell remembers it, and no list of processes shows it.
 */
export async function readGiven(given: string, question: string, form?: { secret: boolean }): Promise<string> {
	if (given !== "-") return given;
	if (process.stdin.isTTY !== true) {
		piped ??= createAsk();
		return (await piped.ask(question, form)).trim();
	}
	const ask = createAsk();
	try {
		return (await ask.ask(question, form)).trim();
	} finally {
		ask.close();
	}
}

/**
 * Has somebody say that they mean what can't be taken back, by the name of what it is done to.
 * @throws Error with the mend when it was not said, or there is no terminal to ask on
 */
export async function confirm(what: string, name: string): Promise<void> {
	if (process.stdin.isTTY !== true) throw new Error(`${what} Give --yes where that is meant.`);
	const said = await readGiven("-", `${what} Type ${name} where that is meant: `);
	if (said !== name) throw new Error("nothing was done: it was not confirmed.");
}
