// How the simulated carrier reads a request and replies: bounded JSON in, JSON and refusals out.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";

const requestBytesMax = 16 * 1024;

/** Why a request is not served, in the carrier's own code and words. */
type Refusal = Error & { status: number; code: string; headers: Record<string, string> };

/** A refusal to throw. */
export function refusal(status: number, code: string, text: string, headers: Record<string, string> = {}): Refusal {
	return Object.assign(new Error(text), { status, code, headers });
}

/** The body as JSON. @throws a refusal when it is too long, cut off, or not JSON in UTF-8 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > requestBytesMax) throw refusal(413, "too_long", "The body is too long.", { connection: "close" });
		chunks.push(chunk);
	}
	try {
		return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
	} catch {
		throw refusal(400, "invalid_body", "The body is not JSON in UTF-8.");
	}
}

/** The value in its schema's shape. @throws a refusal `invalid_<field>` for the first field that is not */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	const field = result.error.issues[0]?.path[0];
	throw refusal(400, `invalid_${String(field ?? "body")}`, "A field is missing, malformed or unknown.");
}

/** Ends the response with JSON. */
export function reply(
	response: ServerResponse,
	status: number,
	value: unknown,
	headers: Record<string, string> = {},
): void {
	const body = Buffer.from(JSON.stringify(value));
	response.writeHead(status, { ...headers, "content-type": "application/json", "content-length": body.length });
	response.end(body);
}

/** Ends the response with a refusal, or 500 for any other error. */
export function refuse(response: ServerResponse, error: unknown): void {
	const { status = 500, code = "internal", headers = {}, message } = error as Partial<Refusal>;
	if (response.headersSent || response.destroyed) return void response.destroy();
	reply(response, status, { error: { code, message } }, headers);
}

/** Whether it is the URL of something on this machine: receipts go nowhere else. */
export function isLoopbackUrl(text: string): boolean {
	if (!URL.canParse(text)) return false;
	const { protocol, hostname } = new URL(text);
	return /^https?:$/.test(protocol) && /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(hostname);
}
