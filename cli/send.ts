// `lethe send`: hands a message to the API and, if asked, waits for its end.

import { randomUUID } from "node:crypto";
import { Command, Option } from "commander";
import { categories, deliverModes } from "../domain/message.ts";
import { apiTarget } from "./target.ts";

type Options = {
	to: string;
	body: string;
	category: string;
	dataClass: string[];
	deliver: string;
	validFor?: string;
	lawfulBasis?: string;
	reference?: string;
	idempotencyKey: string;
	dryRun?: boolean;
	wait?: boolean;
	timeout: string;
	json?: boolean;
	url?: string;
	key?: string;
};

type Answer = { id?: string; state?: string; code?: string; title?: string; decision?: { reasons?: string[] } };

const finalStates = ["delivered", "undelivered", "expired", "cancelled", "rejected", "unknown"];
const pollMs = 200;

export function sendCommand(): Command {
	return new Command("send")
		.description("Send a message through the API; exit 1 when it is refused or, with --wait, not delivered.")
		.requiredOption("--to <number>", "recipient, E.164")
		.requiredOption("--body <text>", "text of the message")
		.addOption(
			new Option("--category <name>", "what kind of message it is").choices(categories).default("transactional"),
		)
		.option("--data-class <name...>", "classes of data in the text", ["contact"])
		.addOption(new Option("--deliver <mode>", "how it reaches the recipient").choices(deliverModes).default("auto"))
		.option("--valid-for <duration>", "give up after this, ISO 8601 such as PT1H")
		.option("--lawful-basis <basis>", "GDPR Art. 6(1) basis such as contract")
		.option("--reference <token>", "your own opaque token")
		.option("--idempotency-key <key>", "the same key sends once", randomUUID())
		.option("--dry-run", "decide only; nothing is stored or sent")
		.option("--wait", "wait for the final state")
		.option("--timeout <seconds>", "how long to wait", "60")
		.option("--json", "print the answer as JSON")
		.option("--url <url>", "the API (default: the one running from this folder)")
		.option("--key <key>", "the API key (default: the demo key)")
		.action(send);
}

async function send(options: Options): Promise<void> {
	const target = apiTarget(options);
	const answer = await call(
		target,
		"POST",
		`/v1/messages${options.dryRun ? "?dryRun=true" : ""}`,
		options.idempotencyKey,
		{
			to: options.to,
			body: options.body,
			category: options.category,
			dataClasses: options.dataClass,
			deliver: options.deliver,
			validFor: options.validFor,
			lawfulBasis: options.lawfulBasis,
			clientReference: options.reference,
		},
	);
	if (answer.status >= 400) {
		const { code, title, decision } = answer.body;
		process.stderr.write(`${code ?? answer.status}: ${title ?? "refused"} ${decision?.reasons?.join(", ") ?? ""}\n`);
		process.exitCode = answer.status === 400 ? 2 : 1;
		return;
	}
	let message = answer.body;
	if (options.wait && message.id) message = await waitForEnd(target, message.id, options);
	if (options.json) process.stdout.write(`${JSON.stringify(message, null, 2)}\n`);
	else
		process.stdout.write(`${message.id ?? "dry run"} ${message.state ?? JSON.stringify(message.decision?.reasons)}\n`);
	if (options.wait && message.state !== "delivered") process.exitCode = 1;
}

async function waitForEnd(target: ReturnType<typeof apiTarget>, id: string, options: Options): Promise<Answer> {
	const end = Date.now() + Number(options.timeout) * 1000;
	let state = "";
	for (;;) {
		const { body } = await call(target, "GET", `/v1/messages/${id}`);
		if (body.state && body.state !== state && !options.json) process.stderr.write(`${body.state}\n`);
		state = body.state ?? state;
		if (finalStates.includes(state) || Date.now() > end) return body;
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}

async function call(
	target: ReturnType<typeof apiTarget>,
	method: string,
	path: string,
	idempotencyKey?: string,
	body?: unknown,
): Promise<{ status: number; body: Answer }> {
	const response = await fetch(new URL(path, target.url), {
		method,
		headers: {
			authorization: `Bearer ${target.apiKey}`,
			...(body ? { "content-type": "application/json" } : {}),
			...(idempotencyKey ? { "idempotency-key": idempotencyKey } : {}),
		},
		...(body ? { body: JSON.stringify(body) } : {}),
	}).catch(() => {
		throw new Error(`the API at ${target.url} does not answer. Is it running? See \`lethe doctor\`.`);
	});
	return { status: response.status, body: (await response.json()) as Answer };
}
