// The packs as an index over time: which version of which pack is in force when, checked as a whole.

import type { Facts } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { type CompiledPack, compilePack, isInForce } from "./compile.ts";
import { findRetentionFaults } from "./compose.ts";
import { formatInstant, instantMs } from "./durations.ts";
import { PackError, type SetFault } from "./faults.ts";
import { compareVersions, nextVersion } from "./published.ts";
import type { PackFile } from "./schema.ts";
import { zonedTimeMs } from "./windows.ts";
import { soleZone } from "./zones.ts";

/** A checked pack file and the SHA-256 of its text, in hex; where it was read from, if it was. */
export type LoadedPack<File extends PackFile = PackFile> = {
	file: File;
	sha256: string;
	source?: { path: string; lineOf: (path: readonly (string | number)[]) => number };
};

export type PackSet = {
	versions: { id: string; version: string; sha256: string }[];
	/** The packs in force at a time, epoch milliseconds. */
	at: (now: number) => readonly CompiledPack[];
};

/** Packs that apply to the facts, and those that would but for an exclusion. */
export type Applying = {
	packs: CompiledPack[];
	inForce: readonly CompiledPack[];
	excluded: (CompiledPack["excludes"][number] & { packId: string })[];
};

/**
 * Indexes packs by time. Nothing is evaluated.
 * @throws PackError naming what clashes: see `findSetFaults`
 */
export function indexPacks(loaded: readonly LoadedPack[]): PackSet {
	const files = loaded.map(({ file }) => file);
	const periods = findPeriods(files);
	const faults = findSetFaults(files, periods);
	if (faults.length > 0) throw new PackError(faults.map((fault) => locate(fault, loaded)));
	periods.reverse();
	return {
		versions: loaded.map(({ file, sha256 }) => ({ id: file.id, version: file.version, sha256 })),
		at: (now) => periods.find(({ start }) => start <= now)?.packs ?? [],
	};
}

/**
 * What is wrong with packs together: a version given twice, two versions in force at the same time, retention that
 * leaves no interval. Of a pack's versions each is in force until the next one is, or until it says itself.
 */
export function findSetFaults(files: readonly PackFile[], periods = findPeriods(files)): SetFault[] {
	const clashes = findVersionFaults(files);
	if (clashes.length > 0) return clashes;
	const faults = new Map<string, SetFault>();
	for (const { start, packs } of periods) {
		if (packs.length === 0) continue;
		for (const fault of findRetentionFaults(packs)) {
			if (faults.has(fault.message)) continue;
			const message = `${fault.message}, from ${formatInstant(start)}`;
			faults.set(fault.message, { ...fault, message });
		}
	}
	return [...faults.values()];
}

/** Which of the packs in force apply to the facts. */
export function findApplying(packs: PackSet, facts: Facts, now: number): Applying {
	return sortOut(packs.at(now), facts, now);
}

/** The same of some of the packs in force. */
export function sortOut(inForce: readonly CompiledPack[], facts: Facts, now: number): Applying {
	const applying: Applying = { packs: [], inForce, excluded: [] };
	for (const pack of inForce) {
		if (!pack.applies(facts, now)) continue;
		const exclusion = pack.excludes.find(({ holds }) => holds(facts, now));
		if (exclusion) applying.excluded.push({ ...exclusion, packId: pack.ref.id });
		else applying.packs.push(pack);
	}
	return applying;
}

/**
 * The time at which facts are judged: `evaluatedAt`, else the wall time at the recipient, whose zone may be the only one of
 * the country or region. Epoch milliseconds.
 * @throws LetheError invalid_request when they name neither
 */
export function judgedAt({ context, localTime, timezone, recipientCountry, recipientRegion }: Facts): number {
	const evaluatedAt = instantMs(context?.evaluatedAt);
	if (evaluatedAt !== undefined) return evaluatedAt;
	const zone = timezone ?? (recipientCountry && soleZone(recipientCountry, recipientRegion));
	if (localTime !== undefined && zone !== undefined) return zonedTimeMs(localTime, zone);
	const detail = "is missing: give it, or localTime and timezone";
	throw new LetheError("invalid_request", { errors: [{ pointer: "/context/evaluatedAt", detail }] });
}

function findPeriods(files: readonly PackFile[]): { start: number; packs: CompiledPack[] }[] {
	const sorted = [...files].sort(byDate);
	const starts = [...new Set(sorted.flatMap(findDates))].sort((a, b) => a - b);
	const compile = createCompile();
	return starts.map((start) => {
		const newest = new Map(sorted.filter((file) => isInForce(file, start)).map((file) => [file.id, file]));
		const packs = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((file) => compile(file, start));
		return { start, packs };
	});
}

// Between two of its own dates a pack stays as it is, whatever other packs' dates come.
function createCompile(): typeof compilePack {
	const compiled = new Map<PackFile, Map<number, CompiledPack>>();
	return (file, at) => {
		const since = Math.max(...findDates(file).filter((date) => date <= at));
		const known = compiled.get(file) ?? new Map<number, CompiledPack>();
		const pack = known.get(since) ?? compilePack(file, at);
		compiled.set(file, known.set(since, pack));
		return pack;
	};
}

/** Every time at which something of a pack begins or ends to hold, epoch milliseconds. */
export function findDates(file: PackFile): number[] {
	return [file, ...file.rules].flatMap(({ effectiveFrom, effectiveTo }) =>
		[effectiveFrom, effectiveTo].flatMap((date) => (date === undefined ? [] : [Date.parse(date)])),
	);
}

function findVersionFaults(files: readonly PackFile[]): SetFault[] {
	const sorted = [...files].sort(byDate);
	return sorted.flatMap((file, index) => {
		const before = sorted.slice(0, index).findLast(({ id }) => id === file.id);
		return before ? findClash(before, file) : [];
	});
}

// `file` is in force from the same day as `before` or later.
function findClash(before: PackFile, file: PackFile): SetFault[] {
	const pack = `${file.id} ${file.version}`;
	const end = before.effectiveTo;
	if (before.version === file.version) {
		const mend = `Raise the version, to ${nextVersion(file.version)} for instance.`;
		return [{ pack, path: ["version"], message: `${pack} is there twice`, mend }];
	}
	if (
		before.effectiveFrom === file.effectiveFrom ||
		(end !== undefined && Date.parse(end) > Date.parse(file.effectiveFrom))
	) {
		const message = `effectiveFrom: ${pack} overlaps ${before.version}, in force from ${before.effectiveFrom}${end === undefined ? "" : ` to ${end}`}`;
		const mend = `Let it begin ${end === undefined ? "after that version does" : "when that version ends, or later"}.`;
		return [{ pack, path: ["effectiveFrom"], message, mend }];
	}
	if (byVersion(before, file) < 0) return [];
	const message = `version: ${pack} comes into force after ${before.version}`;
	// Which of the two is the draft is not known here; what is published stays.
	const mend = `Raise it, to ${nextVersion(before.version)} for instance; if it is published, let ${before.version} begin after ${file.effectiveFrom}.`;
	return [{ pack, path: ["version"], message, mend }];
}

function locate(fault: SetFault, loaded: readonly LoadedPack[]) {
	const owner = loaded.find(({ file }) => `${file.id} ${file.version}` === fault.pack)?.source;
	const { message, mend } = fault;
	return { file: owner?.path ?? fault.pack ?? "policies", line: owner?.lineOf(fault.path) ?? 1, message, mend };
}

function byDate(a: PackFile, b: PackFile): number {
	return Date.parse(a.effectiveFrom) - Date.parse(b.effectiveFrom) || byVersion(a, b);
}

function byVersion(a: PackFile, b: PackFile): number {
	return compareVersions(a.version, b.version);
}
