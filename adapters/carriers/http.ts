// One HTTP exchange with a carrier, with the fact that decides whether a resend is safe: was anything written.

import { type Dispatcher, Pool } from "undici";
import type { CarrierCode } from "./codes.ts";

export type CarrierRequest = {
	method: "GET" | "POST" | "PUT" | "DELETE";
	path: string;
	headers: Record<string, string>;
	body?: string;
	/** Asked in the same tick as the write: `false` and nothing is written. */
	stillDue?: (() => boolean) | undefined;
};

/** `unsent`: not one byte was written. `unanswered`: some may have been, and no complete answer came back. */
export type Exchange =
	| { kind: "answered"; status: number; headers: Record<string, string | string[] | undefined>; body: string }
	| { kind: "unsent"; code: CarrierCode }
	| { kind: "unanswered"; code: CarrierCode };

export type CarrierHttp = ReturnType<typeof createCarrierHttp>;

/**
 * A keep-alive pool to one carrier. One request a connection, none repeated, no redirect followed.
 * @param options `url` https, or http on loopback; `timeoutMs` bounds the whole exchange, connecting included
 * @throws TypeError when the URL is not usable; the message holds no part of it
 */
export function createCarrierHttp(options: {
	url: string;
	timeoutMs: number;
	connectionsMax: number;
	answerBytesMax: number;
}) {
	const base = parseBaseUrl(options.url);
	const pool = new Pool(base.origin, {
		connections: options.connectionsMax,
		pipelining: 1,
		connect: { timeout: options.timeoutMs, minVersion: "TLSv1.2" },
		// Between them they would not bound the whole; the timer in `exchange` does.
		headersTimeout: 0,
		bodyTimeout: 0,
		maxHeaderSize: 16 * 1024,
		allowH2: false,
	});

	/** Never rejects, and settles within `timeoutMs`. */
	function exchange(request: CarrierRequest, signal: AbortSignal): Promise<Exchange> {
		return new Promise((resolve) => {
			let controller: Dispatcher.DispatchController | undefined;
			let settled = signal.aborted;
			const settle = (result: Exchange) => {
				settled = true;
				clearTimeout(timer);
				signal.removeEventListener("abort", onAbort);
				resolve(result);
			};
			// Without a controller the request still waits for a connection: nothing is written, nor will be.
			const stop = (code: CarrierCode) => {
				if (!settled) settle({ kind: controller ? "unanswered" : "unsent", code });
				controller?.abort(new Error(code));
			};
			const onAbort = () => stop("aborted");
			const timer = setTimeout(() => stop("timeout"), options.timeoutMs);
			if (signal.aborted) return settle({ kind: "unsent", code: "aborted" });
			signal.addEventListener("abort", onAbort, { once: true });

			let status = 0;
			let headers: Record<string, string | string[] | undefined> = {};
			let bytes = 0;
			const chunks: Buffer[] = [];
			pool.dispatch(
				{
					method: request.method,
					path: base.prefix + request.path,
					headers: request.headers,
					body: request.body ?? null,
				},
				{
					onRequestStart(started) {
						if (!settled && request.stillDue?.() === false) settle({ kind: "unsent", code: "withdrawn" });
						if (settled) return started.abort(new Error("withdrawn"));
						controller = started;
					},
					onResponseStart(_controller, statusCode, responseHeaders) {
						status = statusCode;
						headers = responseHeaders;
					},
					onResponseData(_controller, chunk) {
						bytes += chunk.length;
						if (bytes > options.answerBytesMax) return stop("unreadable_answer");
						chunks.push(chunk);
					},
					onResponseEnd() {
						if (settled) return;
						settle({ kind: "answered", status, headers, body: Buffer.concat(chunks).toString("utf8") });
					},
					// The error's own text may quote the request or the answer: it ends here.
					onResponseError() {
						stop(controller ? "connection_lost" : "unreachable");
					},
				},
			);
		});
	}

	let closing: Promise<void> | undefined;
	return {
		exchange,
		/** Begins nothing new; resolves once what is under way has ended, as it does by itself. */
		close(): Promise<void> {
			closing ??= pool.close();
			return closing;
		},
	};
}

function parseBaseUrl(text: string): { origin: string; prefix: string } {
	if (!URL.canParse(text)) throw new TypeError("The carrier's url is not a URL.");
	const url = new URL(text);
	if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
		throw new TypeError("The carrier's url must be https; http is for loopback only.");
	}
	if (url.username || url.password || url.search || url.hash) {
		throw new TypeError("The carrier's url must hold no credentials, query or fragment.");
	}
	return { origin: url.origin, prefix: url.pathname.replace(/\/$/, "") };
}

/** Of a URL. */
export function isLoopback(hostname: string): boolean {
	return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
