// Where a browser brings a program on the same machine what it is waiting for (RFC 8252, 7.3): one request, on loopback only.

import { createHash, randomBytes } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What came: a code, or why there is none; undefined when nothing did in time. */
type Brought = { code: string } | { error: string };

/** Listens on a free port of 127.0.0.1. Close it. `challenge`: the S256 challenge (RFC 7636) of `verifier`. */
export async function listenOnLoopback({ waitMs }: { waitMs: number }) {
	const { promise: brought, resolve } = Promise.withResolvers<Brought | undefined>();
	const server = createServer((request, response) => {
		const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
		const [code, error] = [searchParams.get("code"), searchParams.get("error")];
		// Browsers ask for an icon too.
		if (request.method !== "GET" || pathname !== "/" || (code ?? error) === null)
			return answer(response, 404, "Not here.");
		answer(response, 200, "You may close this window, and go on where you began.");
		resolve(code === null ? { error: error as string } : { code });
	});
	const timer = setTimeout(() => resolve(undefined), waitMs);
	await new Promise<void>((listening, failed) => {
		server.once("error", failed);
		server.listen(0, "127.0.0.1", listening);
	});
	const verifier = randomBytes(32).toString("base64url");
	return {
		port: (server.address() as AddressInfo).port,
		verifier,
		challenge: createHash("sha256").update(verifier).digest("base64url"),
		brought,
		close(): void {
			clearTimeout(timer);
			server.close();
			server.closeIdleConnections();
		},
	};
}

// The code stands in the address: nothing of it is to be kept or handed on.
function answer(response: ServerResponse, status: number, text: string): void {
	response.writeHead(status, {
		"content-type": "text/plain; charset=utf-8",
		"cache-control": "no-store",
		"referrer-policy": "no-referrer",
		connection: "close",
	});
	response.end(`${text}\n`);
}
