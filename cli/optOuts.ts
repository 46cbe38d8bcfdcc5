// `lethe opt-outs`: what recipients no longer want, recorded, looked up and lifted.

import { Command, Option } from "commander";
import type { OptedOut, OptOut } from "../client/types.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct } from "./policy/call.ts";
import { act, listOf, numberHelp, parseTime, readNumber, show, withExample } from "./records.ts";
import { exitCodes, run } from "./run.ts";

type Numbered = TargetOptions & { number: string };

const base = "/v1/opt-outs";

export function optOutsCommand(): Command {
	return new Command("opt-outs")
		.description("record, look up and lift what recipients have opted out of")
		.addCommand(
			listOf<OptOut>(new Command("list").description("list the opt-outs, newest first, without numbers"), {
				path: () => base,
				line: lineOf,
				example: "lethe opt-outs list --json",
			}),
		)
		.addCommand(checkCommand())
		.addCommand(recordCommand())
		.addCommand(liftCommand());
}

function checkCommand(): Command {
	const command = new Command("check").description("the opt-outs of a number; exit 1 when one stands");
	return withExample(command, "lethe opt-outs check --number -")
		.requiredOption("--number <number>", numberHelp)
		.action((options: Numbered) =>
			run("opt-outs check", async () => {
				const found = await call<OptedOut>(options, `${base}/search`, { number: await readNumber(options.number) });
				show(options, found, linesOf);
				return found.optedOut === "none" ? exitCodes.yes : exitCodes.no;
			}),
		);
}

function recordCommand(): Command {
	const command = new Command("record").description("record that a recipient has opted out; in force at once");
	return addExample(withAct(command), "lethe opt-outs record --number - --scope marketing")
		.requiredOption("--number <number>", numberHelp)
		.addOption(new Option("--scope <scope>", "what it blocks").choices(["marketing", "all"]).makeOptionMandatory())
		.option("--at <time>", "when they opted out, RFC 3339 (default: now)", parseTime)
		.action((options: Numbered & { scope: string; at?: string }) =>
			act("opt-outs record", async () => {
				const { scope, at } = options;
				const body = { number: await readNumber(options.number), scope, at };
				show(options, await call<OptedOut>(options, base, body), linesOf);
			}),
		);
}

function liftCommand(): Command {
	const command = new Command("lift").description("lift an opt-out for an opt-in that the recipient gave after it");
	return addExample(withAct(command), "lethe opt-outs lift opt_… --obtained-at 2026-11-26T09:00:00Z --evidence form-12")
		.argument("<id>", "the opt-out's id")
		.requiredOption("--obtained-at <time>", "when they opted in again, RFC 3339", parseTime)
		.requiredOption("--evidence <token>", "where the proof is kept")
		.action((id: string, options: TargetOptions & { obtainedAt: string; evidence: string }) =>
			act("opt-outs lift", async () => {
				const { obtainedAt, evidence } = options;
				const lifted = await call<OptOut>(options, `${base}/${encodeURIComponent(id)}/lift`, { obtainedAt, evidence });
				show(options, lifted, (optOut) => [lineOf(optOut)]);
			}),
		);
}

function linesOf({ optedOut, items }: OptedOut): string[] {
	return [optedOut === "none" ? "no opt-out stands" : `blocked: ${optedOut}`, ...items.map(lineOf)];
}

function lineOf({ id, scope, source, at, lifted }: OptOut): string {
	return `${id}  ${scope.padEnd(9)}  ${source.padEnd(7)}  ${at}${lifted ? `, lifted at ${lifted.at}` : ""}`;
}
