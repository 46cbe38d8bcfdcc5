// `lethe evidence export`: what was integrated in a period, with its proof, into a file that anyone checks offline.

import { once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { request, type TargetOptions, withTarget } from "../policy/call.ts";
import { createProgress } from "../progress.ts";
import { parseTime } from "../records.ts";
import { exitCodes, Refusal, run } from "../run.ts";

type Options = TargetOptions & { from?: string; to?: string; since?: number; out?: string };

const privateFile = 0o600;

export function exportCommand(): Command {
	const command = new Command("export")
		.description("write the entries of a period and their proof, a line each; `lethe verify` checks them offline")
		.option("--from <time>", "integrated at or after, RFC 3339 (default: the beginning)", parseTime)
		.option("--to <time>", "integrated before, RFC 3339 (default: now)", parseTime)
		.option("--since <size>", "show also that the log has only grown since it had so many entries", parseSize)
		.option("--out <file>", "file to write; without it, standard output");
	return withTarget(command).action((options: Options) => run("evidence export", () => exportLog(options)));
}

async function exportLog(options: Options): Promise<number> {
	const { from, to, since, out } = options;
	const query = new URLSearchParams(
		Object.entries({ from, to, since }).flatMap(([name, value]) =>
			value === undefined ? [] : [[name, String(value)] as [string, string]],
		),
	);
	const response = await request(options, `/v1/evidence/export?${query}`);
	const chunks = (response.body ?? []) as AsyncIterable<Uint8Array>;
	const writing = out === undefined ? writeOut(chunks) : writeFile(out, chunks);
	const { entries, uncovered } = await writing.catch((error: unknown) => {
		if (error instanceof Refusal) throw error;
		return refuseCutOff();
	});
	if (out !== undefined) {
		console.log(options.json ? JSON.stringify({ file: out, entries, uncovered }) : `${out}: ${entries} entries`);
	}
	if (to !== undefined && Date.parse(to) > Date.now()) {
		console.error("lethe evidence export: --to lies ahead: what is entered until then is not in it.");
	}
	if (uncovered === 0) return exitCodes.yes;
	console.error(
		`lethe evidence export: ${uncovered} more of that period are not signed yet. Repeat it; is the worker up?`,
	);
	return exitCodes.no;
}

/** How many entries an export has, of how many that it says it has, and how many of its period it had to leave out. */
type Counts = { entries: number; total: number; uncovered: number };

/** Writes it to standard output. */
async function writeOut(chunks: AsyncIterable<Uint8Array>): Promise<Counts> {
	return passOn(chunks, async (chunk) => {
		if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
	});
}

/** Writes it beside and renames it: a file that is there is whole. @throws Refusal when it can't be begun */
async function writeFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<Counts> {
	const next = `${path}.part`;
	const progress = createProgress("entries");
	const file = await open(next, "w", privateFile).catch(() => {
		throw new Refusal(`${path} can't be written: check its folder and your rights.`);
	});
	const refuse = ({ code }: NodeJS.ErrnoException): never => {
		throw new Refusal(`${path} can't be written (${code}): see to its disk, and repeat it.`);
	};
	try {
		const counts = await passOn(chunks, async (chunk, { entries, total }) => {
			await file.appendFile(chunk).catch(refuse);
			progress.show(entries, total);
		});
		await file
			.sync()
			.then(() => rename(next, path))
			.catch(refuse);
		return counts;
	} catch (error) {
		await rm(next, { force: true });
		throw error;
	} finally {
		progress.end();
		await file.close();
	}
}

/** Hands each piece on with what was seen until its end. Answers what was seen of all. @throws Refusal when it is not all */
async function passOn(
	chunks: AsyncIterable<Uint8Array>,
	write: (chunk: Uint8Array, seen: Counts) => Promise<void>,
): Promise<Counts> {
	let header = "";
	let lines = 0;
	const seen = (): Counts => {
		const { start = 0, end = 0, uncovered = 0 } = JSON.parse(lines === 0 ? "{}" : (header.split("\n")[0] as string));
		return { entries: Math.max(0, lines - 1), total: end - start, uncovered };
	};
	for await (const chunk of chunks) {
		const text = Buffer.from(chunk).toString("latin1");
		if (lines === 0) header += text;
		lines += text.split("\n").length - 1;
		await write(chunk, seen());
	}
	const { entries, total } = seen();
	// An answer may end as if it were whole, by a proxy say: what its first line promises is what counts.
	if (lines === 0 || entries !== total) refuseCutOff();
	return seen();
}

function refuseCutOff(): never {
	throw new Refusal("the export broke off: the API or its store went away. Repeat it.", exitCodes.no);
}

function parseSize(text: string): number {
	if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Give the second line of the checkpoint that you kept.");
	return Number(text);
}
