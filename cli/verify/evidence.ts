// What `lethe verify` says of the evidence log: exports, proofs of one entry, and checkpoints by themselves.

import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { readCheckpoint } from "../../audit/checkpoint.ts";
import type { EvidenceFault, EvidenceResult } from "../../audit/verifyEvidence.ts";
import { verifyCheckpoint, verifyEvidence } from "../../audit/verifyEvidence.ts";
import { createProgress } from "../progress.ts";

type EvidenceFileResult = EvidenceResult | ReturnType<typeof verifyCheckpoint>;

const lineCharactersMax = 64 * 1024;
// Some hundred thousand entries, which take seconds.
const largeBytes = 8 * 1024 * 1024;
// Entries of messages wait for the certificate or the sweep, some twenty seconds, whereas others are in at once.
const usualStepBackMs = 30_000;

/**
 * Checks a file of the evidence log; undefined when it is none.
 * @param keys `x` of the pinned Ed25519 JWKs
 * @param older a checkpoint that the caller has kept
 * @throws the file system's error when it can't be read
 */
export async function verifyEvidenceFile(
	file: string,
	keys: readonly { x: string }[],
	older?: string,
): Promise<EvidenceFileResult | undefined> {
	// An editor or a shell may have taken its last line's end, added another, or written each as Windows does.
	const head = (await readHead(file)).replaceAll("\r\n", "\n");
	if (readCheckpoint(head) !== undefined) return verifyCheckpoint(`${head.trimEnd()}\n`, keys, older);
	if (!isEvidence(head.split("\n")[0] ?? "")) return undefined;
	return verifyEvidence(readLines(file), keys, older);
}

async function readHead(file: string): Promise<string> {
	const handle = await open(file, "r");
	try {
		const { buffer, bytesRead } = await handle.read(Buffer.alloc(lineCharactersMax), 0, lineCharactersMax, 0);
		return buffer.toString("utf8", 0, bytesRead);
	} finally {
		await handle.close();
	}
}

function isEvidence(line: string): boolean {
	try {
		return /^lethe\/evidence-/.test((JSON.parse(line) as { schema?: string }).schema ?? "");
	} catch {
		return false;
	}
}

/** The lines of a file of any length; a line that no entry has is cut, and so refused. Of a large one it tells how far it is. */
async function* readLines(file: string): AsyncGenerator<string> {
	const { size } = await stat(file);
	const progress = size < largeBytes ? undefined : createProgress("bytes");
	const stream = createReadStream(file, { encoding: "utf8" });
	let rest = "";
	try {
		for await (const chunk of stream) {
			const lines = (rest + chunk).split(/\r?\n/);
			rest = (lines.pop() ?? "").slice(0, lineCharactersMax);
			yield* lines;
			progress?.show(stream.bytesRead, size);
		}
		if (rest !== "") yield rest;
	} finally {
		progress?.end();
	}
}

const faults: Record<EvidenceFault, string> = {
	malformed: "it is not an export or a proof as Lethe writes it",
	bad_checkpoint:
		"its checkpoint, one that it names, or the one that you kept, is not signed by a key that you have pinned, or is of another log",
	bad_entry: "it has an entry that is none, or is not in the form in which entries are hashed",
	not_proven:
		"its entries are not those that the log of its checkpoint holds there: some were edited, left out or added",
	repeated: "the log holds an entry twice: it was put in again",
	not_grown:
		"the log is not the one of the checkpoint that you kept: what it then held was changed, or lost where it is another's successor",
	older_checkpoint_missing:
		"it does not prove that the log has grown from the checkpoint that you kept, as a checkpoint or a proof of another size never does: make an export with --since and that size",
};

export function describeEvidence(result: EvidenceFileResult): string {
	if (!result.valid) {
		const line = result.line === undefined ? "" : `, line ${result.line}`;
		return `NOT VALID (${result.reason}${line}): ${faults[result.reason]}.`;
	}
	const of = `log ${result.origin}, checkpoint of ${result.size.toLocaleString("en")} entries`;
	if ("root" in result) {
		const same = result.grownSince === undefined ? "" : ", as in the checkpoint that you kept";
		return `VALID: ${of}, root ${result.root}${same}`;
	}
	const {
		start,
		end,
		shown,
		hidden,
		uncovered = 0,
		grownSince,
		predecessors = [],
		predecessorsMissing = 0,
		stepBack,
	} = result;
	const lines = [`VALID: entries ${start} to ${end - 1}, all that the log holds there`, `  ${of}`];
	if (end === start) lines[0] = "VALID: no entry was integrated in that period";
	if (uncovered > 0) lines.push(`  INCOMPLETE: ${uncovered} more of its period were not signed yet; export it again`);
	// A hash tells of no tenant: one of the auditor's own could stand as one, too.
	if (hidden > 0)
		lines.push(`  ${shown} shown; ${hidden} not shown, there by their hashes; whose they are is not proven`);
	if (stepBack !== undefined) {
		const seconds = (stepBack.ms / 1_000).toLocaleString("en");
		const why =
			stepBack.ms < usualStepBackMs
				? "within the usual: entries come in some twenty seconds late"
				: "so late after an outage, else put in later";
		lines.push(`  line ${stepBack.line} says ${seconds} s before what stands before it, none more: ${why}`);
	}
	if (predecessorsMissing > 0) {
		lines.push(
			`  INCOMPLETE: by its name it follows ${predecessorsMissing} more, whose last checkpoints were left out: ask for an export that has them`,
		);
	}
	for (const one of predecessors) {
		const of = `${one.origin}, of ${one.size.toLocaleString("en")} entries, root ${one.root}`;
		lines.push(`  successor of log ${of}: a restore lost entries of that one, as its entry evidence_succeeded says`);
	}
	if (grownSince !== undefined) lines.push(`  grown from the checkpoint of ${grownSince} entries that you kept`);
	return lines.join("\n");
}
