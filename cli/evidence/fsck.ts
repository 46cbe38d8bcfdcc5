// `lethe evidence fsck`: reads the whole log in the store again and says where it is not what it was.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { type Finding, type FindingKind, fsck } from "../../audit/fsck.ts";
import type { Deps } from "../../deps.ts";
import { exitCodes, Refusal, run } from "../policy/run.ts";
import { createProgress } from "../progress.ts";
import { adminDeps } from "../target.ts";

type Options = { checkpoint?: string[]; json?: boolean };

export function fsckCommand(): Command {
	return new Command("fsck")
		.description("read the whole log again; exit 1 when it is not what its checkpoints say (needs the admin role)")
		.option("--checkpoint <file...>", "checkpoints that you have kept, beside those of the witnesses")
		.option("--json", "print the result as JSON")
		.action((options: Options) => run("evidence fsck", () => check(options)));
}

async function check(options: Options): Promise<number> {
	const kept = await Promise.all((options.checkpoint ?? []).map(readNote));
	const deps = await adminDeps();
	try {
		await deps.evidence.append([{ type: "evidence_read", code: "fsck", by: "admin" }]);
		const { checkpoints, unwitnessed } = await readCheckpoints(deps, kept);
		const total = (await deps.store.evidence.head())?.end ?? 0;
		const progress = createProgress("entries");
		const log = { bundles: deps.store.evidence.read(0), tiles: deps.store.evidence.tiles(), checkpoints };
		const { size, root, findings } = await fsck(log, {
			keys: await deps.evidenceKeys(),
			origin: deps.config.evidence.origin,
			progress: (entries) => progress.show(entries, total),
		});
		progress.end();
		const all: Finding[] = [...(unwitnessed ? [{ kind: "unwitnessed" as const }] : []), ...findings];
		if (options.json)
			console.log(JSON.stringify({ size, root, checkpoints: checkpoints.length, findings: all }, null, 2));
		else for (const line of describe(size, checkpoints, all)) console.log(line);
		return all.length === 0 ? exitCodes.yes : exitCodes.no;
	} finally {
		await deps.close();
	}
}

type Kept = { source: string; note: string };

async function readCheckpoints(deps: Deps, kept: Kept[]): Promise<{ checkpoints: Kept[]; unwitnessed: boolean }> {
	const witnessed: Kept[] = [];
	for (const { name, read } of deps.witnesses) {
		const note = await read();
		if (note !== undefined) witnessed.push({ source: `witness ${name}`, note });
	}
	const own = await deps.store.evidence.checkpoint();
	const stored = own === undefined ? [] : [{ source: "store", note: own }];
	return { checkpoints: [...witnessed, ...stored, ...kept], unwitnessed: witnessed.length === 0 };
}

async function readNote(file: string): Promise<Kept> {
	try {
		return { source: file, note: await readFile(file, "utf8") };
	} catch {
		throw new Refusal(`${file} can't be read: check its path and your rights.`);
	}
}

const meanings: Record<FindingKind, string> = {
	malformed: "an entry is none, or says more than an entry may",
	missing: "entries are missing",
	overlapping: "two bundles claim the same entries",
	repeated: "an entry comes twice",
	edited: "the entries of a bundle are not those that were integrated",
	misfiled: "a bundle is filed under what its entries are not about",
	out_of_order: "a bundle says that it is older than the one before it",
	tile: "a tile of hashes is not over these entries",
	truncated: "a checkpoint has seen more entries: the end was cut off",
	forked: "a checkpoint has seen other entries: this is not the log that it was",
	bad_checkpoint: "a checkpoint is not signed by this log's key",
	unwitnessed: "no witness has a checkpoint: a log that was cut short could not be told; is the worker running?",
};

function describe(size: number, checkpoints: Kept[], findings: Finding[]): string[] {
	const sources = checkpoints.map(({ source }) => source).join(", ") || "no checkpoint";
	if (findings.length === 0) return [`WHOLE: ${size.toLocaleString("en")} entries, as seen by ${sources}`];
	return [
		`NOT WHOLE: ${size.toLocaleString("en")} entries, ${findings.length} finding(s)`,
		...findings.map(({ kind, index, source }) => {
			const place = [index === undefined ? "" : `from entry ${index}`, source ?? ""].filter(Boolean).join(", ");
			return `  ${kind.padEnd(15)}${meanings[kind]}${place ? ` (${place})` : ""}`;
		}),
	];
}
