// Calls of the API, with the options that every such command takes.

import { randomUUID } from "node:crypto";
import type { Command } from "commander";
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
let acting: Pick<Command, "options"> = { options: [] };

/** Adds the options that name a deployment and the form of the answer. */
export function withTarget(command: Command): Command {
	return command
		.hook("preAction", (_, actionCommand) => {
			acting = actionCommand;
		})
		.option("--json", "print the answer as JSON")
		.option("--url <url>", "the API (default: the one running from this folder)")
		.option("--key <key>", "the API key that acts (default: whoever is signed in by `lethe login`, else the demo key)");
}

/** The JSON or text of an answer; with a body it is a POST unless told. @throws Refusal as `request` does */
export async function call<Answer>(
	options: TargetOptions,
	path: string,
	body?: object,
	method?: "DELETE",
): Promise<Answer> {
	const response = await request(options, path, body, method);
	const text = await response.text();
	return (isJson(response) ? JSON.parse(text) : text) as Answer;
}

/**
 * An answer that is none of a problem.
 * @throws Refusal with what the API said: misuse for a request that can't be right, else a negative answer
 */
export async function request(
	options: TargetOptions,
	path: string,
	body?: object,
	method?: "DELETE",
): Promise<Response> {
	const { url, apiKey } = apiTarget(options);
	return requestAt({ url, bearer: apiKey, json: options.json }, path, body, method);
}

/** The same of an API by its URL, as whoever `bearer` stands for; without it, as nobody. */
export async function requestAt(
	{ url, bearer, json }: { url: string; bearer: string | undefined; json?: boolean | undefined },
	path: string,
	body?: object,
	method: string = body ? "POST" : "GET",
): Promise<Response> {
	const response = await fetch(new URL(path, url), {
		method,
		headers: {
			...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
			...(body ? { "content-type": "application/json", "idempotency-key": randomUUID() } : {}),
		},
		...(body ? { body: JSON.stringify(body) } : {}),
	}).catch(() => {
		throw new Refusal(`the API at ${url} does not answer. Is it running? See \`lethe doctor\`.`);
	});
	if (response.ok) return response;
	const text = await response.text();
	throw toRefusal(response.status, isJson(response) ? (JSON.parse(text) as Problem) : {}, { json });
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
	const where = errors.map(({ pointer, detail }) => `${optionOf(pointer, acting)} ${detail}`.trim()).join("; ");
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
