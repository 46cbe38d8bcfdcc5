// `lethe send`: hands a message to the API and, if asked, waits for its end.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { AbuseVerdict } from "../domain/abuse.ts";
import { type ErrorCode, errorCatalogue, type FieldError } from "../domain/errors.ts";
import { finalStates } from "../domain/lifecycle.ts";
import { categories, deliverModes } from "../domain/message.ts";
import { dataClasses } from "../policies/facts.ts";
import { readGiven } from "./ask.ts";
import { addExample } from "./examples.ts";
import { type Asked, ask, readAnswer } from "./exchange.ts";
import { optionOf } from "./optionOf.ts";
import { saidOf, withKey } from "./policy/call.ts";
import { describeReason } from "./policy/describeReason.ts";
import { readNumber } from "./records.ts";
import { exitCodes, Refusal } from "./run.ts";
import { apiTarget } from "./target.ts";

type Options = {
	to: string;
	body?: string;
	template?: string;
	variable?: Record<string, string>;
	sendAt?: string;
	category: string;
	dataClass: string[];
	deliver: string;
	pin?: string;
	validFor?: string;
	lawfulBasis?: string;
	reference?: string;
	idempotencyKey?: string;
	substitute?: boolean;
	dryRun?: boolean;
	wait?: boolean;
	timeout: number;
	json?: boolean;
	url?: string;
	key?: string;
};

type Answer = {
	id?: string;
	state?: string;
	sendQueue?: string;
	releaseAt?: string;
	closesAt?: string;
	decision?: { allowed: boolean; reasons?: string[]; deferUntilUtc?: string };
	encoding?: string;
	segments?: number;
	substituted?: { characters: number; before: { segments: number } };
	route?: { sendQueue: string; carrier: string; sender: string; segmentPrice?: number };
	abuse?: AbuseVerdict[];
	refusal?: ErrorCode;
};
type Refused = { code: string; title: string; errors?: FieldError[]; decision?: { reasons?: string[] } };

const pollMs = 200;
const retryMs = 1_000;
/** Refusals that say nothing of the message: it was not asked for rightly, or could not be judged. */
const mends: Record<string, string> = {
	unauthenticated: "Give a live key with --key; `lethe admin key` makes one.",
	forbidden: "Give a key with the role `sender` with --key (`lethe admin key` makes one), or `lethe logout`.",
	invalid_request: "Correct what is named.",
	invalid_number: "Such as +12025550142.",
	reference_not_opaque: "Correct --reference.",
	idempotency_mismatch: "Take another --idempotency-key.",
};

export function sendCommand(): Command {
	const command = new Command("send")
		.description(
			"Send a message through the API; exit 1 when it is refused or, with --wait, not delivered, 2 when it can't be asked.",
		)
		.requiredOption("--to <number>", "recipient, E.164; `-` asks for it, so that no shell remembers it")
		.addOption(new Option("--body <text>", "text of the message").conflicts("template"))
		.option("--template <id>", "a template of the tenant's in place of a text")
		.addOption(
			new Option("--variable <name=value...>", "what goes into the template").argParser(addVariable).conflicts("body"),
		)
		.option("--send-at <time>", "send no sooner than this, RFC 3339 such as 2026-11-26T09:00:00Z")
		.addOption(
			new Option("--category <name>", "what kind of message it is").choices(categories).default("transactional"),
		)
		.addOption(
			new Option("--data-class <name...>", "classes of data in the text").choices(dataClasses).default(["contact"]),
		)
		.addOption(new Option("--deliver <mode>", "how it reaches the recipient").choices(deliverModes).default("auto"))
		.option(
			"--pin <pin>",
			"of a secure link: its recipient has it from another channel than the SMS; `-` asks for it, so that no shell remembers it",
		)
		.option("--valid-for <duration>", "give up after this, ISO 8601 such as PT1H")
		.option("--lawful-basis <basis>", "GDPR Art. 6(1) basis such as contract")
		.option("--reference <token>", "your own opaque token")
		.option("--idempotency-key <key>", "the same key sends once (default: a random one)")
		.option("--substitute", "put look-alikes in the place of characters that would make the text UCS-2")
		.option("--dry-run", "decide only; nothing is stored or sent")
		.option("--wait", "wait for the final state")
		.option("--timeout <seconds>", "how long to wait", parseSeconds, 60)
		.option("--json", "print the answer as JSON")
		.option("--url <url>", "the API (default: the one running from this folder)", parseUrl)
		.action(send);
	return addExample(
		withKey(command, "the API key (default: whoever is signed in by `lethe login`, else the demo key)"),
		'lethe send --to +12025550142 --body "Your parcel is at the counter." --lawful-basis contract --wait',
	);
}

async function send(options: Options, command: Command): Promise<void> {
	const target = apiTarget(options);
	const idempotencyKey = options.idempotencyKey ?? randomUUID();
	const answer = await call(target, {
		method: "POST",
		path: `/v1/messages${options.dryRun ? "?dryRun=true" : ""}`,
		idempotencyKey,
		brokeOff: options.dryRun
			? "; nothing is stored. Ask again."
			: `, and may have accepted it. Repeat it with --idempotency-key ${idempotencyKey}: then it is sent once.`,
		body: {
			to: await readNumber(options.to),
			...textOf(options),
			sendAt: options.sendAt,
			category: options.category,
			dataClasses: options.dataClass,
			deliver: options.deliver,
			pin: options.pin && (await readGiven(options.pin, "PIN: ", { secret: true })),
			validFor: options.validFor,
			lawfulBasis: options.lawfulBasis,
			clientReference: options.reference,
			substitute: options.substitute,
		},
	});
	if (answer.status >= 400) return refuse(answer.status, answer.body as Refused, command);
	let message = answer.body as Answer;
	if (options.wait && message.id) message = await waitForEnd(target, message.id, options);
	if (options.json) process.stdout.write(`${JSON.stringify(message, null, 2)}\n`);
	else process.stdout.write(`${message.id ? `${message.id} ${message.state}` : describeDryRun(message)}\n`);
	const denied = options.dryRun && !wouldBeAccepted(message);
	if (denied || (options.wait && message.id && message.state !== "delivered")) process.exitCode = exitCodes.no;
}

/** @throws Error when there is neither a text nor a template */
function textOf({ body, template, variable }: Options): object {
	if (body === undefined && template === undefined) throw new Error("give a text with --body, or --template.");
	return template === undefined ? { body } : { template, variables: variable ?? {} };
}

function addVariable(text: string, before: Record<string, string> = {}): Record<string, string> {
	const at = text.indexOf("=");
	if (at < 1) throw new InvalidArgumentError("Give NAME=VALUE.");
	return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function refuse(status: number, refusal: Refused, command: Command): void {
	const { json } = command.opts<Options>();
	const { code, errors = [], decision } = refusal;
	// What a script reads is the problem as the API told it; people have their line beside it.
	if (json) process.stdout.write(`${JSON.stringify(refusal, null, 2)}\n`);
	const details = [
		...errors.map(({ pointer, detail }) => (pointer ? `${optionOf(pointer, command)}: ${detail}` : detail)),
		...(decision?.reasons ?? []).map(describeReason),
		...(mends[code] ? [mends[code]] : []),
	];
	process.stderr.write(`lethe send: ${[saidOf(refusal), ...details].join(" ")}\n`);
	process.exitCode = status === 401 || status >= 500 || code in mends ? exitCodes.misuse : exitCodes.no;
}

/** The policies allow it, a send queue may have it, and none of the tenant's own limits refuses it. */
function wouldBeAccepted({ decision, refusal, route, abuse = [] }: Answer): boolean {
	return (
		decision?.allowed === true &&
		refusal === undefined &&
		route !== undefined &&
		abuse.every(({ verdict }) => verdict !== "refused")
	);
}

/** The verdict, then what it would cost and take, a line each. */
function describeDryRun(answer: Answer): string {
	const { decision, refusal, encoding, segments = 0, substituted, route, abuse = [] } = answer;
	const instead = substituted
		? ` instead of ${substituted.before.segments}, with ${substituted.characters} characters substituted`
		: "";
	const limited = abuse.filter(({ verdict }) => verdict !== "passed");
	const refusals = limited.flatMap(({ verdict, reason }) => (verdict === "refused" ? [reason] : []));
	const noRoute = decision?.allowed && !route ? ["NO_ROUTE"] : [];
	const reasons = decision?.reasons ?? [];
	const codes = [...reasons, ...noRoute, ...refusals, ...(refusal ? [refusal] : [])].join(", ");
	return [
		`dry run: ${wouldBeAccepted(answer) ? "allowed" : "refused"} (${codes}); ${segments} SMS in ${encoding}${instead}`,
		...(route ? [`route: ${describeRoute(route, segments)}`] : []),
		...(noRoute.length > 0 ? ["route: none; docs/routing.md says which send queues may have a message"] : []),
		...(decision?.deferUntilUtc ? [`not before ${decision.deferUntilUtc}`] : []),
		...limited.map(({ check, verdict, reason, country, limit, seen }) => {
			const count = limit === undefined ? "" : `, ${seen} of ${limit}`;
			return `${check} ${country}: ${verdict === "noted" ? "watched only, would be refused" : verdict} (${reason}${count})`;
		}),
		...(refusal ? [`${refusal}: ${errorCatalogue[refusal].title}`] : []),
		...reasons.map(describeReason),
	].join("\n");
}

function describeRoute(route: NonNullable<Answer["route"]>, segments: number): string {
	const { sendQueue, carrier, sender, segmentPrice } = route;
	// What binary fractions add is none of the price.
	const price = (amount: number) => String(Number(amount.toFixed(6)));
	const cost =
		segmentPrice === undefined
			? "no price set"
			: `${price(segmentPrice)} a segment, ${price(segmentPrice * segments)} in all`;
	return `${sendQueue}, carrier ${carrier}, sender ${sender}, ${cost}`;
}

function parseSeconds(text: string): number {
	if (/^\d{1,6}$/.test(text)) return Number(text);
	throw new InvalidArgumentError("Give whole seconds.");
}

function parseUrl(text: string): string {
	if (URL.canParse(text) && /^https?:/.test(text)) return text;
	throw new InvalidArgumentError("Give the API's URL, such as https://lethe.example.");
}

async function waitForEnd(target: ReturnType<typeof apiTarget>, id: string, options: Options): Promise<Answer> {
	const end = Date.now() + options.timeout * 1000;
	// Whoever interrupts this must not send it again.
	if (!options.json) process.stderr.write(`${id} is accepted\n`);
	let state = "accepted";
	for (;;) {
		const answer = await look(target, id);
		if ("why" in answer && (!answer.passes || Date.now() > end)) {
			throw new Error(
				`${id} was accepted, but its state can't be read: ${answer.why} Don't send it again: ask \`lethe messages show ${id}\` later.`,
			);
		}
		if ("why" in answer) {
			await sleep(retryMs);
			continue;
		}
		if (answer.state && answer.state !== state && !options.json) process.stderr.write(`${answer.state}\n`);
		state = answer.state ?? state;
		if ((finalStates as string[]).includes(state)) return answer;
		if (Date.now() > end) {
			process.stderr.write(
				`lethe send: not final after ${options.timeout} s: it is ${describeWaiting(answer)}. It goes on; wait longer with --timeout.\n`,
			);
			return answer;
		}
		await sleep(pollMs);
	}
}

/** How a message stands, or why that can't be told, and whether that may pass: an API restarts, or has too much to do. */
async function look(
	target: ReturnType<typeof apiTarget>,
	id: string,
): Promise<Answer | { why: string; passes: boolean }> {
	try {
		const { status, body } = await call(target, { method: "GET", path: `/v1/messages/${id}`, brokeOff: "." });
		if (status < 400) return body as Answer;
		return { why: `the API answers ${status}.`, passes: status === 429 || status >= 500 };
	} catch (error) {
		return { why: (error as Error).message, passes: true };
	}
}

/** Where it stands, and where to look for why. */
function describeWaiting({ state, sendQueue, releaseAt, closesAt }: Answer): string {
	if (state === "queued") return `queued on ${sendQueue}; \`lethe queue list\` says why`;
	if (state === "deferred" && releaseAt) return `deferred until ${releaseAt}`;
	if (state === "submitted") return `submitted, and its receipt is waited for until ${closesAt}`;
	return String(state);
}

/** @throws Refusal when nothing answers, when the answer breaks off, or when it is not one of Lethe's */
async function call(
	{ url, apiKey }: ReturnType<typeof apiTarget>,
	asked: Omit<Asked, "bearer">,
): Promise<{ status: number; body: Answer | Refused }> {
	const whole = { ...asked, bearer: apiKey };
	const response = await ask(url, whole);
	const { status } = response;
	const body = parse(await readAnswer(response, url, whole));
	// Every refusal of Lethe's has a code.
	if (body === undefined || (status >= 400 && !("code" in body))) {
		throw new Refusal(`what answers at ${url} is not Lethe's API (status ${status}). Correct --url.`);
	}
	return { status, body };
}

function parse(text: string): Answer | Refused | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? value : undefined;
	} catch {
		return undefined;
	}
}
