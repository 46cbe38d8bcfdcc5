// Calls of the API, with the options that every such command takes.

import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { readGiven } from "../ask.ts";
import { type Asked, ask, readAnswer, refuseBrokenOff } from "../exchange.ts";
import { optionOf } from "../optionOf.ts";
import { exitCodes, Refusal } from "../run.ts";
import { apiTarget } from "../target.ts";

export type TargetOptions = { url?: string; key?: string; json?: boolean };

type Problem = {
	code?: string;
	title?: string;
	retryable?: boolean;
	state?: string;
	reason?: string;
	errors?: { pointer: string; detail: string }[];
};

/** The command that runs, of which a process has one: what is wrong is told by its options. */
let acting: Pick<Command, "options" | "opts"> = { options: [], opts: () => ({}) as never };

/** Adds the options that name a deployment and the form of the answer. */
export function withTarget(command: Command): Command {
	const whose = "the API key that acts (default: whoever is signed in by `lethe login`, else the demo key)";
	return withKey(command, whose)
		.hook("preAction", (_, actionCommand) => {
			acting = actionCommand;
		})
		.option("--json", "print the answer as JSON")
		.option("--url <url>", "the API (default: the one running from this folder)");
}

/** Adds the option of an API key, which is asked for before the command runs where it is `-`. */
export function withKey(command: Command, description: string): Command {
	return command
		.option("--key <key>", `${description}; \`-\` asks for it, so that no shell remembers it`)
		.hook("preAction", async (_, actionCommand) => {
			const { key } = actionCommand.opts<TargetOptions>();
			if (key === "-") actionCommand.setOptionValue("key", await readGiven(key, "API key: ", { secret: true }));
		});
}

/** The same of a command that makes something or moves it on: a repeat of it can be told from another act. */
export function withAct(command: Command): Command {
	return withTarget(command).option(
		"--idempotency-key <key>",
		"the same key does it once, by whichever repeat (default: a random one)",
	);
}

/** The JSON or text of an answer; with a body it is a POST unless told. @throws Refusal as `request` does */
export async function call<Answer>(
	options: TargetOptions,
	path: string,
	body?: object,
	method?: "DELETE",
): Promise<Answer> {
	const { url, apiKey } = apiTarget(options);
	return callAt({ url, bearer: apiKey, json: options.json }, path, body, method);
}

/** The same of an API by its URL, as whoever `bearer` stands for; without it, as nobody. */
export async function callAt<Answer>(at: At, path: string, body?: object, method?: "DELETE"): Promise<Answer> {
	const asked = askedOf(at, path, body, method);
	const response = await answerOf(at, asked);
	const text = await readAnswer(response, at.url, asked);
	return (isJson(response) ? parse(text, at, asked) : text) as Answer;
}

/**
 * An answer that is none of a problem, to be read piece by piece.
 * @throws Refusal with what the API said: misuse for a request that can't be right, else a negative answer
 */
export async function request(options: TargetOptions, path: string): Promise<Response> {
	const { url, apiKey } = apiTarget(options);
	const at = { url, bearer: apiKey, json: options.json };
	return answerOf(at, askedOf(at, path));
}

type At = { url: string; bearer: string | undefined; json?: boolean | undefined };

function askedOf({ bearer }: At, path: string, body?: object, method: string = body ? "POST" : "GET"): Asked {
	const given = acting.opts<{ idempotencyKey?: string }>().idempotencyKey;
	const idempotencyKey = method === "POST" ? (given ?? randomUUID()) : undefined;
	return { method, path, bearer, body, idempotencyKey, brokeOff: brokeOff({ method, path, idempotencyKey }) };
}

function brokeOff({ method, path, idempotencyKey }: Pick<Asked, "method" | "path" | "idempotencyKey">): string {
	if (method === "GET" || /\/search(\?|$)/.test(path)) return ". Repeat it.";
	const isOffered = acting.options.some(({ long }) => long === "--idempotency-key");
	return isOffered
		? `, and may have done it. Repeat it with --idempotency-key ${idempotencyKey}: then it is done once.`
		: ", and may have done it. See whether it has before you repeat it.";
}

async function answerOf({ url, json }: At, asked: Asked): Promise<Response> {
	const response = await ask(url, asked);
	if (response.ok) return response;
	const text = await readAnswer(response, url, asked);
	const problem = isJson(response) ? (parse(text, { url }, asked) as Problem) : {};
	throw toRefusal(response.status, problem, { json });
}

/** JSON that was cut is an answer that broke off, also where the connection ended as if it were whole. */
function parse(text: string, { url }: Pick<At, "url">, asked: Asked): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return refuseBrokenOff(url, asked);
	}
}

function isJson(response: Response): boolean {
	return /[/+]json/.test(response.headers.get("content-type") ?? "");
}

/** Whether a deployment is named, or runs from this folder. */
export function hasTarget(options: TargetOptions): boolean {
	try {
		apiTarget(options);
		return true;
	} catch {
		return false;
	}
}

/** What to do about a refusal that is not about what was asked for, but about who asks. */
const mends: Record<string, string> = {
	forbidden: "Sign in with `lethe login` as somebody who has it; keys can have every role but approver.",
	person_required: "Sign in with `lethe login`, and leave --key out.",
	fresh_mfa_required: "Run `lethe login` again.",
	unauthenticated: "Give a live key with --key, or sign in again with `lethe login`.",
	sign_in_failed: "Try again with the next code; an administrator can have you enrol anew.",
	not_found: "Correct its id, or act as the tenant that has it.",
	enrolment_invalid: "Ask for another with `lethe admin person renew`.",
};

// The faults of a pack are the answer, one a line; what else went wrong fits into the one line of the error.
function toRefusal(status: number, problem: Problem, { json }: { json?: boolean | undefined }): Refusal {
	const { code = String(status), title = "refused", retryable = false, state, reason, errors = [] } = problem;
	if (json) console.log(JSON.stringify(problem));
	const misuse = status === 400 || status === 401 || status >= 500;
	const exitCode = misuse ? exitCodes.misuse : exitCodes.no;
	if (code === "policy_refused") {
		if (!json) for (const { detail } of errors) console.log(detail);
		return new Refusal(
			`${code}: ${errors.length} fault(s): correct them and propose the text again.`,
			exitCode,
			status,
		);
	}
	const where = errors
		.map(({ pointer, detail }) => (pointer ? `${optionOf(pointer, acting)}: ${detail}` : detail))
		.join(" ");
	const more = [
		state ? `It is ${state}.` : "",
		reason ? `It is ${reason.replaceAll("_", " ")}.` : "",
		where,
		mends[code] ?? (where || state || reason ? "" : retryable ? "Repeat it later." : "See docs/errors.md."),
	];
	return new Refusal([saidOf({ code, title, errors }), ...more].filter(Boolean).join(" "), exitCode, status);
}

/** How a refusal begins. What is wrong with which field says all that the title of a wrong request would, and better. */
export function saidOf({
	code,
	title,
	errors = [],
}: {
	code: string;
	title: string;
	errors?: { pointer: string }[];
}): string {
	const isTold = code === "invalid_request" && errors.some(({ pointer }) => pointer !== "");
	return isTold ? `${code}:` : `${code}: ${title}`;
}
