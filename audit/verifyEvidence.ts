// Checks an export of the evidence log, or the proof of one entry, offline and against keys that the caller has pinned.

import type { Entry } from "../domain/evidence.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { readEntry } from "./entry.ts";
import { type ExportHeader, hashSchema, headerSchema, type InclusionProof, inclusionSchema } from "./evidenceExport.ts";
import { type Hash, leafHash } from "./merkle.ts";
import { createRangeCheck, isConsistent, isIncluded } from "./proofs.ts";
import { createSeenNames } from "./seenNames.ts";
import { isLine, predecessorsOf } from "./succession.ts";

export type EvidenceFault =
	| "malformed"
	| "bad_checkpoint"
	| "bad_entry"
	| "not_proven"
	| "repeated"
	| "not_grown"
	| "older_checkpoint_missing";

/** `shown` entries could be read; of `hidden` ones there is the hash, and nothing proves whose they are. `origin` and `size` are the checkpoint's. */
export type VerifiedEvidence = {
	valid: true;
	origin: string;
	size: number;
	start: number;
	end: number;
	shown: number;
	hidden: number;
	/** As the export says, which nobody signed: entries of its period that no checkpoint covered when it was made. */
	uncovered?: number;
	/**
	 * By how much at most an entry says that it was before one that stands before it, and its line. What is integrated late,
	 * after an outage, does so by the outage's length; more than any there was is a sign that it was put in later.
	 */
	stepBack?: { ms: number; line: number };
	/** An older checkpoint was given, and the log has only grown since. */
	grownSince?: number;
	/** Logs that this one goes on from after restores: what their last checkpoints cover need not be in it. */
	predecessors?: { origin: string; size: number; root: string }[];
	/** Logs that this one follows by its name, and of which the export, whose first line nobody signed, has no checkpoint. */
	predecessorsMissing?: number;
};
type Refused = { valid: false; reason: EvidenceFault; line?: number };
export type EvidenceResult = VerifiedEvidence | Refused;
/** A checkpoint by itself: signed by a pinned key, over so many entries; the one that the caller kept, where one was given. */
type VerifiedCheckpoint = { valid: true; origin: string; size: number; root: string; grownSince?: number };

/**
 * Checks an export or a proof offline: the checkpoint against pinned keys, every entry's form, that the entries are all
 * that the log of that checkpoint holds there, and that none comes twice.
 * @param lines of the file, without their ends
 * @param keys `x` of the Ed25519 JWKs that the caller has pinned
 * @param older a checkpoint that the caller kept, signed by one of them: the log must have grown from it
 */
export async function verifyEvidence(
	lines: AsyncIterable<string>,
	keys: readonly { x: string }[],
	older?: string,
): Promise<EvidenceResult> {
	const iterator = lines[Symbol.asyncIterator]();
	const first = parse((await iterator.next()).value as string | undefined);
	const inclusion = inclusionSchema.safeParse(first).data;
	if (inclusion) {
		const ended = (await iterator.next()).done === true;
		return ended ? verifyInclusion(inclusion, keys, older) : { valid: false, reason: "malformed", line: 2 };
	}
	const header = headerSchema.safeParse(first).data;
	if (header === undefined) return { valid: false, reason: "malformed", line: 1 };
	const checkpoint = openCheckpoint(header.checkpoint, keys);
	if (checkpoint === undefined) return { valid: false, reason: "bad_checkpoint" };
	const line = openPredecessors(header, checkpoint, keys);
	if (line === undefined) return { valid: false, reason: "bad_checkpoint" };
	const growth = verifyGrowth(checkpoint, keys, older, { predecessors: line, since: header.since });
	if (typeof growth === "string") return { valid: false, reason: growth };
	const range = createRangeCheck(header.start, header.left.map(unpack));
	const counts = { shown: 0, hidden: 0 };
	const order = createOrderCheck();
	for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
		const line = 2 + counts.shown + counts.hidden;
		const value = next.value;
		const hidden = hashSchema.safeParse(parse(value)).data;
		const entry = hidden === undefined ? readEntry(value) : undefined;
		if (hidden === undefined && entry === undefined) return { valid: false, reason: "bad_entry", line };
		order.add(entry ?? hidden, line);
		range.add(hidden === undefined ? hashOf(value) : unpack(hidden));
		counts[hidden === undefined ? "shown" : "hidden"]++;
	}
	const isWhole = counts.shown + counts.hidden === header.end - header.start;
	if (!isWhole || !range.end(header.right.map(unpack), checkpoint)) return { valid: false, reason: "not_proven" };
	// Only now: of lines that are not the log's it says nothing.
	const { repeatedLine, ...steps } = order.end();
	if (repeatedLine !== undefined) return { valid: false, reason: "repeated", line: repeatedLine };
	const { origin, size } = checkpoint;
	const { start, end, uncovered } = header;
	const predecessors = line.map((one) => ({ ...one, root: one.root.toString("base64") }));
	const missing = predecessorsOf(origin) - predecessors.length;
	return {
		...{ valid: true, origin, size, start, end, ...counts, ...growth, ...steps },
		...(uncovered > 0 ? { uncovered } : {}),
		...(predecessors.length > 0 ? { predecessors } : {}),
		...(missing > 0 ? { predecessorsMissing: missing } : {}),
	};
}

/** Checks a checkpoint by itself: its signature, and that it is the one of its size that the caller kept, where one is given. */
export function verifyCheckpoint(
	note: string,
	keys: readonly { x: string }[],
	older?: string,
): VerifiedCheckpoint | Refused {
	const checkpoint = openCheckpoint(note, keys);
	if (checkpoint === undefined) return { valid: false, reason: "bad_checkpoint" };
	const growth = verifyGrowth(checkpoint, keys, older);
	if (typeof growth === "string") return { valid: false, reason: growth };
	return { valid: true, ...checkpoint, root: checkpoint.root.toString("base64"), ...growth };
}

/** Sees what no hash shows: an entry that is there twice, and one that says it was long before those that stand before it. */
function createOrderCheck() {
	const seen = createSeenNames();
	let repeatedLine: number | undefined;
	let latestAt = Number.NEGATIVE_INFINITY;
	let stepBack: VerifiedEvidence["stepBack"];
	return {
		/** An entry, or the hash that stands for one. */
		add(one: Entry | string | undefined, line: number): void {
			if (one === undefined) return;
			const name = typeof one === "string" ? one : one.id;
			if (!seen.add(name)) repeatedLine ??= line;
			if (typeof one === "string") return;
			const at = Date.parse(one.at);
			if (latestAt - at > (stepBack?.ms ?? 0)) stepBack = { ms: latestAt - at, line };
			latestAt = Math.max(latestAt, at);
		},
		end: () => ({ repeatedLine, ...(stepBack ? { stepBack } : {}) }),
	};
}

/** What the export says of the logs before its own; undefined when they are not signed, or not of its line. */
function openPredecessors(
	{ predecessors = [] }: ExportHeader,
	{ origin }: Checkpoint,
	keys: readonly { x: string }[],
): Checkpoint[] | undefined {
	const opened = predecessors.map((note) => openCheckpoint(note, keys)).filter((one) => one !== undefined);
	const isOf = opened.length === 0 || isLine([...opened.map((one) => one.origin), origin]);
	return opened.length === predecessors.length && isOf ? opened : undefined;
}

function verifyInclusion(
	proof: InclusionProof,
	keys: readonly { x: string }[],
	older: string | undefined,
): EvidenceResult {
	const checkpoint = openCheckpoint(proof.checkpoint, keys);
	if (checkpoint === undefined) return { valid: false, reason: "bad_checkpoint" };
	if (readEntry(proof.entry) === undefined) return { valid: false, reason: "bad_entry" };
	const { origin, size, root } = checkpoint;
	if (!isIncluded(proof.hashes.map(unpack), hashOf(proof.entry), proof.index, size, root)) {
		return { valid: false, reason: "not_proven" };
	}
	const growth = verifyGrowth(checkpoint, keys, older);
	if (typeof growth === "string") return { valid: false, reason: growth };
	return { valid: true, origin, size, start: proof.index, end: proof.index + 1, shown: 1, hidden: 0, ...growth };
}

/** Of a file that has no proof of growth, only a checkpoint of the same size can be told to be the same log's or a fork's. */
function verifyGrowth(
	newer: Checkpoint,
	keys: readonly { x: string }[],
	older: string | undefined,
	{ predecessors = [], since }: { predecessors?: readonly Checkpoint[]; since?: ExportHeader["since"] } = {},
): { grownSince?: number } | EvidenceFault {
	if (older === undefined) return {};
	// One of a predecessor counts: what it covered is in this log, or it is not.
	const was = openCheckpoint(older, keys);
	if (was === undefined || ![...predecessors, newer].some(({ origin }) => origin === was.origin))
		return "bad_checkpoint";
	const isSameSize = was.size === newer.size;
	if (since?.size !== was.size && !isSameSize) return "older_checkpoint_missing";
	const hashes = isSameSize ? [] : (since?.hashes ?? []);
	return isConsistent(hashes.map(unpack), was, newer) ? { grownSince: was.size } : "not_grown";
}

function hashOf(entry: string): Hash {
	return leafHash(Buffer.from(entry));
}

function unpack(text: string): Hash {
	return Buffer.from(text, "base64");
}

function parse(text: string | undefined): unknown {
	try {
		return JSON.parse(text ?? "");
	} catch {
		return undefined;
	}
}
