// `lethe policy test [FILE…]`: checks packs and runs the cases that they carry. Needs no server.

import { Command } from "commander";
import { checkPack, type PackCheck } from "../../policies/check.ts";
import { readPacks } from "../../policies/load.ts";
import type { LoadedPack } from "../../policies/packSet.ts";
import { exitCodes, Refusal, readText, run } from "../run.ts";

type Options = { json?: boolean; packs?: string };

/** Exit 0: every case passes; 1: a fault, each with its line and mend; 2: a file can't be read. */
export function testCommand(): Command {
	return new Command("test")
		.description("check pack files and run their cases beside the other packs; without a file, all packs")
		.argument("[files...]", "packs, YAML; the file need not be named as a published one")
		.option("--json", "print the results as JSON, one a line")
		.option("--packs <directory>", "the other packs, instead of the shipped ones")
		.action((files: string[], options: Options) => run("policy test", () => test(files, options)));
}

async function test(files: string[], options: Options): Promise<number> {
	const packs = readAll(options.packs);
	const checks = files.length > 0 ? await checkFiles(files, packs) : await checkAll(packs);
	let caseCount = 0;
	let faultCount = 0;
	for (const { name, check } of checks) {
		caseCount += check.cases.length;
		faultCount += check.errors.length;
		if (options.json) console.log(JSON.stringify({ file: name, errors: check.errors, cases: check.cases }));
		else for (const { line, message, mend } of check.errors) console.log(`${name}:${line}: ${message}. ${mend}`);
	}
	if (!options.json) console.log(`${caseCount} cases, ${faultCount} fault(s)`);
	return faultCount === 0 ? exitCodes.yes : exitCodes.no;
}

type Checked = { name: string; check: PackCheck };

async function checkFiles(files: string[], packs: LoadedPack[]): Promise<Checked[]> {
	return Promise.all(files.map(async (name) => ({ name, check: checkPack(await readText(name), undefined, packs) })));
}

async function checkAll(packs: LoadedPack[]): Promise<Checked[]> {
	return Promise.all(
		packs.map(async (pack) => {
			const name = pack.source?.path ?? `${pack.file.id} ${pack.file.version}`;
			const others = packs.filter((other) => other !== pack);
			return { name, check: checkPack(await readText(name), name, others) };
		}),
	);
}

function readAll(directory: string | undefined): LoadedPack[] {
	try {
		return readPacks(directory);
	} catch (error) {
		throw new Refusal((error as Error).message);
	}
}
