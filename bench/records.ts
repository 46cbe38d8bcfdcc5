// Figures that were recorded, and whether today's are as good: ratios only, for machines differ.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a suite printed. */
export type Figures = { suite?: string; store?: string | null } & Record<string, unknown>;

/** Of what was recorded, the share that a noisy machine may take away before it counts as a regression. */
const tolerance = 0.85;
const ratioNames = /^(ratio|ratios|latencyRatio|sharedRatio)$/;
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
 * One line for each ratio that is worse than it was. Runs on different stores are not compared.
 * @throws Error when there is nothing to compare with
 */
export function findRegressions(now: Figures, then: Figures | undefined): string[] {
	if (!then) throw new Error(`nothing is recorded of ${now.suite}: record a run with --record first`);
	if (now.store !== then.store) throw new Error(`recorded on ${then.store}, run on ${now.store}: not comparable`);
	const before = ratiosOf(then);
	return Object.entries(ratiosOf(now)).flatMap(([name, ratio]) => {
		const known = before[name];
		if (known === undefined) return [];
		// A latency is the better the less it is.
		const share = name.startsWith("latency") ? known / ratio : ratio / known;
		return share < tolerance ? [`${name} is ${ratio.toFixed(3)}, was ${known.toFixed(3)}`] : [];
	});
}

/** Path → number, of all that is a ratio; of spreads the median. */
function ratiosOf(figures: Figures): Record<string, number> {
	const found: Record<string, number> = {};
	const walk = (value: unknown, path: string) => {
		if (typeof value === "number") found[path] = value;
		else if (isObject(value) && typeof value.median === "number") found[path] = value.median;
		else if (isObject(value)) for (const [name, inner] of Object.entries(value)) walk(inner, `${path}.${name}`);
	};
	for (const [name, value] of Object.entries(figures)) if (ratioNames.test(name)) walk(value, name);
	return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}
