// Requests to URLs that tenants name: only to addresses that are public or allowed, checked once and connected to as checked.

import dns from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, type Dispatcher, request as sendRequest } from "undici";
import { limits } from "../domain/limits.ts";

/** Why there is no answer; no text of the other side's, nor of the URL's. */
export type OutboundCode =
	| "url_refused"
	| "address_refused"
	| "unresolved"
	| "unreachable"
	| "timeout"
	| "answer_too_large"
	| "connection_lost";

/** An answer is given as it came, a redirect too: none is followed. */
export type OutboundAnswer =
	| { kind: "answered"; status: number; headers: Record<string, string | string[] | undefined>; body: string }
	| { kind: "failed"; code: OutboundCode };

export type OutboundRequest = {
	url: string;
	method: "GET" | "POST";
	headers?: Record<string, string>;
	body?: string;
	/** For all of it: name, connection, answer. */
	timeoutMs: number;
	answerBytesMax: number;
	/** Of an answer that is longer, breaks off or never ends the beginning will do, for its status is what counts. */
	mayBeCut?: boolean;
};

export type OutboundHttp = ReturnType<typeof createOutboundHttp>;

/** The resolver's answer to a name: every address it has. */
export type Resolve = (hostname: string) => Promise<{ address: string; family: number }[]>;

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

// A cloud's metadata that lies among public addresses (Azure's WireServer); the others' are link-local, unique local or CGNAT.
const metadata = ["168.63.129.16"];
// What IANA has given out for global unicast: whatever else there is in IPv6 leads back inside, or nowhere.
const globalUnicast = ipaddr.parseCIDR("2000::/3");
const headerBytesMax = 16 * 1024;
// Idle ones end soon: there may be many receivers, each called now and then.
const keepAliveMs = 4_000;

/** @param options `allowed`: ranges (CIDR) that may be called though they are not public */
export function createOutboundHttp(options: { allowed: string[]; resolve?: Resolve }) {
	const { resolve = resolveAll } = options;
	const allowed = options.allowed.map((range): Range => ipaddr.parseCIDR(range));
	const agent = new Agent({
		// As many as are under way in all: at one host may be receivers of many, and one that hangs must not hold the others'.
		connections: limits.webhooksInFlightMax,
		pipelining: 1,
		allowH2: false,
		maxHeaderSize: headerBytesMax,
		keepAliveTimeout: keepAliveMs,
		keepAliveMaxTimeout: keepAliveMs,
		// The request's own signal bounds the whole.
		headersTimeout: 0,
		bodyTimeout: 0,
		connect: { minVersion: "TLSv1.2", lookup: createCheckedLookup(resolve, allowed) },
	});

	async function exchange(
		target: URL,
		asked: OutboundRequest,
		{ signal, onStatus }: { signal: AbortSignal; onStatus: () => void },
	): Promise<OutboundAnswer> {
		const { method, headers: sent = {}, body: text = null } = asked;
		try {
			const options = { method, headers: sent, body: text, dispatcher: agent, signal };
			const { statusCode, headers, body } = await sendRequest(target, options);
			onStatus();
			const read = await readBody(body, asked);
			if (read === undefined) return { kind: "failed", code: "answer_too_large" };
			return { kind: "answered", status: statusCode, headers, body: read };
		} catch (error) {
			return { kind: "failed", code: codeOf(error) };
		}
	}

	/** Never rejects, and settles within `timeoutMs`. */
	async function request(asked: OutboundRequest): Promise<OutboundAnswer> {
		const target = readTarget(asked.url, allowed);
		if (typeof target === "string") return { kind: "failed", code: target };
		const over = new AbortController();
		// The client hears of an abort only once it is connected: whoever waits is told at once.
		const late = Promise.withResolvers<OutboundAnswer>();
		let willDo = false;
		const timer = setTimeout(() => {
			if (!willDo) late.resolve({ kind: "failed", code: "timeout" });
			over.abort();
		}, asked.timeoutMs);
		const onStatus = () => {
			willDo = asked.mayBeCut === true;
		};
		const exchanged = exchange(target, asked, { signal: over.signal, onStatus });
		return Promise.race([exchanged, late.promise]).finally(() => clearTimeout(timer));
	}

	return {
		request,
		/**
		 * Why this URL would not be called, by what it says itself: its scheme, its parts, an address in place of a name. What a
		 * name leads to is looked at with each connection.
		 */
		refusalOf(url: string): OutboundCode | undefined {
			const target = readTarget(url, allowed);
			return typeof target === "string" ? target : undefined;
		},
		close: () => agent.destroy(),
	};
}

/** Whether this address may be called: it is public, or within an allowed range. Text that is no address may not. */
function isCallable(text: string, allowed: Range[]): boolean {
	if (!ipaddr.isValid(text)) return false;
	const address = ipaddr.parse(text);
	if (allowed.some(([network, bits]) => network.kind() === address.kind() && address.match([network, bits] as never))) {
		return true;
	}
	if (address.range() !== "unicast" || metadata.includes(text)) return false;
	return address.kind() === "ipv4" || address.match(globalUnicast);
}

/** A name's addresses, for the connection that is being made: no other answer of the resolver's counts for it. */
function createCheckedLookup(resolve: Resolve, allowed: Range[]): LookupFunction {
	return (hostname, { all }, callback) => {
		resolve(hostname).then(
			(found) => {
				const [first] = found;
				if (!first) return callback(new OutboundError("unresolved"), []);
				// One that is not public among them means that somebody plays with the name.
				if (!found.every(({ address }) => isCallable(address, allowed))) {
					return callback(new OutboundError("address_refused"), []);
				}
				if (all) callback(null, found);
				else callback(null, first.address, first.family);
			},
			() => callback(new OutboundError("unresolved"), []),
		);
	};
}

function readTarget(text: string, allowed: Range[]): URL | OutboundCode {
	if (!URL.canParse(text)) return "url_refused";
	const url = new URL(text);
	if (url.username || url.password || url.hash) return "url_refused";
	const host = url.hostname.replace(/^\[|\]$/g, "");
	const isPlain = url.protocol === "http:" && (host === "localhost" || isLoopback(host));
	if (url.protocol !== "https:" && !isPlain) return "url_refused";
	// Connecting to an address asks no resolver, so no look-up would check it.
	if (ipaddr.isValid(host) && !isCallable(host, allowed)) return "address_refused";
	return url;
}

function isLoopback(host: string): boolean {
	return ipaddr.isValid(host) && ipaddr.parse(host).range() === "loopback";
}

/** Undefined when there is more than that, or its beginning where that will do; the connection is given up then. */
async function readBody(
	body: Dispatcher.ResponseData["body"],
	{ answerBytesMax, mayBeCut = false }: Pick<OutboundRequest, "answerBytesMax" | "mayBeCut">,
): Promise<string | undefined> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of body) {
			bytes += (chunk as Buffer).length;
			chunks.push(chunk as Buffer);
			if (bytes > answerBytesMax) break;
		}
	} catch (error) {
		if (!mayBeCut) throw error;
	}
	if (bytes > answerBytesMax && !mayBeCut) return undefined;
	return Buffer.concat(chunks).subarray(0, answerBytesMax).toString("utf8");
}

class OutboundError extends Error {
	readonly outboundCode: OutboundCode;
	constructor(code: OutboundCode) {
		super(code);
		this.outboundCode = code;
	}
}

// The error's own text may name addresses and quote the answer: it ends here.
function codeOf(error: unknown): OutboundCode {
	if (error instanceof OutboundError) return error.outboundCode;
	const { name, code = "" } = error as { name?: string; code?: string };
	const wasConnected = name === "HTTPParserError" || code.startsWith("UND_ERR_SOCKET") || code === "ECONNRESET";
	return wasConnected ? "connection_lost" : "unreachable";
}

async function resolveAll(hostname: string) {
	return dns.promises.lookup(hostname, { all: true });
}
