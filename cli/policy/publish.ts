// `lethe policy publish PROPOSAL`: puts an approved version in force from a date, and shows it being applied to what is stored.

import { Command } from "commander";
import { createProgress } from "../progress.ts";
import { call, type TargetOptions, withTarget } from "./call.ts";
import type { PolicyList } from "./list.ts";
import { countLines, proposalLine } from "./proposal.ts";
import { exitCodes, run } from "./run.ts";
import { callStep } from "./step.ts";

type Options = TargetOptions & { from?: string; wait?: boolean };

const pollMs = 1_000;

export function publishCommand(): Command {
	const command = new Command("publish")
		.description("put an approved proposal in force: from its date, or in a few seconds")
		.argument("<proposal>", "its id, prp_…")
		.option("--from <time>", "a later date, RFC 3339")
		.option("--wait", "wait until it has been applied to what is stored");
	return withTarget(command).action((id: string, options: Options) => run("publish", () => publish(id, options)));
}

async function publish(id: string, options: Options): Promise<number> {
	const proposal = await callStep(id, "publish", options, options.from ? { from: options.from } : {});
	if (options.json) console.log(JSON.stringify(proposal, null, 2));
	else console.log(proposalLine(proposal));
	if (!options.wait || !proposal.effectiveFrom) return exitCodes.yes;
	const counts = await follow(Date.parse(proposal.effectiveFrom), options);
	if (!options.json) for (const line of countLines(counts)) console.log(line);
	return exitCodes.yes;
}

/** What the pass over the messages has counted once it is through. */
async function follow(from: number, options: Options): Promise<Record<string, number>> {
	const progress = createProgress("re-timing");
	for (;;) {
		const { retiming } = await call<PolicyList>(options, "/v1/policies");
		const begun = retiming !== undefined && Date.parse(retiming.inForceFrom) >= from;
		if (begun) progress.show(retiming.counts.messages ?? 0, retiming.total);
		if (begun && retiming.state === "done") {
			progress.end();
			return retiming.counts;
		}
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}
