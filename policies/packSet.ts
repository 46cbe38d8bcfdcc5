// The packs as an index over time: which version of which pack is in force when, checked as a whole.

import type { Facts } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { type CompiledPack, compilePack, isInForce } from "./compile.ts";
import { findRetentionFaults } from "./compose.ts";
import { instantMs } from "./durations.ts";
import type { PackFile } from "./schema.ts";
import { zonedTimeMs } from "./windows.ts";

/** A checked pack file and the SHA-256 of its text, in hex. */
export type LoadedPack = { file: PackFile; sha256: string };

export type PackSet = {
	versions: { id: string; version: string; sha256: string }[];
	/** The packs in force at a time, epoch milliseconds. */
	at: (now: number) => readonly CompiledPack[];
};

/** Packs that apply to the facts, and those that would but for an exclusion. */
export type Applying = { packs: CompiledPack[]; excluded: (CompiledPack["excludes"][number] & { packId: string })[] };

/**
 * Indexes packs by time. Nothing is evaluated.
 * @throws Error naming what clashes: a version given twice, an id used twice, retention that leaves no interval
 */
export function indexPacks(loaded: readonly LoadedPack[]): PackSet {
	const files = loaded.map(({ file }) => file).sort(byVersion);
	refuseDoubles(files);
	const starts = [...new Set(files.flatMap(findDates))].sort((a, b) => a - b);
	const periods = starts.map((start) => ({ start, packs: packsInForce(files, start) })).reverse();
	for (const { start, packs } of periods) {
		const [fault] = packs.length > 0 ? findRetentionFaults(packs) : [];
		if (fault) throw new Error(`policies: retention, from ${new Date(start).toISOString()}: ${fault}`);
	}
	return {
		versions: loaded.map(({ file, sha256 }) => ({ id: file.id, version: file.version, sha256 })),
		at: (now) => periods.find(({ start }) => start <= now)?.packs ?? [],
	};
}

/** Which of the packs in force apply to the facts. */
export function findApplying(packs: PackSet, facts: Facts, now: number): Applying {
	const applying: Applying = { packs: [], excluded: [] };
	for (const pack of packs.at(now)) {
		if (!pack.applies(facts, now)) continue;
		const exclusion = pack.excludes.find(({ holds }) => holds(facts, now));
		if (exclusion) applying.excluded.push({ ...exclusion, packId: pack.ref.id });
		else applying.packs.push(pack);
	}
	return applying;
}

/**
 * The time at which facts are judged: `evaluatedAt`, else the wall time at the recipient. Epoch milliseconds.
 * @throws LetheError invalid_request when they name neither
 */
export function judgedAt({ context, localTime, timezone }: Facts): number {
	const evaluatedAt = instantMs(context?.evaluatedAt);
	if (evaluatedAt !== undefined) return evaluatedAt;
	if (localTime !== undefined && timezone !== undefined) return zonedTimeMs(localTime, timezone);
	const detail = "is missing: give it, or localTime and timezone";
	throw new LetheError("invalid_request", { errors: [{ pointer: "/context/evaluatedAt", detail }] });
}

function packsInForce(files: PackFile[], at: number): CompiledPack[] {
	const newest = new Map(files.filter((file) => isInForce(file, at)).map((file) => [file.id, file]));
	return [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((file) => compilePack(file, at));
}

function findDates(file: PackFile): number[] {
	return [file, ...file.rules].flatMap(({ effectiveFrom, effectiveTo }) =>
		[effectiveFrom, effectiveTo].flatMap((date) => (date === undefined ? [] : [Date.parse(date)])),
	);
}

function refuseDoubles(files: PackFile[]): void {
	refuseDouble(files.map(({ id, version }) => `${id} ${version}`));
	for (const { rules } of files) refuseDouble(rules.map(({ id }) => id));
}

function refuseDouble(names: string[]): void {
	const double = names.find((name, index) => names.indexOf(name) !== index);
	if (double !== undefined) throw new Error(`policies: ${double} is there twice`);
}

// Later in force first wins by coming last; of two from the same day, the higher version.
function byVersion(a: PackFile, b: PackFile): number {
	const dates = Date.parse(a.effectiveFrom) - Date.parse(b.effectiveFrom);
	return dates || a.version.localeCompare(b.version, "en", { numeric: true });
}
