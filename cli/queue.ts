// `lethe queue`: the send queues as operators see, stop and start them.

import { Command, InvalidArgumentError } from "commander";
import type { Message, MessagePage, SendQueue, SendQueues } from "../client/types.ts";
import { isWord } from "../domain/evidence.ts";
import { cancellableStates, isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import {
	type ByCountry,
	changeByCountry,
	collectByCountry,
	orNone,
	parseCountryOrAll,
	parseSegmentsPerSecond,
} from "./byCountry.ts";
import { addExamples } from "./examples.ts";
import { call, type TargetOptions, withTarget } from "./policy/call.ts";
import { exitCodes, Refusal, run } from "./run.ts";

const { backlogCountedMax } = limits;

const steps = {
	pause: "send nothing from a queue until it is resumed",
	resume: "send from a queue again",
	drain: "send what a queue has, and route nothing new to it",
} as const;

// What administrators do is looked for here, too.
const makes = "`lethe admin queue` makes or replaces a queue";
const removes = "`lethe admin remove-queue` removes one";
const elsewhere = { add: makes, create: makes, remove: removes, delete: removes };

/** Exit 0: done; 1: refused; 2: misuse. What they change is kept in the store. */
export function queueCommand(): Command {
	const queue = new Command("queue")
		.description("see, set, pause, resume and drain the send queues")
		.addHelpText("after", ({ error }) => (error ? "" : `\n${makes}; ${removes}.`));
	queue.addCommand(
		withTarget(new Command("list").description("list the queues, how full they are and how fast")).action(
			(options: TargetOptions) => run("queue list", () => list(options)),
		),
	);
	queue.addCommand(
		withTarget(
			new Command("set")
				.description("set a queue's rates, prices and its sender's registrations")
				.argument("<queue>", "its id")
				.option(
					"--rate <number>",
					"segments a second; `none` for the deployment's default",
					orNone(parseSegmentsPerSecond),
				)
				.option(
					"--country-rate <rate...>",
					"segments a second to a country, as in DE=10; `none` removes",
					collectByCountry("DE=10", parseSegmentsPerSecond),
				)
				.option(
					"--price <price...>",
					"of a segment, as in DE=0.07 or *=0.1; `none` removes",
					collectByCountry("DE=0.07", parsePrice, parseCountryOrAll),
				)
				.option(
					"--registration <reference...>",
					"of its sender in a country's registry, as in US=C-A1 or IN=entity:header:template; `none` removes",
					collectByCountry("US=C-A1", parseReference),
				),
		).action((id: string, options: SetOptions) => run("queue set", () => set(id, options))),
	);
	queue.addCommand(
		withTarget(
			new Command("doubts").description(
				"list the messages of which nobody knows what became, of the last seventeen days",
			),
		).action((options: TargetOptions) => run("queue doubts", () => doubts(options))),
	);
	for (const [name, description] of Object.entries(steps)) {
		const command = new Command(name).description(description).argument("<queue>", "its id");
		if (name !== "resume") command.option("--move", "hand what waits to other queues where it may, codes first");
		queue.addCommand(
			withTarget(command).action((id: string, options: StepOptions) =>
				run(`queue ${name}`, () => step(name, id, options)),
			),
		);
	}
	for (const [name, told] of Object.entries(elsewhere)) addElsewhere(queue, name, told);
	return addExamples(queue, examples);
}

const examples = {
	list: "lethe queue list --json",
	set: "lethe queue set main --rate 50 --price DE=0.07 --registration IN=entity:header:template",
	doubts: "lethe queue doubts --json",
	pause: "lethe queue pause main --move",
	resume: "lethe queue resume main",
	drain: "lethe queue drain main --move",
};

/** A word that is no command of these, whatever follows it: its answer names the one that is. */
function addElsewhere(queue: Command, name: string, told: string): void {
	queue
		.command(name, { hidden: true })
		.helpOption(false)
		.allowUnknownOption()
		.allowExcessArguments()
		.action(() =>
			run(`queue ${name}`, () => {
				throw new Refusal(`${told}, with the admin role.`);
			}),
		);
}

async function list(options: TargetOptions): Promise<number> {
	const answer = await call<SendQueues>(options, "/v1/queues");
	if (options.json) console.log(JSON.stringify(answer, null, 2));
	else if (answer.items.length === 0) console.log("none: `lethe admin queue` makes one.");
	else for (const queue of answer.items) console.log(lineOf(queue, queue.live?.senders));
	return exitCodes.yes;
}

type StepOptions = TargetOptions & { move?: boolean };

async function step(name: string, id: string, options: StepOptions): Promise<number> {
	await requireQueue(id, options);
	const asked = options.move ? { moveWaiting: true } : {};
	const queue = await call<SendQueue>(options, `/v1/queues/${encodeURIComponent(id)}/${name}`, asked);
	// One that was paused has its senders back within seconds: that none works it yet is no news.
	const senders = name === "resume" ? undefined : queue.live?.senders;
	console.log(options.json ? JSON.stringify(queue, null, 2) : lineOf(queue, senders));
	return exitCodes.yes;
}

async function doubts(options: TargetOptions): Promise<number> {
	const items: Message[] = [];
	let next: string | undefined;
	do {
		const path = `/v1/messages?inDoubt=true${next ? `&cursor=${encodeURIComponent(next)}` : ""}`;
		const page: MessagePage = await call(options, path);
		items.push(...page.items);
		next = page.next;
	} while (next);
	if (options.json) console.log(JSON.stringify({ items }, null, 2));
	else if (items.length === 0) console.log("none");
	for (const doubt of options.json ? [] : items) {
		const { code = "", sendQueue = "" } = doubt.attempts.at(-1) ?? {};
		const { id, state, stateAt } = doubt;
		console.log([id, state, `since ${stateAt}`, sendQueue, code, endOf(doubt)].join("  ").trimEnd());
	}
	return exitCodes.yes;
}

/** How a doubt ends if nothing comes, and whether anybody can end it before. */
function endOf({ state, expiresAt, closesAt }: Message): string {
	if (isFinal(state)) return "has ended; a late receipt still counts";
	if (cancellableStates.includes(state)) return `expires at ${expiresAt}, can be cancelled`;
	return `ends by a receipt, or by itself at ${closesAt}; past cancelling`;
}

type SetOptions = TargetOptions & {
	rate?: number | "none";
	countryRate?: ByCountry<number>;
	price?: ByCountry<number>;
	registration?: ByCountry<string>;
};

async function set(id: string, options: SetOptions): Promise<number> {
	const now = await requireQueue(id, options);
	const { rate, countryRate, price, registration } = options;
	const change = {
		...(rate !== undefined && { limitPerSecond: rate === "none" ? null : rate }),
		...(countryRate && { countryRates: changeByCountry(now.countryRates, countryRate) }),
		...(price && { prices: changeByCountry(now.prices, price) }),
		...(registration && { registrations: changeByCountry(now.registrations, registration) }),
	};
	if (Object.keys(change).length === 0) throw new Refusal("nothing is to be changed: name an option.");
	const queue = await call<SendQueue>(options, `/v1/queues/${encodeURIComponent(id)}/settings`, change);
	console.log(options.json ? JSON.stringify(queue, null, 2) : lineOf(queue, queue.live?.senders));
	return exitCodes.yes;
}

/** @throws Refusal for one that the tenant does not see */
async function requireQueue(id: string, options: TargetOptions): Promise<SendQueue> {
	const { items } = await call<SendQueues>(options, "/v1/queues");
	const found = items.find((one) => one.id === id);
	if (!found) throw new Refusal(`there is no queue ${id} of this tenant: \`lethe queue list\` names them.`);
	return found;
}

function parsePrice(text: string): number {
	const price = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
	if (!(price <= 1_000)) throw new InvalidArgumentError("Give a price of 0 to 1000 such as 0.07, or none.");
	return price;
}

function parseReference(text: string): string {
	// As the API takes it: nothing that may be somebody's number.
	if (text.length <= 64 && isWord(text)) return text;
	throw new InvalidArgumentError(
		"Give a reference such as C-A1, a letter first and no seven digits in a row, or none.",
	);
}

function lineOf(queue: SendQueue, senders: number | undefined): string {
	const { id, carrier, sender, state, prices = {} } = queue;
	const told = [paceOf(queue), backlogOf(queue), ...standing(queue, senders)].join(", ");
	return `${id.padEnd(24)}${state.padEnd(10)}${carrier} ${sender}  ${told}  ${pairsOf(prices)}`.trimEnd();
}

function paceOf({ limitPerSecond, live, shared }: SendQueue): string {
	if (shared) return "other tenants use it too";
	if (!live) return "Redis does not answer";
	const { segmentsPerSecond, waiting, delayed, active } = live;
	return `${segmentsPerSecond} of ${limitPerSecond ?? "the default"} segments/s, ${waiting} next to be sent, ${delayed} delayed, ${active} under way`;
}

/** As `queue set` takes them. */
function pairsOf(values: Record<string, string | number>): string {
	return Object.entries(values)
		.map(([country, value]) => `${country}=${value}`)
		.join(" ");
}

/** What waits behind: a queue holds two seconds of its work, and a paused one nothing at all. */
function backlogOf({ backlog, state }: SendQueue): string {
	const count = backlog >= backlogCountedMax ? `${backlogCountedMax.toLocaleString("en")} or more` : String(backlog);
	return `${count} in the backlog${state === "paused" && backlog > 0 ? " until it is resumed" : ""}`;
}

/** What is not as of any queue: what becomes of its messages, and what keeps it from sending. */
function standing(queue: SendQueue, senders: number | undefined): string[] {
	const { id, state, routed, movesWaiting, failing, failure, countryRates, registrations } = queue;
	const why = failure ? ` (${failure.code} since ${failure.since})` : "";
	return [
		...(countryRates ? [`at most ${pairsOf(countryRates)} segments/s`] : []),
		...(registrations ? [`registered as ${pairsOf(registrations)}`] : []),
		...(movesWaiting ? ["handed on where it may be"] : []),
		...(failing ? [`its carrier fails${why}`] : []),
		...(senders === 0 && state !== "paused" ? ["no sender works it"] : []),
		...(routed ? [] : [`not routed: \`lethe admin tenant routes <tenant> --send-queue … ${id}\``]),
	];
}
