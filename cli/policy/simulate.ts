// `lethe policy simulate PROPOSAL`: counts what it would change of what is stored, with a progress bar.

import { Command } from "commander";
import { createProgress } from "../progress.ts";
import { call, type TargetOptions, withTarget } from "./call.ts";
import { countLines, type ProposalAnswer } from "./proposal.ts";
import { exitCodes, Refusal, run } from "./run.ts";
import { callStep } from "./step.ts";

const pollMs = 500;

export function simulateCommand(): Command {
	const command = new Command("simulate")
		.description("count what a checked proposal would change of the stored messages; nothing is changed")
		.argument("<proposal>", "its id, prp_…");
	return withTarget(command).action((id: string, options: TargetOptions) =>
		run("simulate", () => simulate(id, options)),
	);
}

async function simulate(id: string, options: TargetOptions): Promise<number> {
	let proposal = await callStep(id, "simulate", options);
	const progress = createProgress("simulating");
	while (proposal.simulation?.state === "running") {
		progress.show(proposal.simulation.counts.messages ?? 0, proposal.simulation.total);
		await new Promise((resolve) => setTimeout(resolve, pollMs));
		proposal = await call<ProposalAnswer>(options, `/v1/policy-proposals/${encodeURIComponent(id)}`);
		if (proposal.state === "withdrawn") throw new Refusal(`${id} was withdrawn meanwhile.`, exitCodes.no);
	}
	const { counts = {}, samples = {} } = proposal.simulation ?? {};
	progress.show(counts.messages ?? 0, counts.messages ?? 0);
	progress.end();
	if (options.json) console.log(JSON.stringify(proposal, null, 2));
	else {
		for (const line of countLines(counts, samples)) console.log(line);
		console.log(`next, by somebody else: lethe policy approve ${id}`);
	}
	return exitCodes.yes;
}
