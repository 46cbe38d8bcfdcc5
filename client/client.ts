// Calls Lethe's API: every operation by its name, repeated safely, within the time that the caller gives.

import { LetheKeyMissing, LetheProblem, LetheTimeout, LetheUnreachable } from "./errors.ts";
import { keyless, routes } from "./routes.ts";
import type { Operations } from "./types.ts";

export type ClientOptions = {
	/** The API's address, such as `https://lethe.example`. */
	url: string;
	/** An API key, or what answers a token when it is asked. Never put a key where others can read it, such as a web page. */
	key: string | (() => string | Promise<string>);
	/** For all tries of one call together. Default 30 s, beside what it has the server wait. */
	timeoutMs?: number;
	/** Repeats after the first try. Default 3. */
	retriesMax?: number;
	fetch?: typeof fetch;
};

export type CallOptions = {
	signal?: AbortSignal;
	timeoutMs?: number;
	/** In place of the client's. */
	retriesMax?: number;
	/**
	 * The same key and body again answers what it answered first. Made up for every POST that has none and does more than
	 * read; signing in and out and enrolling take none.
	 */
	idempotencyKey?: string;
	/** Has `createMessage` wait so long for a final state, at most 30 s. */
	waitSeconds?: number;
};

type Name = keyof Operations;
type Input<N extends Name> = Omit<Operations[N], "answer">;
type Answer<N extends Name> = Operations[N]["answer"];
type Deleting = { [N in Name]: (typeof routes)[N][0] extends "DELETE" ? N : never }[Name];
/** Of what was deleted by a try whose answer was lost, nothing is left to be told. */
type Told<N extends Name> = Answer<N> | (N extends Deleting ? undefined : never);
type Paged = { [N in Name]: Answer<N> extends { items: unknown[]; next?: string } ? N : never }[Name];
type Item<N extends Paged> = Answer<N> extends { items: (infer One)[] } ? One : never;

export type LetheClient = ReturnType<typeof createClient>;

const timeoutMsDefault = 30_000;
/** 24 days: a timer of more would be over at once. */
const timerMsMax = 2 ** 31 - 1;
const retriesMaxDefault = 3;
const backoffFirstMs = 250;
const backoffMaxMs = 8_000;
const finalStates = ["delivered", "undelivered", "expired", "cancelled", "rejected", "unknown"];
const pollMs = 500;
/** They keep nothing: a repeat under the key of one that was answered would be told that its answer is kept nowhere. */
const reading: Name[] = [
	...(["searchMessages", "searchConsents", "searchOptOuts", "searchRecipientKeys"] as const),
	...(["checkText", "challengeRecipientKey"] as const),
];

/** A client of one API, for one key. @throws TypeError for an address that is none */
export function createClient(options: ClientOptions) {
	if (!/^https?:\/\/./i.test(options.url)) throw new TypeError("`url` begins with https:// or http://.");
	const base = options.url.replace(/\/+$/, "");

	/**
	 * Calls one operation of the API by its name.
	 * Undefined where it deleted what a try with a lost answer had deleted already.
	 * @throws LetheProblem when it refuses; LetheTimeout; LetheUnreachable; LetheKeyMissing; what `signal` was aborted with;
	 * TypeError for an id that is none, or an idempotency key that fits no header
	 */
	async function call<N extends Name>(name: N, input: Input<N>, options_: CallOptions = {}): Promise<Told<N>> {
		const { url, ...asked } = formRequest(base, name, input, options_);
		// The server answers once that wait is over: who gave up then would never hear it.
		const usualMs = timeoutMsDefault + (options_.waitSeconds ?? 0) * 1000;
		const givenMs = options_.timeoutMs ?? options.timeoutMs ?? usualMs;
		const timeoutMs = Math.min(Math.ceil(givenMs), timerMsMax);
		const timeout = AbortSignal.timeout(timeoutMs);
		const end = performance.now() + timeoutMs;
		const signal = options_.signal ? AbortSignal.any([options_.signal, timeout]) : timeout;
		const init = { ...asked, signal };
		const retriesMax = options_.retriesMax ?? options.retriesMax ?? retriesMaxDefault;
		let mayBeDone = false;
		for (let retry = 0; ; retry++) {
			const outcome = await settle(() => attempt(options, url, init), init.headers.get("accept"));
			if ("answer" in outcome) return outcome.answer as Told<N>;
			// It bears no idempotency key: that nothing is there any more is all that tells of the first.
			if (mayBeDone && init.method === "DELETE" && isAbsence(outcome.failure)) return undefined as Told<N>;
			const isSurelyUndone = isUndone(outcome.failure);
			mayBeDone ||= !isSurelyUndone && leavesOpen(outcome.failure);
			const isSafe = !keyless.has(name) || isSurelyUndone;
			if (options_.signal?.aborted) throw options_.signal.reason;
			if (timeout.aborted) throw new LetheTimeout(`No answer within ${timeoutMs} ms.`, { cause: outcome.failure });
			const waitMs = waitOf(outcome.failure, retry);
			const isLast = !outcome.again || !isSafe || retry >= retriesMax;
			// Who is to come again after its time is over is better told so now.
			if (isLast || waitMs >= end - performance.now()) throw outcome.failure;
			await pause(waitMs, signal).catch(() => undefined);
		}
	}

	/** Every item of a list, page after page, as it is asked for. */
	async function* list<N extends Paged>(name: N, input: Input<N>, options_: CallOptions = {}): AsyncGenerator<Item<N>> {
		let cursor: string | undefined;
		do {
			const { query } = input as { query?: Values };
			const page = { ...input, query: { ...query, ...(cursor === undefined ? {} : { cursor }) } } as Input<N>;
			const { items, next } = (await call(name, page, options_)) as { items: Item<N>[]; next?: string };
			yield* items;
			cursor = next;
		} while (cursor !== undefined);
	}

	return {
		call,
		list,
		messages: {
			/** Accepted means durable: it reaches a final state whatever fails. */
			send: (body: Operations["createMessage"]["body"], options_?: CallOptions) =>
				call("createMessage", { body }, options_) as Promise<Extract<Answer<"createMessage">, { id: string }>>,
			/** What would become of it; nothing is stored or sent. */
			tryOut: (body: Operations["createMessage"]["body"], options_?: CallOptions) =>
				call("createMessage", { body, query: { dryRun: "true" } }, options_) as Promise<
					Exclude<Answer<"createMessage">, { id: string }>
				>,
			get: (id: string, options_?: CallOptions) => call("getMessage", { params: { id } }, options_),
			cancel: (id: string, options_?: CallOptions) => call("cancelMessage", { params: { id }, body: {} }, options_),
			list: (query: Operations["listMessages"]["query"] = {}, options_?: CallOptions) =>
				list("listMessages", { query }, options_),
			/**
			 * The message once it is final; while the API is away it is asked again and again.
			 * @throws LetheTimeout when it is not within `timeoutMs` (default 60 s); as `call` does
			 */
			wait: (id: string, options_?: CallOptions) =>
				waitForEnd((given) => call("getMessage", { params: { id } }, given), options_),
		},
		batches: {
			send: (body: Operations["createBatch"]["body"], options_?: CallOptions) =>
				call("createBatch", { body }, options_),
			get: (id: string, options_?: CallOptions) => call("getBatch", { params: { id } }, options_),
		},
	};
}

async function waitForEnd(
	look: (options: CallOptions) => Promise<Answer<"getMessage">>,
	{ timeoutMs = 60_000, retriesMax = Number.POSITIVE_INFINITY, ...others }: CallOptions = {},
): Promise<Answer<"getMessage">> {
	const end = performance.now() + timeoutMs;
	for (;;) {
		const message = await look({ ...others, retriesMax, timeoutMs: timeLeft(end) });
		if (finalStates.includes(message.state)) return message;
		await pause(Math.min(pollMs, timeLeft(end)), others.signal);
	}
}

type Values = Record<string, string | number | boolean | undefined>;
type Outcome = { answer: unknown } | { failure: Error; again: boolean };

/** What every try of a call asks. */
function formRequest(base: string, name: Name, input: object, { idempotencyKey, waitSeconds = 0 }: CallOptions) {
	const [method, path, type = "application/json"]: readonly [string, string, string?] = routes[name];
	const { params, query, body } = input as { params?: Values; query?: Values; body?: unknown };
	const isPage = [query, body as Values].some((given) => given?.format === "html");
	const headers = new Headers({ accept: isPage ? "text/html" : type });
	if (body !== undefined) headers.set("content-type", "application/json");
	// The same for every try: a repeat never does a thing twice.
	const key = idempotencyKey ?? (reading.includes(name) ? undefined : crypto.randomUUID());
	if (method === "POST" && !keyless.has(name) && key !== undefined) headers.set("idempotency-key", key);
	if (waitSeconds > 0) headers.set("prefer", `wait=${Math.ceil(waitSeconds)}`);
	const url = `${base}${fill(path, params)}${formatQuery(query)}`;
	return { url, method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
}

async function attempt({ key, fetch: send = fetch }: ClientOptions, url: string, init: RequestInit): Promise<Response> {
	const headers = new Headers(init.headers);
	await addKey(headers, key, init.signal);
	return send(url, { ...init, headers, redirect: "error" });
}

function endOf(signal: RequestInit["signal"]): Promise<never> {
	return new Promise((_, reject) => {
		if (signal?.aborted) reject(signal.reason);
		signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
	});
}

/** A key that does not come is waited for until the call is over, as an answer is. */
async function addKey(headers: Headers, given: ClientOptions["key"], signal: RequestInit["signal"]): Promise<void> {
	try {
		const key = typeof given === "string" ? given : await Promise.race([given(), endOf(signal)]);
		// The word "undefined" would be sent, and counted as a failure to authenticate.
		if (!key) throw new TypeError("It gave none.");
		headers.set("authorization", `Bearer ${key}`);
	} catch (cause) {
		throw new LetheKeyMissing("There is no key to call with.", { cause });
	}
}

async function settle(tried: () => Promise<Response>, accept: string | null): Promise<Outcome> {
	try {
		const response = await tried();
		const text = await response.text();
		if (response.ok) return { answer: readAnswer(response, text, accept) };
		const failure = new LetheProblem(
			response.status,
			toProblem(text),
			readRetryAfter(response.headers.get("retry-after")),
		);
		// What stands between may refuse without a problem document.
		const again =
			failure.retryable || (failure.code === "unknown" && [408, 429, 502, 503, 504].includes(failure.status));
		return { failure, again };
	} catch (cause) {
		if (cause instanceof LetheKeyMissing) return { failure: cause, again: false };
		return {
			failure: new LetheUnreachable("The API was not reached, or the connection broke, or something else answered.", {
				cause,
			}),
			again: true,
		};
	}
}

function isAbsence(failure: Error): boolean {
	return failure instanceof LetheProblem && failure.code === "not_found";
}

/** Whether it was surely not done: turned away before anything of it was looked at. */
function isUndone(failure: Error): boolean {
	return failure instanceof LetheProblem && (failure.status === 429 || failure.code === "overloaded");
}

/** Whether it was perhaps done all the same. */
function leavesOpen(failure: Error): boolean {
	return failure instanceof LetheUnreachable || (failure instanceof LetheProblem && failure.status >= 500);
}

/** @throws TypeError, SyntaxError for what is another's answer, such as a proxy's page */
function readAnswer({ status, headers }: Response, text: string, accept: string | null): unknown {
	if (status === 204) return undefined;
	const [type] = (headers.get("content-type") ?? "").split(/ *;/);
	if (type?.toLowerCase() !== accept) throw new TypeError("The answer is of another type than was asked for.");
	return accept === "application/json" ? JSON.parse(text) : text;
}

function toProblem(text: string): Record<string, unknown> {
	try {
		return Object(JSON.parse(text));
	} catch {
		return {};
	}
}

/** As the API asks, and otherwise longer each time, spread so that callers who failed together don't return together. */
function waitOf(failure: Error, retry: number): number {
	const asked = failure instanceof LetheProblem ? failure.retryAfterMs : undefined;
	const backoff = Math.min(backoffMaxMs, backoffFirstMs * 2 ** retry);
	return asked === undefined ? backoff * (0.5 + Math.random() / 2) : asked + Math.random() * backoffFirstMs;
}

/** Seconds, or a date; RFC 9110, 10.2.3. */
function readRetryAfter(header: string | null): number | undefined {
	if (header === null) return undefined;
	// Of a fraction or a minus Date.parse would make a day of long ago, after which to come at once.
	const date = /^[A-Za-z]/.test(header) ? Date.parse(header) : Number.NaN;
	const ms = /^\d+$/.test(header) ? Number(header) * 1000 : date - Date.now();
	return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		if (signal?.aborted) return reject(signal.reason);
		const stop = () => {
			clearTimeout(timer);
			reject(signal?.reason);
		};
		const timer = setTimeout(() => {
			signal?.removeEventListener("abort", stop);
			resolve();
		}, ms);
		signal?.addEventListener("abort", stop, { once: true });
	});
}

function timeLeft(end: number): number {
	const left = end - performance.now();
	if (left <= 0) throw new LetheTimeout("The message is not final yet; it goes on.");
	return left;
}

function fill(path: string, params: Values = {}): string {
	return path.replace(/\{(\w+)\}/g, (_, name: string) => {
		const value = String(params[name]);
		// In a URL these are steps of its path, escaped or not: what would be asked is something else.
		if (/^\.{0,2}$/.test(value)) throw new TypeError(`Not an id: ${name}.`);
		return encodeURIComponent(value);
	});
}

function formatQuery(query: Values = {}): string {
	const given = Object.entries(query).filter(
		(entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
	);
	return given.length === 0
		? ""
		: `?${new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))}`;
}
