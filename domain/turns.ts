// Turns at what takes much of a machine: a few at a time, in order, and only so many who wait.

import { LetheError } from "./errors.ts";

/** Runs what it is given, `runningMax` at a time, in order. @throws LetheError rate_limited when more than `waitingMax` wait */
export function createTurns(runningMax: number, waitingMax: number) {
	const waiting: (() => void)[] = [];
	let running = 0;
	return async function inTurn<T>(run: () => Promise<T>): Promise<T> {
		if (running >= runningMax) {
			if (waiting.length >= waitingMax) throw new LetheError("rate_limited");
			await new Promise<void>((resolve) => void waiting.push(resolve));
		} else running++;
		try {
			return await run();
		} finally {
			// The turn is handed over, so that nobody who comes by takes it first.
			const next = waiting.shift();
			if (next) next();
			else running--;
		}
	};
}
