// `lethe policy proposals [ID]`: what has been proposed and how far it has come; one of them in full.

import { Command } from "commander";
import type { PolicyProposalDetail, PolicyProposalPage } from "../../client/types.ts";
import { sayNone } from "../records.ts";
import { exitCodes, run } from "../run.ts";
import { call, type TargetOptions, withTarget } from "./call.ts";
import { approvalWords, countLines, proposalLine } from "./proposal.ts";

type Options = TargetOptions & { state?: string; limit: string; cursor?: string };

export function proposalsCommand(): Command {
	const command = new Command("proposals")
		.description("list proposals, newest first, or show one with what it changes")
		.argument("[id]", "id of a proposal")
		.option("--state <state>", "only those in this state")
		.option("--limit <count>", "how many, at most 100", "20")
		.option("--cursor <cursor>", "go on after a list that had more");
	return withTarget(command).action((id: string | undefined, options: Options) =>
		run("policy proposals", () => (id === undefined ? list(options) : show(id, options))),
	);
}

async function list(options: Options): Promise<number> {
	const { state, limit, cursor } = options;
	const query = new URLSearchParams({ limit, ...(state !== undefined && { state }), ...(cursor && { cursor }) });
	const page = await call<PolicyProposalPage>(options, `/v1/policy-proposals?${query}`);
	const { items, next } = page;
	if (options.json) console.log(JSON.stringify(page, null, 2));
	else for (const proposal of items) console.log(proposalLine(proposal));
	sayNone(options, items);
	const again = ["lethe policy proposals", ...(state === undefined ? [] : ["--state", state])].join(" ");
	if (next && !options.json) console.error(`more: ${again} --cursor ${next}`);
	return exitCodes.yes;
}

async function show(id: string, options: Options): Promise<number> {
	const proposal = await call<PolicyProposalDetail>(options, `/v1/policy-proposals/${encodeURIComponent(id)}`);
	if (options.json) {
		console.log(JSON.stringify(proposal, null, 2));
		return exitCodes.yes;
	}
	console.log(proposalLine(proposal));
	for (const { sentence } of proposal.changes ?? []) console.log(`  ${sentence}`);
	for (const { state, at, by } of proposal.history) console.log(`  ${at}  ${state} by ${by}`);
	if (proposal.check) console.log(`  ${proposal.check.cases} cases pass`);
	if (proposal.simulation?.state === "done") {
		const { counts, samples } = proposal.simulation;
		for (const line of countLines(counts, samples)) console.log(`  ${line}`);
	}
	if (proposal.approval) console.log(`  ${approvalWords(proposal.approval)}`);
	return exitCodes.yes;
}
