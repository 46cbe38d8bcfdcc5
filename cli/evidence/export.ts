// `lethe evidence export`: what was integrated in a period, with its proof, into a file that anyone checks offline.

import { open, rename, rm } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { request, type TargetOptions, withTarget } from "../policy/call.ts";
import { exitCodes, Refusal, run } from "../policy/run.ts";
import { createProgress } from "../progress.ts";
import { parseTime } from "../records.ts";

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
	if (out === undefined) {
		for await (const chunk of chunks) process.stdout.write(chunk);
		return exitCodes.yes;
	}
	const { entries, uncovered } = await writeFile(out, chunks);
	console.log(options.json ? JSON.stringify({ file: out, entries, uncovered }) : `${out}: ${entries} entries`);
	if (uncovered === 0) return exitCodes.yes;
	console.error(
		`lethe evidence export: ${uncovered} more of that period are not signed yet. Repeat it; is the worker up?`,
	);
	return exitCodes.no;
}

/** Writes it beside and renames it: a file that is there is whole. Answers how many entries it has, and how many it had to leave out. */
async function writeFile(
	path: string,
	chunks: AsyncIterable<Uint8Array>,
): Promise<{ entries: number; uncovered: number }> {
	const next = `${path}.part`;
	const progress = createProgress("entries");
	const file = await open(next, "w", privateFile).catch(() => {
		throw new Refusal(`${path} can't be written: check its folder and your rights.`);
	});
	let header = "";
	let lines = 0;
	try {
		for await (const chunk of chunks) {
			const text = Buffer.from(chunk).toString("latin1");
			if (lines === 0) header += text;
			lines += text.split("\n").length - 1;
			await file.write(chunk);
			if (lines > 0) progress.show(lines - 1, readHeader(header).total);
		}
		await file.sync();
	} catch {
		await rm(next, { force: true });
		throw new Refusal("the export broke off: the API or its store went away. Repeat it.", exitCodes.no);
	} finally {
		progress.end();
		await file.close();
	}
	await rename(next, path);
	return { entries: Math.max(0, lines - 1), uncovered: readHeader(header).uncovered };
}

function readHeader(text: string): { total: number; uncovered: number } {
	const { start = 0, end = 0, uncovered = 0 } = JSON.parse(text.split("\n")[0] || "{}") as Record<string, number>;
	return { total: end - start, uncovered };
}

function parseSize(text: string): number {
	if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Give the second line of the checkpoint that you kept.");
	return Number(text);
}
