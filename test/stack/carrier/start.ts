// Starts the simulated carrier in this process, with a listener for its receipts, on free loopback ports.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";
import { createCarrierApp } from "../../../stack/carrier/app.ts";
import { openCredentials } from "../../../stack/carrier/credentials.ts";
import { openLedger } from "../../../stack/carrier/ledger.ts";

export type StartedCarrier = Awaited<ReturnType<typeof startCarrier>>;

export type LedgerView = {
	total: number;
	repeatedReferences: number;
	answers: Record<string, number>;
	receipts: { pending: number; taken: number; refused: number; givenUp: number };
	messages: { seq: number; id: string; reference: string; to: string; text: string; segments: number; magic: string }[];
	next?: number;
};

export async function startCarrier(
	options: { clock?: () => number; receiptsPendingMax?: number; ledgerBytesMax?: number; inboundPath?: string } = {},
) {
	const folder = mkdtempSync(join(tmpdir(), "lethe-carrier-"));
	const { signingKey, publicKey, token } = openCredentials(folder, { randomBytes });
	const ledger = openLedger(join(folder, "ledger.jsonl"), { bytesMax: options.ledgerBytesMax ?? 2 ** 30 });
	const callbacks = await startCallbacks();
	const app = createCarrierApp({
		clock: options.clock ?? Date.now,
		randomBytes,
		signingKey,
		token,
		ledger,
		callbackUrl: callbacks.url,
		inboundUrl: options.inboundPath === undefined ? undefined : callbacks.url + options.inboundPath,
		receiptDelayMs: 5,
		lateReceiptMs: 80,
		receiptsPendingMax: options.receiptsPendingMax,
	});
	const url = await app.listen();

	/** One request to its API, as JSON. */
	async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
		const answer = await fetch(url + path, {
			method,
			headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
			...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
		});
		const text = await answer.text();
		return { status: answer.status, headers: answer.headers, text, json: text ? JSON.parse(text) : undefined };
	}

	const readLedger = async (): Promise<LedgerView> => (await call("GET", "/ledger?limit=1000")).json;

	async function stop() {
		await app.close();
		ledger.close();
		await callbacks.close();
		rmSync(folder, { recursive: true });
	}

	return { url, token, publicKey, folder, callbacks, call, readLedger, [Symbol.asyncDispose]: stop };
}

/** An HTTP listener that keeps what it was sent. */
export async function startCallbacks(port = 0) {
	const received: CallbackRequest[] = [];
	let answer: (request: CallbackRequest) => number = () => 204;
	const server = createServer(async (request, response) => {
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const body = Buffer.concat(chunks).toString("utf8");
		const callback = { method: request.method ?? "", url: url + (request.url ?? ""), headers: request.headers, body };
		received.push(callback);
		response.writeHead(answer(callback)).end();
	});
	await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return {
		url,
		received,
		answerWith(next: (request: CallbackRequest) => number) {
			answer = next;
		},
		async close() {
			const closed = new Promise((resolve) => server.close(resolve));
			server.closeAllConnections();
			await closed;
		},
	};
}

/** Waits until the condition holds and returns what it gave. @throws after `ms` */
export async function until<T>(condition: () => T | Promise<T>, ms = 5_000): Promise<NonNullable<T>> {
	for (let waited = 0; waited < ms; waited += 5) {
		const value = await condition();
		if (value) return value;
		await sleep(5);
	}
	throw new Error("the condition did not come true in time");
}
