// `lethe evidence fsck`: reads the whole log in the store again and says where it is not what it was.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { type Finding, type FindingKind, fsck } from "../../audit/fsck.ts";
import { type OfLine, openLine, originOf, predecessorsIn } from "../../audit/succession.ts";
import type { Deps } from "../../deps.ts";
import { createProgress } from "../progress.ts";
import { exitCodes, Refusal, run } from "../run.ts";
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
		const { checkpoints, unwitnessed, ...line } = await readCheckpoints(deps, kept);
		const total = (await deps.store.evidence.head())?.end ?? 0;
		const progress = createProgress("entries");
		const { predecessors } = line;
		const log = { bundles: deps.store.evidence.read(0), tiles: deps.store.evidence.tiles(), checkpoints, predecessors };
		const { size, root, findings } = await fsck(log, {
			keys: line.keys,
			origin: line.origin,
			progress: (entries) => progress.show(entries, total),
		});
		progress.end();
		const all: Finding[] = [...(unwitnessed ? [{ kind: "unwitnessed" as const }] : []), ...findings];
		if (options.json)
			console.log(JSON.stringify({ size, root, checkpoints: checkpoints.length, findings: all }, null, 2));
		else for (const one of describe(size, { checkpoints, predecessors }, all)) console.log(one);
		return all.length === 0 ? exitCodes.yes : exitCodes.no;
	} finally {
		await deps.close();
	}
}

type Kept = { source: string; note: string };

/** What was seen of the log, its name as of the last of that, and what was seen of the logs that it goes on from. */
async function readCheckpoints(deps: Deps, kept: Kept[]) {
	const witnessed: Kept[] = [];
	const earlier = await deps.store.evidence.before();
	for (const { name, read, before } of deps.witnesses) {
		const note = await read();
		if (note !== undefined) witnessed.push({ source: `witness ${name}`, note });
		earlier.push(...(await before()));
	}
	const own = await deps.store.evidence.checkpoint();
	const stored = own === undefined ? [] : [{ source: "store", note: own }];
	const keys = await deps.evidenceKeys();
	const base = deps.config.evidence.origin;
	const generation =
		openLine(
			[...witnessed, ...stored].map(({ note }) => note),
			keys,
			base,
		).at(-1)?.generation ?? 1;
	return {
		checkpoints: [...witnessed, ...stored, ...kept],
		unwitnessed: witnessed.length === 0,
		keys,
		origin: originOf(base, generation),
		predecessors: predecessorsIn(openLine(earlier, keys, base), generation),
	};
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
	unnamed: "it goes on from a log that no entry names",
	unwitnessed: "no witness has a checkpoint: a log that was cut short could not be told; is the worker running?",
};

function describe(
	size: number,
	{ checkpoints, predecessors }: { checkpoints: Kept[]; predecessors: OfLine[] },
	findings: Finding[],
): string[] {
	const sources = checkpoints.map(({ source }) => source).join(", ") || "no checkpoint";
	const before = predecessors.map(
		({ checkpoint: { origin, size, root } }) =>
			`  successor of ${origin}, witnessed at ${size.toLocaleString("en")} entries, root ${root.toString("base64")}`,
	);
	if (findings.length === 0) return [`WHOLE: ${size.toLocaleString("en")} entries, as seen by ${sources}`, ...before];
	return [
		`NOT WHOLE: ${size.toLocaleString("en")} entries, ${findings.length} finding(s)`,
		...before,
		...findings.map(({ kind, index, source }) => {
			const place = [index === undefined ? "" : `from entry ${index}`, source ?? ""].filter(Boolean).join(", ");
			return `  ${kind.padEnd(15)}${meanings[kind]}${place ? ` (${place})` : ""}`;
		}),
	];
}
