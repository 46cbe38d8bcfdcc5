// The marked messages: which kinds are sent through the API, what it is given that it must refuse, and how each ended.

import { setTimeout as sleep } from "node:timers/promises";
import { generateKey } from "../../client/e2ee.ts";
import { limits } from "../../domain/limits.ts";
import { type TextVersion, textVersions } from "../../domain/subject.ts";
import { registerKey } from "../registerKey.ts";
import { type KeptAnswer, keepAnswer } from "./answers.ts";
import type { Term } from "./encodings.ts";

/** `ending`: the number's last two digits, by which the simulated carrier knows what to do. */
type Kind = {
	label: string;
	ending: string;
	category: string;
	country?: "germany" | "unitedStates";
	/** Without it the canary would have proven too little. */
	essential?: true;
	/** It goes by link, with the marked PIN. */
	link?: true;
	/** It goes end-to-end encrypted, to a key that is registered for the number first. */
	encrypted?: TextVersion;
	/** Left for later, and cancelled. */
	cancel?: true;
	more?: Record<string, unknown>;
};

const consent = {
	type: "express_written",
	obtainedAt: "2024-01-01T00:00:00Z",
	purposes: ["marketing"],
	evidence: true,
};

const kinds: Kind[] = [
	{ label: "delivered", ending: "42", category: "transactional", essential: true },
	{
		label: "one-time code",
		ending: "42",
		category: "otp",
		more: { dataClasses: ["contact", "otp_secret"], validFor: "PT2M" },
	},
	{ label: "delivered, United States", ending: "42", category: "transactional", country: "unitedStates" },
	{ label: "undelivered", ending: "11", category: "transactional" },
	{ label: "expired at the carrier", ending: "12", category: "transactional" },
	{ label: "rejected number", ending: "30", category: "transactional", essential: true },
	{ label: "retried after 429", ending: "21", category: "transactional", essential: true },
	{ label: "retried after 503", ending: "22", category: "transactional" },
	{ label: "receipt before the answer, parked", ending: "17", category: "transactional", essential: true },
	{ label: "duplicate receipts", ending: "15", category: "transactional" },
	{ label: "receipts out of order", ending: "16", category: "transactional" },
	{ label: "forged receipt", ending: "18", category: "transactional" },
	{ label: "garbled answer", ending: "29", category: "transactional" },
	{ label: "connection reset after accepting", ending: "27", category: "transactional" },
	{ label: "marketing with consent", ending: "42", category: "marketing", more: { consent, lawfulBasis: "consent" } },
	{ label: "marketing without consent", ending: "42", category: "marketing" },
	{
		label: "health, by link with a PIN",
		ending: "42",
		category: "health",
		essential: true,
		link: true,
		more: { dataClasses: ["contact", "health"], context: { art9Condition: "9(2)(h)" } },
	},
	{
		label: "secure link",
		ending: "42",
		category: "transactional",
		essential: true,
		more: { deliver: "secure_link" },
	},
	...textVersions.map((encrypted) => ({
		label: `end-to-end encrypted, ${encrypted}`,
		ending: "42",
		category: "transactional",
		essential: true as const,
		encrypted,
		more: { deliver: "e2ee" },
	})),
	{ label: "cancelled", ending: "42", category: "transactional", cancel: true },
];

const finalStates = new Set(["delivered", "undelivered", "expired", "cancelled", "rejected", "unknown"]);
const pollEveryMs = 500;

export type MarkedMessage = {
	label: string;
	essential: boolean;
	id?: string;
	/** A state, or `refused` with the API's code. */
	outcome: string;
	final: boolean;
};

/** `pin`: of the links that have one. */
export type Marks = { text: Term; pin: Term; numbers: Term[] };

/** Fresh marks: letters that occur nowhere else, and a number for every kind of message. */
export function createMarks(randomBytes: (size: number) => Uint8Array): Marks {
	return {
		text: { label: "text", kind: "text", value: randomLetters(randomBytes(24)) },
		pin: { label: "PIN", kind: "text", value: randomLetters(randomBytes(limits.pinCharactersMax)) },
		numbers: [...kinds, { label: "refused", ending: "42", country: "germany" } as const].map((kind) => ({
			label: `number of "${kind.label}"`,
			kind: "number",
			value: randomNumber(kind.country ?? "germany", kind.ending, randomBytes(8)),
		})),
	};
}

/** Marks of the same form that are planted, so that finding them proves the reading. */
export function createControls(randomBytes: (size: number) => Uint8Array): Term[] {
	return [
		{ label: "control text", kind: "text", value: randomLetters(randomBytes(24)) },
		{ label: "control number", kind: "number", value: randomNumber("germany", "42", randomBytes(8)) },
	];
}

/**
 * Sends one message of each kind, and requests that must be refused without leaving a trace; then waits until all are final.
 * @throws Error when the API does not answer
 */
export async function sendMarkedMessages(options: {
	url: string;
	apiKey: string;
	marks: Marks;
	/** The only one that they may have. */
	sender?: string | undefined;
	patienceMs: number;
	signal: AbortSignal;
	progress: (line: string) => void;
	/** Takes every answer that is an error. */
	errors: KeptAnswer[];
}): Promise<MarkedMessage[]> {
	const call = createCall(options);
	const way = options.sender === undefined ? {} : { sender: options.sender };
	const messages: MarkedMessage[] = [];
	for (const [index, kind] of kinds.entries()) {
		const number = options.marks.numbers[index] as Term;
		if (kind.encrypted) await registerFor(call, number.value, kind.encrypted);
		const answer = await call("POST", "/v1/messages", { ...bodyOf(kind, number.value, options.marks), ...way });
		const id = answer.status < 300 ? String(answer.body.id) : undefined;
		messages.push({
			label: kind.label,
			essential: kind.essential ?? false,
			...(id ? { id } : {}),
			outcome: id ? "accepted" : `refused: ${String(answer.body.code ?? answer.status)}`,
			final: !id,
		});
		if (id && kind.cancel) await call("POST", `/v1/messages/${id}/cancel`, {});
	}
	await sendRefused(call, options.marks, way);
	options.progress(`sent ${messages.length} marked messages, waiting until all are final`);
	await untilFinal(call, messages, options);
	return messages;
}

function bodyOf(kind: Kind, to: string, { text: { value: mark }, pin }: Marks): Record<string, unknown> {
	return {
		...(kind.link ? { pin: pin.value } : {}),
		to,
		// One text of letters that every alphabet has, one that needs UCS-2: they are packed differently.
		body: kind.category === "marketing" ? `Only today 🎉 ${mark} wartet` : `Your order ${mark} is ready.`,
		category: kind.category,
		lawfulBasis: "contract",
		validFor: "PT10M",
		...(kind.cancel ? { sendAt: new Date(Date.now() + 300_000).toISOString() } : {}),
		...kind.more,
	};
}

/** Whoever holds the key forgets it: from here on nobody can read what is encrypted to it. */
async function registerFor(call: Call, number: string, version: TextVersion): Promise<void> {
	const post = async (path: string, body: object) => {
		const answer = await call("POST", path, body);
		if (answer.status >= 300) throw new Error(`no key can be registered: ${String(answer.body.code ?? answer.status)}`);
		return answer.body;
	};
	await registerKey(post, { number, version, own: await generateKey() });
}

/** Whatever is wrong with a request, its content and numbers must not reach a log or an error. */
async function sendRefused(call: Call, { text, numbers }: Marks, way: { sender?: string }): Promise<void> {
	const number = (numbers.at(-1) as Term).value;
	const valid = { to: number, body: text.value, category: "transactional", lawfulBasis: "contract", ...way };
	const query = new URLSearchParams({ to: number, body: text.value }).toString();
	await call("POST", "/v1/messages", { ...valid, category: text.value });
	await call("POST", "/v1/messages", { ...valid, to: `${number} ${text.value}`.slice(0, 32) });
	await call("POST", "/v1/messages", { ...valid, clientReference: number });
	await call("POST", "/v1/messages", { ...valid, unknown: text.value });
	await call("POST", "/v1/messages", { ...valid, body: text.value.repeat(5000) });
	await call("POST", "/v1/messages", `{"to":"${number}","body":"${text.value}`);
	await call("GET", `/v1/messages?${query}`);
	await call("GET", `/healthz?${query}`);
	await call("POST", `/v1/callbacks/simulator/none/receipts?${query}`, { to: number, text: text.value });
}

async function untilFinal(
	call: Call,
	messages: MarkedMessage[],
	options: { patienceMs: number; signal: AbortSignal },
): Promise<void> {
	const until = performance.now() + options.patienceMs;
	for (;;) {
		for (const message of messages.filter((candidate) => !candidate.final)) {
			const { status, body } = await call("GET", `/v1/messages/${message.id}`);
			if (status !== 200) continue;
			message.outcome = String(body.state);
			message.final = finalStates.has(message.outcome);
			// Policy puts it off for longer than a canary waits.
			if (message.outcome === "deferred") await call("POST", `/v1/messages/${message.id}/cancel`, {});
		}
		if (messages.every((message) => message.final) || performance.now() > until) return;
		await sleep(pollEveryMs, undefined, { signal: options.signal });
	}
}

type Call = (
	method: string,
	path: string,
	body?: unknown,
) => Promise<{ status: number; body: Record<string, unknown> }>;

/** An error that a URL answers, kept as those of the marked requests are. */
export async function getError(url: string, signal: AbortSignal): Promise<KeptAnswer[]> {
	const errors: KeptAnswer[] = [];
	await createCall({ url, apiKey: "", signal, errors })("GET", url);
	return errors;
}

function createCall(options: { url: string; apiKey: string; signal: AbortSignal; errors: KeptAnswer[] }): Call {
	const { url, apiKey, signal, errors } = options;
	return async (method, path, body) => {
		const answer = await fetch(new URL(path, url), {
			method,
			headers: {
				authorization: `Bearer ${apiKey}`,
				connection: "close",
				...(body === undefined ? {} : { "content-type": "application/json", "idempotency-key": crypto.randomUUID() }),
			},
			...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
			signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
		});
		const text = await answer.text();
		if (answer.status >= 400) keepAnswer(errors, `${method} ${path.split("?")[0]}`, answer.headers, text);
		try {
			return { status: answer.status, body: JSON.parse(text) as Record<string, unknown> };
		} catch {
			return { status: answer.status, body: {} };
		}
	};
}

/** Letters of both cases: no code, no number, no word of a policy. */
function randomLetters(bytes: Uint8Array): string {
	const letters = "bcdfghjkmnpqrstvwxzBCDFGHJKMNPQRSTVWXZ";
	return [...bytes].map((byte) => letters[byte % letters.length]).join("");
}

/** A possible mobile number; it goes no further than the simulated carrier. */
function randomNumber(country: "germany" | "unitedStates", ending: string, bytes: Uint8Array): string {
	const { prefix, digits } = {
		germany: { prefix: "+49151", digits: 6 },
		unitedStates: { prefix: "+121263", digits: 3 },
	}[country];
	const random = [...bytes.subarray(0, digits)].map((byte) => byte % 10).join("");
	return `${prefix}${random}${ending}`;
}
