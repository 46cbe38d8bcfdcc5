// `lethe policy show PACK[@VERSION]`: the text of a pack, to read or to start a change from.

import { Command } from "commander";
import { openPolicies } from "../../policies/index.ts";
import { exitCodes, run } from "../run.ts";
import { call, hasTarget, type TargetOptions, withTarget } from "./call.ts";

export function showCommand(): Command {
	const command = new Command("show")
		.description("print the text of a pack, YAML")
		.argument("<pack>", "its id, as in `defaults`, or with a version, as in `defaults@1.0.0`; else the one in force");
	return withTarget(command).action((pack: string, options: TargetOptions) =>
		run("policy show", () => show(pack, options)),
	);
}

async function show(pack: string, options: TargetOptions): Promise<number> {
	const text = await readPackOf(pack, options);
	process.stdout.write(options.json ? `${JSON.stringify({ text })}\n` : text);
	return exitCodes.yes;
}

/** The text of a pack as the deployment has it; where none is named or runs, as it was shipped. @throws Refusal */
export async function readPackOf(name: string, options: TargetOptions): Promise<string> {
	const [pack = "", version = "in-force"] = name.split("@");
	const shipped = hasTarget(options) ? undefined : readShippedOf(pack, version);
	if (shipped !== undefined) return shipped;
	return call<string>(options, `/v1/policies/${encodeURIComponent(pack)}/${encodeURIComponent(version)}`);
}

function readShippedOf(pack: string, version: string): string | undefined {
	const policies = openPolicies();
	const current = policies.inForce(Date.now()).files.find(({ id }) => id === pack)?.version;
	const wanted = version === "in-force" ? current : version;
	return wanted === undefined ? undefined : policies.text(pack, wanted);
}
