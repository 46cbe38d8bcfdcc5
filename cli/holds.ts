// `lethe holds`: what must not be erased, placed and released by people who write no programs.

import { Command, Option } from "commander";
import type { Hold } from "../client/types.ts";
import { holdScopes, isWide } from "../domain/subject.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct } from "./policy/call.ts";
import { act, listOf, numberHelp, parseTime, readNumber, show, stepOf } from "./records.ts";

type PlaceOptions = TargetOptions & Record<string, string | undefined> & { number?: string; scope: string };

const base = "/v1/holds";

export function holdsCommand(): Command {
	return new Command("holds")
		.description("place, list, approve, reject and release legal holds: what is held is not erased")
		.addCommand(
			listOf<Hold>(new Command("list").description("list the holds, newest first, without numbers"), {
				path: () => base,
				line: lineOf,
				example: "lethe holds list --limit 50",
			}),
		)
		.addCommand(placeCommand())
		.addCommand(
			step("approve", "approve a hold that names you as its approver; as you, who signed in with `lethe login`"),
		)
		.addCommand(step("reject", "reject a hold that names you as its approver: it ends as by a release"))
		.addCommand(step("release", "release a hold; what it kept beyond its time is erased soon"));
}

function placeCommand(): Command {
	const command = new Command("place").description("place a hold on a message, a number, a period or everything");
	return addExample(
		withAct(command),
		"lethe holds place --scope subject --number - --ground litigation --reason case-4711",
	)
		.addOption(new Option("--scope <scope>", "what it holds").choices(holdScopes).makeOptionMandatory())
		.requiredOption("--ground <word>", "why, in a word such as litigation")
		.option("--number <number>", `of scope subject: ${numberHelp}`)
		.option("--message <id>", "of scope message: its id")
		.option("--from <time>", "of scope period: messages accepted from then on, RFC 3339", parseTime)
		.option("--to <time>", "and until then (default: those to come too)", parseTime)
		.option("--reason <token>", "your own opaque reference to the matter")
		.option("--approved-by <token>", "id of who approves it; needed for a period and for everything")
		.option("--review-at <time>", "when it is looked at again; needed for a period and for everything", parseTime)
		.action((options: PlaceOptions) =>
			act("holds place", async () => {
				const { scope, ground, number, message: messageId, from, to, reason, approvedBy, reviewAt } = options;
				const concerned = { messageId, from, to, ...(number !== undefined && { number: await readNumber(number) }) };
				const about = { scope, ground, reason, approvedBy, reviewAt };
				show(options, await call<Hold>(options, base, { ...about, ...concerned }), (hold) => [lineOf(hold)]);
			}),
		);
}

function step(name: string, description: string): Command {
	const command = new Command(name).description(description);
	const example = `lethe holds ${name} hld_…`;
	return stepOf<Hold>(command, { base, of: "hold", lines: (hold) => [lineOf(hold)], example });
}

function lineOf(hold: Hold): string {
	const { id, scope, ground, reason, messageId, from, to, reviewAt, approvedBy, approvedAt, placedAt, released } = hold;
	const of = messageId ?? (from ? `${from} to ${to ?? "all to come"}` : "");
	const approval = approvedAt
		? `approved by ${approvedBy} at ${approvedAt}`
		: released
			? ""
			: `waits for ${approvedBy}`;
	const ended = released?.source === "rejected" ? `rejected by ${released.by}` : "released";
	const review = reviewAt && Date.parse(reviewAt) <= Date.now() ? "review was due at" : "review at";
	const end = released ? `${ended} at ${released.at}` : `since ${placedAt}${reviewAt ? `, ${review} ${reviewAt}` : ""}`;
	return [
		id,
		scope.padEnd(8),
		[ground, reason].filter(Boolean).join("/"),
		of,
		end,
		reachOf(hold),
		approvedBy && approval,
	]
		.filter(Boolean)
		.join("  ");
}

/** How far one on a period or on everything has come: it is put on message by message, and permits no purge meanwhile. */
function reachOf(hold: Hold): string {
	const { appliedAt, released } = hold;
	if (released || !isWide(hold)) return "";
	return appliedAt ? `on all of it since ${appliedAt}` : "being put on, nothing is purged meanwhile";
}
