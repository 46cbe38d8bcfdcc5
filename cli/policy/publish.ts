// `lethe policy publish PROPOSAL`: puts an approved version in force from a date, and shows it being applied to what is stored.

import { Command } from "commander";
import { exitCodes, Refusal, run } from "../run.ts";
import { call, type TargetOptions, withAct } from "./call.ts";
import { follow, patienceOption } from "./follow.ts";
import type { PolicyList } from "./list.ts";
import { countLines, proposalLine } from "./proposal.ts";
import { callStep } from "./step.ts";

type Options = TargetOptions & { from?: string; wait?: boolean; patience: number };

const pollMs = 1_000;

export function publishCommand(): Command {
	const command = new Command("publish")
		.description("put an approved proposal in force: from its date, or in a few seconds")
		.argument("<proposal>", "its id, prp_…")
		.option("--from <time>", "a later date, RFC 3339")
		.option("--wait", "wait until it has been applied to what is stored")
		.addOption(patienceOption());
	return withAct(command).action((id: string, options: Options) => run("policy publish", () => publish(id, options)));
}

async function publish(id: string, options: Options): Promise<number> {
	// What is published can't be taken back: a slip in a date is not to put it in force at once.
	if (options.from && Date.parse(options.from) < Date.now()) {
		throw new Refusal("--from lies in the past. Leave it out to publish now.");
	}
	const proposal = await callStep(id, "publish", options, options.from ? { from: options.from } : {});
	if (options.json) console.log(JSON.stringify(proposal, null, 2));
	else console.log(proposalLine(proposal));
	if (!options.wait || !proposal.effectiveFrom) return exitCodes.yes;
	const from = Date.parse(proposal.effectiveFrom);
	if (from - Date.now() > options.patience * 1_000) {
		const mend = `It is applied by itself from then on: see \`lethe policy list\`.`;
		console.error(`lethe policy publish: not waited for: it is in force from ${proposal.effectiveFrom}. ${mend}`);
		return exitCodes.yes;
	}
	const stalled = "It is published. Is a worker running? See `lethe doctor`. It is applied by itself once one is.";
	const counts = await follow("re-timing", () => readPass(from, options), {
		pollMs,
		patience: options.patience,
		stalled,
	});
	if (!options.json) for (const line of countLines(counts)) console.log(line);
	return exitCodes.yes;
}

/** How far the pass over the messages is that applies what is in force from then on. */
async function readPass(from: number, options: Options) {
	const { retiming } = await call<PolicyList>(options, "/v1/policies");
	if (!retiming || Date.parse(retiming.inForceFrom) < from) {
		// While its day has not come nothing is late.
		return { done: 0, moved: Date.now() < from ? String(Date.now()) : "in force" };
	}
	const { counts, total, state, startedAt } = retiming;
	const far = { done: counts.messages ?? 0, total, moved: startedAt };
	return state === "done" ? { ...far, result: counts } : far;
}
