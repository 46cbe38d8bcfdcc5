// One pack judged before it may be used: its text, how it fits the others, and its own cases.

import { countryOf } from "../domain/country.ts";
import { isWord } from "../domain/evidence.ts";
import { caseFault, runCases } from "./cases.ts";
import { knownFacts } from "./conditionSchema.ts";
import type { PackFault } from "./faults.ts";
import { findSetFaults, indexPacks, type LoadedPack } from "./packSet.ts";
import { linesIn, readPackText } from "./packText.ts";
import type { PackFile } from "./schema.ts";
import { isPlace } from "./zones.ts";

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
		...findPlaceFaults(file, lineOf),
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

// Facts say a place by its own code: a rule that names another would meet nothing. What is published stays readable.
function findPlaceFaults(
	{ destinations, applies, excludes, rules }: PackFile,
	lineOf: (path: (string | number)[]) => number,
): PackFault[] {
	return placesIn({ destinations, applies, excludes, rules }, []).flatMap(({ name, path }) => {
		const [code = ""] = name.split("-", 1);
		if (code === "EEA" || isPlace(name)) return [];
		const own = countryOf(code);
		const mend = own === undefined || own === code ? "Correct it." : `Write ${own}${name.slice(code.length)}.`;
		const what = own === code ? "not a region that the country has" : "not a country's code of ISO 3166-1";
		return [{ line: lineOf(path), message: `${path.join(".")}: ${name} is ${what}`, mend }];
	});
}

type Place = { name: string; path: (string | number)[] };
const placeFields = new Set(["destinations", "regions", "closedOn", "calendar"]);

/** What is asked for of facts that are places, and the other fields that name places. */
function placesIn(part: unknown, path: Place["path"], isPlace = false): Place[] {
	if (typeof part === "string") return isPlace ? [{ name: part, path }] : [];
	if (typeof part !== "object" || part === null) return [];
	return Object.entries(part).flatMap(([key, inner]) => {
		const isOne = knownFacts.get(key)?.kind === "place" || placeFields.has(key);
		return placesIn(inner, [...path, Array.isArray(part) ? Number(key) : key], isPlace || isOne);
	});
}
