// What the simulated carrier's answers and signed receipts mean to Lethe, one by one.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createSimulator } from "../../../adapters/carriers/simulator.ts";
import { limits } from "../../../domain/limits.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { magicNumber } from "../../../stack/carrier/magic.ts";
import { startCarrier, until } from "../../stack/carrier/start.ts";

const never = new AbortController().signal;
const message = (to = magicNumber("delivered"), reference = "ref_a") => ({
	to: Plaintext.text(to),
	text: Plaintext.text("hello"),
	reference,
	validitySeconds: 60,
});

/** The adapter against a server that answers as told. */
async function against(listener: RequestListener, receiptsUrl?: string) {
	const server = createServer(listener);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`;
	const carrier = createSimulator({ settings: { url }, secrets: { token: "t".repeat(32) }, receiptsUrl });
	const dispose = async () => {
		await carrier.close?.();
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	};
	return { carrier, [Symbol.asyncDispose]: dispose };
}

test("the request carries what the carrier documents, under the base path, with the bearer token", async () => {
	let seen: unknown;
	await using opened = await against(async (request, response) => {
		const body = (await request.toArray()).join("");
		seen = { method: request.method, url: request.url, auth: request.headers.authorization, body: JSON.parse(body) };
		response.writeHead(202).end('{"id":"x","segments":1}');
	});
	const sent = { ...message(), sender: "LETHE", validitySeconds: 59.9 };
	assert.deepEqual(await opened.carrier.send(sent, never), { kind: "accepted", carrierId: "x", segments: 1 });
	const body = { to: magicNumber("delivered"), from: "LETHE", text: "hello", reference: "ref_a", validitySeconds: 59 };
	assert.deepEqual(seen, { method: "POST", url: "/base/v1/messages", auth: `Bearer ${"t".repeat(32)}`, body });
});

test("each send names its own queue's address for receipts, where that is one the carrier calls", async () => {
	for (const [receiptsUrl, named] of [
		["http://127.0.0.1:8080/v1/callbacks/simulator/two/receipts", true],
		["https://lethe.example/v1/callbacks/simulator/two/receipts", false],
	] as const) {
		let callbackUrl: unknown;
		await using opened = await against(async (request, response) => {
			({ callbackUrl } = JSON.parse((await request.toArray()).join("")));
			response.writeHead(202).end('{"id":"x","segments":1}');
		}, receiptsUrl);
		await opened.carrier.send(message(), never);
		assert.equal(callbackUrl, named ? receiptsUrl : undefined);
	}
});

test("each answer to a send means exactly one outcome", async () => {
	const answers: [status: number, body: string, headers: Record<string, string>, outcome: object][] = [
		[202, '{"id":"x","segments":2,"new":1}', {}, { kind: "accepted", carrierId: "x", segments: 2 }],
		[202, '{"id":"x"}', {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[202, '{"id":"../x","segments":1}', {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[202, '{"id":"x","segments":1e9}', {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[202, "", {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[200, '{"id":"x","segments":1}', {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[302, "", { location: "/" }, { kind: "ambiguous", code: "unreadable_answer" }],
		[400, '{"error":{"code":"invalid_to"}}', {}, { kind: "rejected", code: "invalid_recipient", permanent: true }],
		[400, '{"error":{"code":"invalid_text"}}', {}, { kind: "rejected", code: "content_refused", permanent: true }],
		[400, '{"error":{"code":"invalid_from"}}', {}, { kind: "rejected", code: "sender_refused", permanent: true }],
		[400, '{"error":{"code":"constructor"}}', {}, { kind: "rejected", code: "invalid_request", permanent: true }],
		[422, '{"error":{"code":"4101"}}', {}, { kind: "rejected", code: "invalid_recipient", permanent: true }],
		[422, "<html>", {}, { kind: "rejected", code: "invalid_request", permanent: true }],
		[413, "", {}, { kind: "rejected", code: "invalid_request", permanent: true }],
		[401, "", {}, { kind: "rejected", code: "credentials_refused", permanent: false }],
		[403, "", {}, { kind: "rejected", code: "credentials_refused", permanent: false }],
		[404, "", {}, { kind: "ambiguous", code: "unreadable_answer" }],
		[429, "", { "retry-after": "7" }, { kind: "throttled", retryAfterMs: 7_000 }],
		[429, "", { "retry-after": "999999999" }, { kind: "throttled", retryAfterMs: limits.backoffMaxMs }],
		[429, "", { "retry-after": "0" }, { kind: "throttled", retryAfterMs: limits.backoffFirstMs }],
		[429, "", { "retry-after": "-1" }, { kind: "throttled", retryAfterMs: limits.backoffFirstMs }],
		[429, "", {}, { kind: "throttled", retryAfterMs: limits.backoffFirstMs }],
		[500, '{"error":{"code":"4101"}}', {}, { kind: "ambiguous", code: "carrier_error" }],
		[502, "", {}, { kind: "ambiguous", code: "carrier_error" }],
		[503, "", {}, { kind: "rejected", code: "unavailable", permanent: false }],
		[504, "", {}, { kind: "ambiguous", code: "carrier_error" }],
	];
	let next = answers[0];
	await using opened = await against((_request, response) => {
		response.writeHead(next?.[0] ?? 0, next?.[2]).end(next?.[1]);
	});
	for (next of answers) assert.deepEqual(await opened.carrier.send(message(), never), next[3], JSON.stringify(next));
});

test("only the carrier's own word for this very reference settles a look-up", async () => {
	const known = { id: "x", reference: "ref_a", segments: 1, status: "sent", at: "2030-01-02T03:04:05.678Z" };
	const found = {
		kind: "found",
		carrierId: "x",
		segments: 1,
		state: "submitted",
		at: Date.UTC(2030, 0, 2, 3, 4, 5, 678),
	};
	const unavailable = { kind: "unavailable" };
	const answers: [status: number, body: unknown, result: object][] = [
		[200, known, found],
		[200, { ...known, status: "accepted" }, { ...found, state: "pending" }],
		[200, { ...known, status: "teleported" }, unavailable],
		[200, { ...known, reference: "ref_b" }, unavailable],
		[200, { ...known, at: "yesterday" }, unavailable],
		[404, { error: { code: "no_such_message" } }, { kind: "absent" }],
		[404, { error: { code: "no_such_route" } }, unavailable],
		[404, "Not Found", unavailable],
		[401, { error: { code: "unauthorized" } }, unavailable],
		[500, { error: { code: "no_such_message" } }, unavailable],
	];
	let next = answers[0];
	await using opened = await against((_request, response) => {
		response.writeHead(next?.[0] ?? 0).end(JSON.stringify(next?.[1]));
	});
	for (next of answers)
		assert.deepEqual(await opened.carrier.lookup?.("ref_a", Date.now(), never), next[2], JSON.stringify(next));
});

test("an answer that never comes is ambiguous once we stop waiting, and a look-up tells which", async () => {
	await using server = await startCarrier();
	const carrier = createSimulator({ settings: { url: server.url }, secrets: { token: server.token } });
	const silences = async () => (await server.readLedger()).answers.silence ?? 0;
	const expected = { timeout_after_accepting: "found", timeout_before_accepting: "absent" };
	for (const [name, kind] of Object.entries(expected)) {
		const before = await silences();
		const controller = new AbortController();
		const waiting = carrier.send(message(magicNumber(name), name), controller.signal);
		await until(async () => (await silences()) > before);
		controller.abort();
		assert.deepEqual(await waiting, { kind: "ambiguous", code: "aborted" });
		assert.equal((await carrier.lookup?.(name, Date.now(), never))?.kind, kind);
	}
	await carrier.close?.();
});

const pair = generateKeyPairSync("ed25519");
const publicKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
const verifier = createSimulator({ settings: {}, secrets: { publicKey } });
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const receipt = { eventId: "x.a", id: "x", status: "delivered", at: "2030-01-02T03:04:04.000Z" };

function callback(body: string, timestamp = String(now / 1000)) {
	const signature = sign(null, Buffer.from(`${timestamp}.${body}`), pair.privateKey).toString("base64");
	const headers = { "x-carrier-timestamp": timestamp, "x-carrier-signature": signature };
	return { method: "POST", url: "https://lethe.example/cb", headers, body };
}

test("each status of a receipt means one state, and its code one of ours", () => {
	const expected = {
		accepted: "pending",
		sent: "submitted",
		delivered: "delivered",
		undelivered: "undelivered",
		expired: "expired",
	};
	for (const [status, state] of Object.entries(expected)) {
		const result = verifier.verify(callback(JSON.stringify({ ...receipt, status })), now);
		const event = { eventId: "x.a", carrierId: "x", state, at: now - 1000 };
		assert.ok(result.valid);
		assert.deepEqual([result.events, result.messages], [[event], []]);
	}
	const codes = { "3002": "handset_unreachable", "3003": "validity_over", "9999": "other", toString: "other" };
	for (const [code, ours] of Object.entries(codes)) {
		const result = verifier.verify(callback(JSON.stringify({ ...receipt, code })), now);
		assert.equal(result.events[0]?.code, ours);
	}
});

test("a rightly signed body outside the schema is malformed, stale or not", () => {
	const bodies: unknown[] = [
		{ ...receipt, status: "teleported" },
		{ ...receipt, status: "toString" },
		{ ...receipt, more: 1 },
		{ ...receipt, eventId: "" },
		{ ...receipt, eventId: "a b" },
		{ ...receipt, eventId: "x".repeat(129) },
		{ ...receipt, id: 7 },
		{ ...receipt, at: 1 },
		{ ...receipt, at: "2030-01-02" },
		{ ...receipt, at: "2030-13-02T00:00:00Z" },
		{ ...receipt, code: 3002 },
		{ ...receipt, code: "x".repeat(17) },
		[receipt],
		null,
		"delivered",
		{},
	];
	for (const text of [...bodies.map((body) => JSON.stringify(body)), "", "{", "x".repeat(20_000)]) {
		for (const at of [now, now + 3600_000]) {
			assert.deepEqual(
				verifier.verify(callback(text), at),
				{ valid: false, reason: "malformed", events: [], messages: [] },
				text,
			);
		}
	}
});

test("a rightly signed timestamp that is not plain digits is malformed", () => {
	const seconds = now / 1000;
	for (const timestamp of [
		"",
		"NaN",
		`${seconds}abc`,
		`+${seconds}`,
		`-${seconds}`,
		`${seconds}.0`,
		"1e9",
		`0x${seconds}`,
		`${seconds}\n`,
		"9".repeat(13),
	]) {
		assert.deepEqual(verifier.verify(callback(JSON.stringify(receipt), timestamp), now).valid, false, timestamp);
	}
});

test("a signature for one timestamp does not serve another", () => {
	const genuine = callback(JSON.stringify(receipt));
	const moved = { ...genuine, headers: { ...genuine.headers, "x-carrier-timestamp": String(now / 1000 + 1) } };
	assert.deepEqual(verifier.verify(moved, now), { valid: false, reason: "bad_signature", events: [], messages: [] });
});

test("a receipt signed by another key, or with a signature of zeros, is forged", () => {
	const genuine = callback(JSON.stringify(receipt));
	const other = createSimulator({ settings: {}, secrets: { publicKey: Buffer.alloc(32, 7).toString("base64") } });
	assert.equal(other.verify(genuine, now).valid, false);
	const zeros = { ...genuine.headers, "x-carrier-signature": Buffer.alloc(64).toString("base64") };
	assert.deepEqual(verifier.verify({ ...genuine, headers: zeros }, now), {
		valid: false,
		reason: "bad_signature",
		events: [],
		messages: [],
	});
});

test("the freshness window ends to the millisecond", () => {
	const genuine = callback(JSON.stringify(receipt));
	assert.equal(verifier.verify(genuine, now + limits.callbackFreshnessMs).valid, true);
	assert.equal(verifier.verify(genuine, now - limits.callbackFreshnessMs).valid, true);
	assert.equal(verifier.verify(genuine, now + limits.callbackFreshnessMs + 1).valid, false);
	assert.equal(verifier.verify(genuine, now - limits.callbackFreshnessMs - 1).valid, false);
});

test("a method that the carrier does not use is unsupported", () => {
	const genuine = callback(JSON.stringify(receipt));
	assert.deepEqual(verifier.verify({ ...genuine, method: "GET" }, now), {
		valid: false,
		reason: "unsupported",
		events: [],
		messages: [],
	});
});
