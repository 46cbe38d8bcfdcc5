// Waiting for work that workers do elsewhere: as long as it moves, and no longer.

import { InvalidArgumentError, Option } from "commander";
import { createProgress } from "../progress.ts";
import { exitCodes, Refusal } from "../run.ts";

/** How far it is, without a `total` when it has not begun; `moved` changes with every step, also where `done` does not. */
export type Progress<Result> = { done: number; total?: number; moved?: string | undefined; result?: Result };

const patienceSecondsMax = 86_400;

/** Option of every command that waits. */
export function patienceOption(): Option {
	return new Option("--patience <seconds>", "give up after so long without any progress")
		.default(120)
		.argParser((text) => {
			const seconds = Number(text);
			if (seconds > 0 && seconds <= patienceSecondsMax) return seconds;
			throw new InvalidArgumentError(`Give a number of seconds, up to ${patienceSecondsMax}.`);
		});
}

/**
 * Asks until there is a result, and draws how far it is. @param stalled what to say when nothing moves any more
 * @throws Refusal, a negative answer, after `patience` seconds without progress
 */
export async function follow<Result>(
	what: string,
	ask: () => Promise<Progress<Result>>,
	{ pollMs, patience, stalled }: { pollMs: number; patience: number; stalled: string },
): Promise<Result> {
	const bar = createProgress(what);
	let seen = "";
	let movedAt = performance.now();
	for (;;) {
		const { done, total, moved = "", result } = await ask();
		if (total !== undefined) bar.show(done, result === undefined ? total : done);
		if (result !== undefined) {
			bar.end();
			return result;
		}
		if (`${done} ${moved}` !== seen) {
			seen = `${done} ${moved}`;
			movedAt = performance.now();
		} else if (performance.now() - movedAt > patience * 1_000) {
			bar.end();
			throw new Refusal(`nothing has moved for ${patience} s. ${stalled}`, exitCodes.no);
		}
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}
