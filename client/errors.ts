// What can go wrong with a request, each with a stable name: refused by the API, out of time, out of reach.

import type { ErrorCode } from "./types.ts";

/** The API refused, in RFC 9457's form. `code` never changes; docs/errors.md says what each means and what to do. */
export class LetheProblem extends Error {
	override readonly name = "LetheProblem";
	readonly code: ErrorCode | (string & {});
	/** The HTTP status. */
	readonly status: number;
	/** Whether the same request may succeed later. */
	readonly retryable: boolean;
	/** Finds the cause in the API's logs. */
	readonly requestId: string | undefined;
	/** Where in the request the fault is, as JSON pointers. */
	readonly errors: readonly { pointer: string; detail: string }[];
	/** Milliseconds that the API asks to wait before a repeat. */
	readonly retryAfterMs: number | undefined;
	/** The whole document, with what the code adds to it. */
	readonly problem: Readonly<Record<string, unknown>>;

	constructor(status: number, problem: Record<string, unknown>, retryAfterMs: number | undefined) {
		super(typeof problem.title === "string" ? problem.title : `The API answered ${status}.`);
		this.status = status;
		this.problem = problem;
		this.code = typeof problem.code === "string" ? problem.code : "unknown";
		this.retryable = problem.retryable === true;
		this.requestId = typeof problem.requestId === "string" ? problem.requestId : undefined;
		this.errors = Array.isArray(problem.errors) ? problem.errors : [];
		this.retryAfterMs = retryAfterMs;
	}
}

/** No answer within the time that the caller gave. Whether anything was done is unknown; a repeat with the same key finds out. */
export class LetheTimeout extends Error {
	override readonly name = "LetheTimeout";
}

/** The API was not reached, or the connection broke, or something else answered in its place. Whether anything was done is unknown; a repeat with the same key finds out. */
export class LetheUnreachable extends Error {
	override readonly name = "LetheUnreachable";
}

/** The client's `key` gave nothing to call with: it failed, as `cause` says, or what it gave fits no header. Nothing was sent with it. */
export class LetheKeyMissing extends Error {
	override readonly name = "LetheKeyMissing";
}

/** A webhook whose signature, time or form is not right: nothing of it is to be believed. */
export class WebhookRefused extends Error {
	override readonly name = "WebhookRefused";
	readonly reason: "headers_missing" | "stale" | "signature_wrong" | "malformed";

	constructor(reason: WebhookRefused["reason"]) {
		super(`The webhook is refused: ${reason}.`);
		this.reason = reason;
	}
}

/**
 * An end-to-end encrypted text that is not to be believed, or can't be read. `undecryptable`: for another key, or changed
 * on its way, or not by a sender whose key was given. `sender_missing`: it says who wrote it, and no sender's key was given.
 */
export class TextRefused extends Error {
	override readonly name = "TextRefused";
	readonly reason: "malformed" | "version_unknown" | "sender_missing" | "undecryptable" | "expired" | "replayed";
	/** What it says of its version, where nothing here knows that. */
	readonly version: string | undefined;

	constructor(reason: TextRefused["reason"], { version }: { version?: string } = {}) {
		super(`The text is refused: ${reason}${version === undefined ? "" : ` (${version})`}.`);
		this.reason = reason;
		this.version = version;
	}
}
