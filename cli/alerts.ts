// `lethe alerts`: what needs a person now, the worst first, with what to do about it.

import { Command } from "commander";
import type { Alert, Alerts } from "../client/types.ts";
import { call, type TargetOptions } from "./policy/call.ts";
import { show, withExample } from "./records.ts";
import { exitCodes, run } from "./run.ts";

export function alertsCommand(): Command {
	const command = new Command("alerts").description(
		"what needs a person now, the worst first; exit 1 when anything but somebody's own wish does",
	);
	return withExample(command, "lethe alerts --json").action((options: TargetOptions) =>
		run("alerts", async () => {
			const found = await call<Alerts>(options, "/v1/alerts");
			show(options, found, ({ items }) => (items.length > 0 ? items.map(lineOf) : ["all is well"]));
			return found.items.every(({ severity }) => severity === "info") ? exitCodes.yes : exitCodes.no;
		}),
	);
}

function lineOf({ code, severity, about, reason, since, mend }: Alert): string {
	const what = [code, about, reason && `(${reason})`, since && `since ${since}`].filter(Boolean).join(" ");
	return `${severity.padEnd(8)}  ${what}: ${mend}`;
}
