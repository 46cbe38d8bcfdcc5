// A log's line: where a restore has lost what was signed, and people have judged that, a successor under another name goes on.

import { hash } from "node:crypto";
import { formatId } from "../domain/ids.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";

/** A checkpoint of one of the line, as its note says; `generation` is 1 for the first log. */
export type OfLine = { note: string; checkpoint: Checkpoint; generation: number };

/** The name of a log of the line of `base`: the first one's is that, the second one's has `/2` behind it. */
export function originOf(base: string, generation: number): string {
	return generation === 1 ? base : `${base}/${generation}`;
}

/** Of these notes those that a key has signed for a log of the line, the largest of its last log at the end. */
export function openLine(notes: readonly string[], keys: readonly { x: string }[], base: string): OfLine[] {
	const opened = notes.flatMap((note): OfLine[] => {
		const checkpoint = openCheckpoint(note, keys);
		if (checkpoint === undefined) return [];
		const generation = generationOf(base, checkpoint.origin);
		return generation === undefined ? [] : [{ note, checkpoint, generation }];
	});
	return opened.toSorted((a, b) => a.generation - b.generation || a.checkpoint.size - b.checkpoint.size);
}

/** Of each log of the line before that one the largest checkpoint. */
export function predecessorsIn(line: readonly OfLine[], generation: number): OfLine[] {
	const largest = new Map(line.map((one) => [one.generation, one]));
	return [...largest.values()].filter((one) => one.generation < generation);
}

/** How many logs of its line a log of that name follows. */
export function predecessorsOf(origin: string): number {
	return (generationOf(baseOf(origin), origin) ?? 1) - 1;
}

/** Whether these are names of logs of one line, each one's after the one before it. */
export function isLine(origins: readonly string[]): boolean {
	const base = baseOf(origins.at(-1) ?? "");
	const generations = origins.map((origin) => generationOf(base, origin) ?? 0);
	return generations.every((generation, at) => generation > (generations[at - 1] ?? 0));
}

/** The id by which an entry names the last checkpoint of its log's predecessor. */
export function idOfNote(note: string): string {
	return formatId("evidence", hash("sha256", note, "buffer"));
}

function baseOf(origin: string): string {
	return origin.replace(/\/\d+$/, "");
}

/** Which of the line a log of that name is; undefined for another's. */
function generationOf(base: string, origin: string): number | undefined {
	if (origin === base) return 1;
	const generation = Number(origin.slice(base.length + 1));
	return Number.isSafeInteger(generation) && generation > 1 && origin === originOf(base, generation)
		? generation
		: undefined;
}
