// The simulated carrier's HTTP API: takes messages, keeps its own ledger of them, and sends signed receipts.

import { createHash, type KeyObject, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { createCallbacks } from "./callbacks.ts";
import { createInbound } from "./inbound.ts";
import type { Ledger } from "./ledger.ts";
import { magicOf } from "./magic.ts";
import { createMessages } from "./messages.ts";
import { createReceipts } from "./receipts.ts";
import { parse, readJson, refusal, refuse, reply } from "./reply.ts";

const ledgerQuery = z.strictObject({
	after: z.coerce.number().int().min(0).default(0),
	limit: z.coerce.number().int().min(1).max(1000).default(100),
	reference: z.string().optional(),
	to: z.string().optional(),
});

/**
 * @param deps `clock` epoch ms; `callbackUrl` takes the receipts of messages that name none, `inboundUrl` recipients' own
 * messages; `receiptDelayMs` and
 * `lateReceiptMs` from the answer to a receipt; `receiptsPendingMax` messages with receipts on their way, beyond which
 * sends are answered 503
 */
export function createCarrierApp(deps: {
	clock: () => number;
	randomBytes: (size: number) => Buffer;
	signingKey: KeyObject;
	token: string;
	ledger: Ledger;
	callbackUrl?: string | undefined;
	inboundUrl?: string | undefined;
	receiptDelayMs?: number | undefined;
	lateReceiptMs?: number | undefined;
	receiptsPendingMax?: number | undefined;
}) {
	const { ledger, receiptDelayMs = 5, lateReceiptMs = 3_000, receiptsPendingMax = 50_000 } = deps;
	const callbacks = createCallbacks(deps);
	const receipts = createReceipts({ callbacks, receiptDelayMs, lateReceiptMs, receiptsPendingMax });
	const receiveInbound = createInbound({ ...deps, callbacks });
	const messages = createMessages({ ...deps, receipts, receiptDelayMs, lateReceiptMs });
	const authorization = sha256(`Bearer ${deps.token}`);

	async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const url = new URL(request.url ?? "/", "http://carrier");
		const name = `${request.method} ${url.pathname}`;
		if (name === "GET /healthz") return reply(response, 200, { ok: true });
		if (!timingSafeEqual(sha256(request.headers.authorization ?? ""), authorization)) {
			throw refusal(401, "unauthorized", "The bearer token is missing or wrong.");
		}
		if (name === "POST /v1/messages") return messages.send(await readJson(request), response);
		if (name === "GET /v1/messages") return messages.lookup(url.searchParams.get("reference"), response);
		if (name === "POST /inbound") return receiveInbound(await readJson(request), response);
		if (name === "GET /ledger") return showLedger(Object.fromEntries(url.searchParams), response);
		if (name === "POST /ledger/search") return showLedger(await readJson(request), response);
		const shown = /^GET \/v1\/messages\/(\w{1,64})$/.exec(name)?.[1];
		const entry = shown && ledger.findById(shown);
		if (entry) return reply(response, 200, { id: shown, redacted: ledger.read(entry).text === "" });
		const id = /^DELETE \/v1\/messages\/(\w{1,64})$/.exec(name)?.[1];
		if (id && ledger.redact(id)) return void response.writeHead(204).end();
		throw refusal(404, (id ?? shown) ? "no_such_message" : "no_such_route", "There is nothing here.");
	}

	function showLedger(query: unknown, response: ServerResponse): void {
		const options = parse(ledgerQuery, query);
		const page = ledger.page(options);
		reply(response, 200, {
			total: ledger.total(),
			repeatedReferences: ledger.repeats(),
			answers: messages.answers(),
			receipts: receipts.counts(),
			messages: page.map((message) => ({ ...message, magic: magicOf(message.to).name })),
			next: page.length === options.limit ? page.at(-1)?.seq : undefined,
		});
	}

	const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 30_000 }, (request, response) => {
		route(request, response).catch((error: unknown) => refuse(response, error));
	});
	server.maxConnections = 4_096;

	/** Listens on loopback; port 0 takes a free one. Resolves to the URL. @throws when the port is taken */
	async function listen(port = 0): Promise<string> {
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(port, "127.0.0.1", resolve);
		});
		return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	}

	/** Ends every connection and forgets the callbacks on their way; the ledger stays open. */
	async function close(): Promise<void> {
		const closed = new Promise<void>((resolve) => server.close(() => resolve()));
		server.closeAllConnections();
		await closed;
		await callbacks.close();
	}

	return { listen, close };
}

function sha256(text: string): Buffer {
	return createHash("sha256").update(text).digest();
}
