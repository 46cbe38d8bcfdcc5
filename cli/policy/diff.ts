// `lethe policy diff FROM [TO]`: what changes between two versions, or a file and the version in force, in words.

import { existsSync } from "node:fs";
import { Command } from "commander";
import { describeDifference, diffPacks } from "../../policies/diff.ts";
import { readPackText } from "../../policies/packText.ts";
import type { PackFile } from "../../policies/schema.ts";
import { exitCodes, Refusal, readText, run } from "../run.ts";
import { type TargetOptions, withTarget } from "./call.ts";
import { readPackOf } from "./show.ts";

/** Exit 0 whether anything differs or not; 2: one of them can't be read. */
export function diffCommand(): Command {
	const command = new Command("diff")
		.description("say rule by rule what changes between two versions of a pack")
		.argument("<from>", "a file, or a version as in `defaults@1.0.0`; alone: compared with the version in force")
		.argument("[to]", "a file, or a version");
	return withTarget(command).action((from: string, to: string | undefined, options: TargetOptions) =>
		run("policy diff", () => diff(from, to, options)),
	);
}

async function diff(from: string, to: string | undefined, options: TargetOptions): Promise<number> {
	const first = await read(from, options);
	const [before, after] = to === undefined ? [await read(first.id, options), first] : [first, await read(to, options)];
	if (before.id !== after.id) throw new Refusal(`${before.id} and ${after.id} are two packs: compare versions of one.`);
	const differences = diffPacks(before, after);
	if (options.json)
		console.log(JSON.stringify({ pack: before.id, from: before.version, to: after.version, differences }));
	else {
		console.log(`${before.id}: ${before.version} → ${after.version}`);
		for (const difference of differences) console.log(`  ${describeDifference(difference)}`);
		if (differences.length === 0) console.log("  nothing that matters to a decision");
	}
	return exitCodes.yes;
}

async function read(name: string, options: TargetOptions): Promise<PackFile> {
	const { file, faults } = readPackText(await readAnywhere(name, options));
	const [fault] = faults;
	if (file) return file;
	throw new Refusal(`${name}: line ${fault?.line}: ${fault?.message}. ${fault?.mend}`);
}

async function readAnywhere(name: string, options: TargetOptions): Promise<string> {
	if (existsSync(name)) return readText(name);
	if (/^[a-z][a-z0-9-]*(@[\w.-]+)?$/.test(name)) return readPackOf(name, options);
	throw new Refusal(`${name} is neither a file nor a pack: see \`lethe policy list\`.`);
}
