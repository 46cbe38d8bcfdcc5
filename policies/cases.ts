// Runs the cases that packs carry: the rules that a pack's authors can check without reading code.

import type { Decision } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { compilePack } from "./compile.ts";
import { durationMs } from "./durations.ts";
import { evaluate } from "./evaluate.ts";
import { parseFacts } from "./facts.ts";
import type { PackFault } from "./faults.ts";
import type { PackSet } from "./packSet.ts";
import type { PackFile, WholePack } from "./schema.ts";

type Expectation = WholePack["cases"][number]["expect"];
export type CaseResult = { pack: string; name: string; mismatches: string[] };

/**
 * Every case of the packs, judged by all packs together as they are in force at the case's time; of its own pack the
 * version that carries it, since that is what the case is about, whenever it plays.
 */
export function runCases(files: readonly WholePack[], packs: PackSet): CaseResult[] {
	return files.flatMap((file) => {
		const own = withVersion(packs, file);
		return file.cases.map(({ name, facts, expect }) => ({
			pack: `${file.id} ${file.version}`,
			name,
			mismatches: judge(own, facts, expect),
		}));
	});
}

function withVersion(packs: PackSet, file: PackFile): PackSet {
	const at = (now: number) =>
		[...packs.at(now).filter(({ ref }) => ref.id !== file.id), compilePack(file, now)].sort((a, b) =>
			a.ref.id < b.ref.id ? -1 : 1,
		);
	return { versions: packs.versions, at };
}

/** A failed case as a fault of its pack. */
export function caseFault({ name, mismatches }: Pick<CaseResult, "name" | "mismatches">, line: number): PackFault {
	const message = `case "${name}" fails: ${mismatches.join("; ")}`;
	return { line, message, mend: "Correct the rule, or what the case expects." };
}

function judge(packs: PackSet, facts: unknown, expect: Expectation): string[] {
	try {
		return findMismatches(evaluate(packs, parseFacts(facts)), expect);
	} catch (error) {
		// Beside versions of another time a pack may leave no interval.
		if (!(error instanceof LetheError)) return [(error as Error).message];
		return error.errors.map(({ pointer, detail }) => `facts${pointer.replaceAll("/", ".")} ${detail}`);
	}
}

/** What of the expectation a decision does not meet, one line each. */
function findMismatches(decision: Decision, expect: Expectation): string[] {
	const { allowed, reasons = [], absentReasons = [], citations = [], ...bounds } = expect;
	return [
		...(decision.allowed === allowed ? [] : [`allowed is ${decision.allowed}: ${decision.reasons.join(", ")}`]),
		...reasons.filter((code) => !decision.reasons.includes(code)).map((code) => `no reason ${code}`),
		...absentReasons.filter((code) => decision.reasons.includes(code)).map((code) => `reason ${code}`),
		...citations.filter((citation) => !decision.citations.includes(citation)).map((text) => `no citation ${text}`),
		...Object.entries(bounds).flatMap(([name, wanted]) => {
			const found = decision[name as keyof typeof bounds];
			return meets(name as keyof typeof bounds, found, wanted)
				? []
				: [`${name} is ${found ?? "absent"}, not ${wanted ?? "absent"}`];
		}),
	];
}

const compare = {
	same: (found: unknown, wanted: unknown) => found === wanted,
	longest: (found: unknown, wanted: unknown) => durationMs(String(found)) <= durationMs(String(wanted)),
	shortest: (found: unknown, wanted: unknown) => durationMs(String(found)) >= durationMs(String(wanted)),
	latest: (found: unknown, wanted: unknown) => Date.parse(String(found)) <= Date.parse(String(wanted)),
	earliest: (found: unknown, wanted: unknown) => Date.parse(String(found)) >= Date.parse(String(wanted)),
	most: (found: unknown, wanted: unknown) => Number(found) <= Number(wanted),
};

type Bound = Exclude<keyof Expectation, "allowed" | "reasons" | "absentReasons" | "citations">;

// What is stricter than expected passes.
const meanings: Record<Bound, keyof typeof compare> = {
	deliveryMode: "same",
	deferUntilLocal: "same",
	deferUntilUtc: "same",
	contentRetentionMax: "longest",
	recordRetentionMin: "shortest",
	recordRetentionMax: "longest",
	purgeContentWithin: "longest",
	confirmationWithin: "longest",
	maxConfirmations: "most",
	ackBy: "latest",
	respondBy: "latest",
	honorBy: "latest",
	backupPurgeBy: "latest",
	notBefore: "earliest",
	certificateNotBefore: "earliest",
};

function meets(name: Bound, found: unknown, wanted: unknown): boolean {
	if (wanted === undefined) return true;
	if (wanted === null || found === undefined) return (found ?? null) === wanted;
	return compare[meanings[name]](found, wanted);
}
