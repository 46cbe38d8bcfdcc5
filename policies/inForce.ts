// Which packs count, taken out of time: those of a decision that was made, those in force now, those that a change would bring.

import type { PackRef } from "../domain/proposal.ts";
import { type CompiledPack, compilePack } from "./compile.ts";
import { findDates, type PackSet } from "./packSet.ts";
import type { PackFile } from "./schema.ts";

/** Exactly these packs, whenever they are asked; of each, the rules in force at the time asked. */
export function freezePacks(files: readonly PackFile[]): PackSet {
	const sorted = [...files].sort((a, b) => (a.id < b.id ? -1 : 1));
	const starts = [...new Set(sorted.flatMap(findDates))].sort((a, b) => a - b);
	const periods = new Map<number | undefined, readonly CompiledPack[]>();
	return {
		versions: [],
		at(now) {
			// Between two dates nothing begins or ends to hold.
			const start = starts.findLast((date) => date <= now);
			const packs = periods.get(start) ?? sorted.map((file) => compilePack(file, now));
			periods.set(start, packs);
			return packs;
		},
	};
}

/** What is in force at a time, since when exactly that has been so, and a name for it that changes with either. */
export function findInForce(files: readonly PackFile[], set: PackSet, at: number) {
	const packs = set.at(at);
	const from = Math.max(0, ...files.flatMap(findDates).filter((date) => date <= at));
	return { files: packs.map(({ file }) => file), from, name: nameOf(packs, set, from) };
}

/** The packs in force with one exchanged for another version, or added. */
export function exchange(files: readonly PackFile[], pack: PackFile): PackFile[] {
	return [...files.filter(({ id }) => id !== pack.id), pack];
}

/** Whether two lists name the same versions. */
export function samePacks(one: readonly PackRef[], other: readonly PackRef[]): boolean {
	return one.length === other.length && missingFrom(one, other).length === 0;
}

/** Those of `refs` that are not among `others`. */
export function missingFrom(refs: readonly PackRef[], others: readonly PackRef[]): PackRef[] {
	return refs.filter((ref) => !others.some(({ id, version }) => id === ref.id && version === ref.version));
}

// Times count: a rule may begin to hold on a day on which no version changes.
function nameOf(packs: readonly CompiledPack[], { versions }: PackSet, from: number): string {
	const hashes = new Map(versions.map(({ id, version, sha256 }) => [`${id} ${version}`, sha256]));
	return JSON.stringify([from, packs.map(({ ref }) => [ref.id, hashes.get(`${ref.id} ${ref.version}`)])]);
}
