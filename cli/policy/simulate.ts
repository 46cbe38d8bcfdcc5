// `lethe policy simulate PROPOSAL`: counts what it would change of what is stored, with a progress bar.

import { Command } from "commander";
import type { PolicyProposal } from "../../client/types.ts";
import { exitCodes, Refusal, run } from "../run.ts";
import { call, type TargetOptions, withAct } from "./call.ts";
import { follow, patienceOption } from "./follow.ts";
import { countLines } from "./proposal.ts";
import { callStep } from "./step.ts";

type Options = TargetOptions & { patience: number };

const pollMs = 500;

export function simulateCommand(): Command {
	const command = new Command("simulate")
		.description("count what a checked proposal would change of the stored messages; nothing is changed")
		.argument("<proposal>", "its id, prp_…")
		.addOption(patienceOption());
	return withAct(command).action((id: string, options: Options) => run("policy simulate", () => simulate(id, options)));
}

async function simulate(id: string, options: Options): Promise<number> {
	await callStep(id, "simulate", options);
	const ask = async () => {
		const proposal = await call<PolicyProposal>(options, `/v1/policy-proposals/${encodeURIComponent(id)}`);
		const { state, simulation } = proposal;
		if (state === "withdrawn")
			throw new Refusal(`${id} was withdrawn meanwhile. Propose it again where it is still wanted.`, exitCodes.no);
		const far = { done: simulation?.counts.messages ?? 0, total: simulation?.total ?? 0, moved: simulation?.startedAt };
		return simulation?.state === "done" ? { ...far, result: proposal } : far;
	};
	const stalled = "Is a worker running? See `lethe doctor`. The simulation goes on by itself once one is.";
	const proposal = await follow("simulating", ask, { pollMs, patience: options.patience, stalled });
	if (options.json) console.log(JSON.stringify(proposal, null, 2));
	else {
		for (const line of countLines(proposal.simulation?.counts ?? {}, proposal.simulation?.samples)) console.log(line);
		console.log(`next, by somebody else: lethe policy approve ${id}`);
	}
	return exitCodes.yes;
}
