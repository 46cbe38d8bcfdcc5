// One pack judged before it may be used: its text, how it fits the others, and its own cases.

import { isWord } from "../domain/evidence.ts";
import { caseFault, runCases } from "./cases.ts";
import type { PackFault } from "./faults.ts";
import { findSetFaults, indexPacks, type LoadedPack } from "./packSet.ts";
import { linesIn, readPackText } from "./packText.ts";
import type { PackFile } from "./schema.ts";

/** A case of the pack; `mismatches` says what its decision did not meet, one line each. */
export type CheckedCase = { id: string; line: number; passed: boolean; mismatches: string[] };

export type PackCheck = {
	/** Absent when the text can't be read whole. */
	pack?: PackFile;
	/** None when the pack may be published. In the order of the lines. */
	errors: PackFault[];
	cases: CheckedCase[];
};

/**
 * Checks a pack's text together with the packs that are already there. Reads nothing and throws nothing.
 * @param name what the text's file is called, `<pack>/<version>.yaml` at its end; left out, any will do
 * @param others every other pack and every other version of this one
 */
export function checkPack(text: string, name: string | undefined, others: readonly LoadedPack[]): PackCheck {
	const { file, faults, lineOf } = readPackText(text);
	if (!file) return { errors: faults, cases: [] };
	const errors = [
		...findNameFault(file, name, lineOf),
		...findCodeFault(file, lineOf),
		...findHourFaults(file, lineOf),
		...findSetFaults([...others.map((other) => other.file), file]).map(({ pack, path, message, mend }) => {
			const own = pack === `${file.id} ${file.version}`;
			return { line: own ? lineOf(path) : 1, message, mend };
		}),
	];
	if (errors.length > 0) return { pack: file, errors, cases: [] };
	const packs = indexPacks([...others, { file, sha256: "" }]);
	const lineIn = linesIn(text);
	const cases = runCases([file], packs).map(({ name: id, mismatches }, index) => {
		return { id, line: lineIn(["cases", index, "name"]), passed: mismatches.length === 0, mismatches };
	});
	const failed = cases.filter(({ passed }) => !passed);
	return {
		pack: file,
		errors: failed.map(({ id, line, mismatches }) => caseFault({ name: id, mismatches }, line)),
		cases,
	};
}

/** A file that does not say by its name which pack and version it holds. */
export function findNameFault(
	{ id, version }: PackFile,
	name: string | undefined,
	lineOf: (path: string[]) => number,
): PackFault[] {
	const right = `${id}/${version}.yaml`;
	if (name === undefined || name === right || name.replaceAll("\\", "/").endsWith(`/${right}`)) return [];
	return [{ line: lineOf(["id"]), message: `the file holds ${id} ${version}`, mend: `Name it ${right}.` }];
}

// The evidence log names a version by a code, and one that follows another by both. What is published stays readable.
function findCodeFault({ id, version }: PackFile, lineOf: (path: string[]) => number): PackFault[] {
	if (isWord(`${id}@${version}:to:${version}`)) return [];
	const message = `${id}@${version} is no code of the evidence log: too long, or seven digits in a row`;
	return [{ line: lineOf(["version"]), message, mend: "Take a shorter version, such as 26.11.24, or a shorter id." }];
}

// These clocks name a day: what they had beyond whole days would be left out. What is published stays readable.
function findHourFaults({ rules }: PackFile, lineOf: (path: (string | number)[]) => number): PackFault[] {
	return rules.flatMap(({ right, optOut, erase }, index) => {
		const { ackWithin, respondWithin, extendBy } = right ?? {};
		const clocks = {
			right: { ackWithin, respondWithin, extendBy },
			optOut: { honorWithin: optOut?.honorWithin },
			erase: { backupsWithin: erase?.backupsWithin },
		};
		return Object.entries(clocks).flatMap(([effect, given]) =>
			Object.entries(given)
				.filter(([, within]) => typeof within === "string" && /t/i.test(within))
				.map(([name, within]) => ({
					line: lineOf(["rules", index, effect, name]),
					message: `rules.${index}.${effect}.${name}: ${within} has hours or minutes, and it counts days`,
					mend: "Write whole days, such as P2D.",
				})),
		);
	});
}
