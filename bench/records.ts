// Figures that were recorded, and whether today's are as good.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Judgement, judged } from "./judged.ts";

/** What a suite printed, with what it was measured on. `commit`: of the code, where the record tells. */
export type Figures = { suite?: string; store?: string | null; commit?: string | null } & Record<string, unknown>;

/** Of what was recorded, the share that a noisy machine may take away before it counts as a regression. */
const tolerance = 0.85;
/** Of the processors, the share that may have been busy in the minute before a run that is kept. */
const busyShareMax = 0.5;
const folder = fileURLToPath(new URL("../docs/benchmarks", import.meta.url));
const fileOf = (suite: string) => join(folder, `${suite}.json`);

/** Keeps a run as what later ones are compared with. */
export function record(figures: Figures): void {
	mkdirSync(folder, { recursive: true });
	writeFileSync(fileOf(figures.suite ?? "unnamed"), `${JSON.stringify(figures, null, "\t")}\n`);
}

/** The last recorded run of a suite. */
export function recorded(suite: string): Figures | undefined {
	const file = fileOf(suite);
	return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Figures) : undefined;
}

/**
 * Whether others use a machine: what is measured on it then is not worth keeping.
 * @param machine.loadBefore processes that ran or waited for a processor, over the last minute
 */
export function isBusy({ loadBefore, cores }: { loadBefore: number; cores: number }): boolean {
	return loadBefore > cores * busyShareMax;
}

/**
 * One line for each promise that this run did not keep, and for each figure that is worse than it was; or why nothing can
 * be compared, as runs on different stores can't.
 */
export function findRegressions(now: Figures, then: Figures | undefined): string[] {
	const { more = {}, less = {}, broken = [] } = judge(now);
	if (Object.keys({ ...more, ...less }).length === 0) return broken;
	if (!then) return [...broken, `nothing is recorded of ${now.suite}: record a run with --record first`];
	if (now.store !== then.store) {
		return [...broken, `recorded on ${then.store}, run on ${now.store}: not comparable`];
	}
	const before = judge(then);
	return [
		...broken,
		...compare(more, before.more, (figure, known) => figure / known),
		...compare(less, before.less, (figure, known) => known / figure),
	];
}

function judge(figures: Figures): Judgement {
	const judgeOf = judged[figures.suite as keyof typeof judged] as ((of: unknown) => Judgement) | undefined;
	if (!judgeOf) throw new Error(`nothing says what a run of ${figures.suite} is judged by`);
	return judgeOf(figures);
}

/**
 * What only one of the runs has is not compared: a peer that was absent, memory where the system does not tell it. What is
 * no number was not measured, and is as good as nothing.
 */
function compare(
	now: Record<string, number>,
	then: Record<string, number> = {},
	shareOf: (figure: number, known: number) => number,
): string[] {
	return Object.entries(now).flatMap(([name, figure]) => {
		const known = then[name];
		// A record has null for what was no number.
		if (typeof known !== "number") return [];
		const isAsGood = figure === known || (Number.isFinite(figure) && shareOf(figure, known) >= tolerance);
		return !isAsGood ? [`${name} is ${figure.toFixed(3)}, was ${known.toFixed(3)}`] : [];
	});
}
