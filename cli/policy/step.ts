// The steps of a proposal that are one call each: what they are called, and what is said when they are done.

import { Command } from "commander";
import type { PolicyProposal } from "../../client/types.ts";
import { exitCodes, run } from "../run.ts";
import { call, type TargetOptions, withAct } from "./call.ts";
import { proposalLine } from "./proposal.ts";

/** A command that moves one proposal on. @param next what may follow, as a line */
export function stepCommand(name: string, description: string, next: (proposal: PolicyProposal) => string): Command {
	const command = new Command(name).description(description).argument("<proposal>", "its id, prp_…");
	return withAct(command).action((id: string, options: TargetOptions) =>
		run(`policy ${name}`, async () => {
			const proposal = await callStep(id, name, options);
			if (options.json) console.log(JSON.stringify(proposal, null, 2));
			else console.log(`${proposalLine(proposal)}\n${next(proposal)}`.trim());
			return exitCodes.yes;
		}),
	);
}

/** Does one step of a proposal. @throws Refusal */
export function callStep(id: string, step: string, options: TargetOptions, body: object = {}): Promise<PolicyProposal> {
	return call<PolicyProposal>(options, `/v1/policy-proposals/${encodeURIComponent(id)}/${step}`, body);
}
