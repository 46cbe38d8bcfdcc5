// `lethe messages`: what was sent, how it stands and why, and how it is stopped; without numbers and texts, which `reveal` alone tells.

import { Command, Option } from "commander";
import type { Message, RevealedMessage } from "../client/types.ts";
import { states } from "../domain/lifecycle.ts";
import { categories } from "../domain/message.ts";
import { call, type TargetOptions } from "./policy/call.ts";
import { printable } from "./printable.ts";
import { act, listOf, parseTime, show, stepOf, withExample } from "./records.ts";

const base = "/v1/messages";

/** Exit 0: done; 1: there is no such message, or it is past cancelling; 2: misuse. */
export function messagesCommand(): Command {
	return new Command("messages")
		.description("list, find, show, cancel and read messages")
		.addCommand(listCommand())
		.addCommand(searchCommand())
		.addCommand(showCommand())
		.addCommand(
			stepOf<Message>(new Command("cancel").description("cancel a message that was not handed to a carrier yet"), {
				base,
				of: "message",
				lines: (message) => [lineOf(message)],
				example: "lethe messages cancel msg_…",
			}),
		)
		.addCommand(revealCommand());
}

function listCommand(): Command {
	const command = new Command("list")
		.description("list the messages, newest first, without numbers and texts")
		.addOption(new Option("--state <state>", "only those that are so").choices(states))
		.addOption(new Option("--category <name>", "only those of this category").choices(categories))
		.option("--from <time>", "accepted then or later, RFC 3339", parseTime)
		.option("--to <time>", "and before then", parseTime);
	return listOf<Message>(command, {
		path: () => base,
		filters: ["state", "category", "from", "to"],
		line: lineOf,
		example: "lethe messages list --state queued --limit 50",
	});
}

function searchCommand(): Command {
	const command = new Command("search").description(
		"list the messages to a number, newest first; that somebody asked is in the evidence log before it is answered",
	);
	return listOf<Message>(command, {
		path: () => `${base}/search`,
		ofNumber: true,
		line: lineOf,
		example: "lethe messages search --number -",
	});
}

/** To a person who has just signed in, and to nobody by a key. */
function revealCommand(): Command {
	const command = new Command("reveal").description(
		"read a message's number and text, signed in by `lethe login`; who did and what for is in the evidence log first",
	);
	return withExample(command, "lethe messages reveal msg_… --purpose complaint --ticket case-4711")
		.argument("<id>", "the message's id")
		.requiredOption("--purpose <word>", "what for, in a word")
		.requiredOption("--ticket <token>", "of which matter; of what a hold keeps beyond its time, the hold's own reason")
		.action((id: string, options: TargetOptions & { purpose: string; ticket: string }) =>
			act("messages reveal", async () => {
				const { purpose, ticket } = options;
				const path = `${base}/${encodeURIComponent(id)}/reveal`;
				show(options, await call<RevealedMessage>(options, path, { purpose, ticket }), ({ number, text }) => [
					number ?? "the number is erased",
					printable(text ?? "the text is its recipient's alone to read"),
				]);
			}),
		);
}

function showCommand(): Command {
	const command = new Command("show").description("show one message: its attempts, and until when what of it is kept");
	return withExample(command, "lethe messages show msg_…")
		.argument("<id>", "the message's id")
		.action((id: string, options: TargetOptions) =>
			act("messages show", async () => {
				show(options, await call<Message>(options, `${base}/${encodeURIComponent(id)}`), linesOf);
			}),
		);
}

function lineOf({ id, state, stateAt, category, country, sendQueue = "", clientReference = "" }: Message): string {
	const fields = [id, state.padEnd(11), `since ${stateAt}`, category.padEnd(13), country, sendQueue, clientReference];
	return fields.filter(Boolean).join("  ");
}

function linesOf(message: Message): string[] {
	const { id, state, acceptedAt, releaseAt, expiresAt, held, decision, attempts, retention, certificates } = message;
	const { allowed, reasons = [] } = decision;
	const release = releaseAt ? `, sent not before ${releaseAt}` : "";
	return [
		lineOf(message),
		`  accepted ${acceptedAt}${release}, given up at ${expiresAt}`,
		`  ${allowed ? "allowed" : "refused"} (${reasons.join(", ")}): \`lethe policy explain ${id}\` says why`,
		...attempts.map((one) =>
			[`  attempt ${one.number} ${one.state} since ${one.startedAt}`, one.sendQueue, one.code]
				.filter(Boolean)
				.join("  "),
		),
		// What was allowed at its acceptance may have been refused since.
		...(state === "rejected" ? [`  rejected${codeOf(message)}`] : []),
		...(held ? ["  held: nothing of it is erased"] : []),
		...Object.entries(retention).flatMap(([object, kept]) => (kept ? [`  ${keptOf(object, kept)}`] : [])),
		...certificates.map((one) => `  certificate ${one}`),
	];
}

function codeOf({ evidence, state }: Message): string {
	const code = evidence.findLast(({ type }) => type === state)?.code;
	return code ? `: ${code}` : "";
}

function keptOf(object: string, { eraseBy, erasedAt }: { eraseBy: string; erasedAt?: string }): string {
	const name = object.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
	if (erasedAt) return `${name} erased at ${erasedAt}`;
	return Date.parse(eraseBy) > Date.now()
		? `${name} kept until ${eraseBy}`
		: `${name} not erased yet, due since ${eraseBy}`;
}
