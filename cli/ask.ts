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

	return {
		/** @param secret whether nothing of the answer is shown */
		async ask(question: string, { secret = false } = {}): Promise<string> {
			process.stderr.write(question);
			shown = !secret;
			const { value, done } = await answers.next();
			shown = true;
			if (secret && isTerminal) process.stderr.write("\n");
			if (done) throw new Error(`no answer to "${question.trim()}". Give one line for each question.`);
			return value;
		},
		close: () => lines.close(),
	};
}
