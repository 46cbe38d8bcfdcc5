// `lethe policy list`: every version of every pack, which are in force, and how far they have been applied.

import { Command } from "commander";
import { exitCodes, run } from "../run.ts";
import { call, type TargetOptions, withTarget } from "./call.ts";
import { approvalWords, countLines } from "./proposal.ts";

export type PolicyList = {
	items: {
		pack: string;
		version: string;
		sha256: string;
		state: string;
		effectiveFrom: string;
		origin: string;
		approval?: { by?: string; at: string; verified: boolean };
	}[];
	retiming?: { state: string; inForceFrom: string; startedAt: string; total: number; counts: Record<string, number> };
};

export function listCommand(): Command {
	return withTarget(new Command("list").description("list the packs and their versions")).action(
		(options: TargetOptions) => run("policy list", () => list(options)),
	);
}

async function list(options: TargetOptions): Promise<number> {
	const answer = await call<PolicyList>(options, "/v1/policies");
	if (options.json) {
		console.log(JSON.stringify(answer, null, 2));
		return exitCodes.yes;
	}
	for (const { pack, version, state, effectiveFrom, origin, sha256, approval } of answer.items) {
		const by = approval ? `, ${approvalWords(approval)}` : "";
		console.log(
			`${`${pack} ${version}`.padEnd(24)}${state.replace("_", " ").padEnd(10)}from ${effectiveFrom}  ${origin}${by}  sha256 ${sha256.slice(0, 12)}`,
		);
	}
	const { retiming } = answer;
	if (retiming?.counts.messages) {
		console.log(`applied to what is stored: ${retiming.state}, for what is in force from ${retiming.inForceFrom}`);
		for (const line of countLines(retiming.counts)) console.log(`  ${line}`);
	}
	return exitCodes.yes;
}
