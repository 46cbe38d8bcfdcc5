// `lethe send --wait` beside an API that goes away meanwhile: what was accepted is not lost, nor sent again by who is told of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { run } from "../harness/programs.ts";

type Say = (answer: ServerResponse) => void;

const json =
	(status: number, body: object): Say =>
	(answer) =>
		answer.writeHead(status).end(JSON.stringify(body));
const accepted = json(202, { id: "msg_a", state: "accepted" });
const reset: Say = (answer) => answer.destroy();
const cutOff =
	(status: number, begun: string, length: number): Say =>
	(answer) => {
		answer.writeHead(status, { "content-length": length }).flushHeaders();
		answer.write(begun);
		setTimeout(() => answer.socket?.resetAndDestroy(), 50);
	};

/** What the command says to an API that answers in turn so, and the last for good. */
async function sendTo(turns: Say[], timeout: string, ...more: string[]) {
	let asked = 0;
	const server = createServer((_, answer) => turns[Math.min(asked++, turns.length - 1)]?.(answer)).listen(
		0,
		"127.0.0.1",
	);
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const args = ["send", "--to", "+12025550142", "--body", "x", "--wait", "--timeout", timeout];
	const said = await run(process.execPath, ["cli/lethe.ts", ...args, ...more, "--url", url, "--key", "k"]);
	server.close();
	return said;
}

test("a message that was accepted is waited for through resets, throttling and an API that restarts", async () => {
	const passing = [
		reset,
		cutOff(200, '{"id":', 500),
		json(429, { code: "rate_limited" }),
		json(503, { code: "unavailable" }),
	];
	const delivered = json(200, { id: "msg_a", state: "delivered" });
	const still = json(200, { id: "msg_a", state: "accepted" });
	const { code, out, error } = await sendTo([accepted, still, ...passing, delivered], "60");
	assert.deepEqual([code, out], [0, "msg_a delivered\n"], error);
	assert.equal(error, "msg_a is accepted\ndelivered\n", "whoever interrupts it knows what was sent, and hears it once");
});

test("whatever ends the waiting names the message", async () => {
	for (const [last, timeout] of [
		[reset, "0"],
		[json(401, { code: "unauthenticated" }), "60"],
	] as const) {
		const { code, out, error } = await sendTo([accepted, last], timeout);
		assert.deepEqual([code, out], [2, ""], error);
		assert.match(error, /\nlethe: msg_a was accepted, but its state can't be read: [^\n]+ Don't send it again: /);
	}
});

test("whoever is cut off, before the answer or in the midst of it, is told the key by which a repeat sends it once", async () => {
	const key = "[0-9a-f-]{36}";
	const told = new RegExp(
		`^lethe: the API at \\S+ broke off, and may have accepted it\\. .* --idempotency-key ${key}: then it is sent once\\.\n$`,
	);
	for (const cut of [reset, cutOff(202, "", 500), cutOff(202, '{"id":"msg_', 500), cutOff(503, "{", 500)]) {
		const { code, out, error } = await sendTo([cut], "0");
		assert.deepEqual([code, out], [2, ""], error);
		assert.match(error, told);
	}
	const { error } = await sendTo([cutOff(202, "{", 500)], "0", "--idempotency-key", "order-7");
	assert.match(error, / --idempotency-key order-7: /);
});

test("of a dry run that is cut off nothing is stored, and there is no key to repeat it by", async () => {
	for (const cut of [reset, cutOff(200, '{"decision":', 500)]) {
		const { code, out, error } = await sendTo([cut], "0", "--dry-run", "--idempotency-key", "order-7");
		assert.deepEqual([code, out], [2, ""], error);
		assert.match(error, /^lethe: the API at \S+ broke off; nothing is stored\. Ask again\.\n$/);
	}
});

test("an answer that is whole and not Lethe's is told as that", async () => {
	for (const [status, text] of [
		[202, "<html>"],
		[502, "<html>"],
		[502, "{}"],
		[200, ""],
	] as const) {
		const { code, error } = await sendTo([(answer) => answer.writeHead(status).end(text)], "0");
		assert.deepEqual([code, error.includes(`is not Lethe's API (status ${status})`)], [2, true], error);
	}
});

test("a token that is not known, whatever the API calls it, is misuse and no negative answer", async () => {
	const { code, error } = await sendTo([json(401, { code: "token_invalid", title: "No." })], "0");
	assert.equal(code, 2, error);
});

test("what is wrong is told by the option that gives it, and what the policies refuse with each reason's meaning", async () => {
	const wrong = { code: "invalid_request", title: "No.", errors: [{ pointer: "/validFor", detail: "Too long." }] };
	assert.match((await sendTo([json(400, wrong)], "0")).error, / --valid-for: Too long\. /);
	const pointless = { ...wrong, errors: [{ pointer: "", detail: "Not JSON." }] };
	assert.match((await sendTo([json(400, pointless)], "0")).error, /: No\. Not JSON\. /);
	const denied = { code: "policy_denied", title: "No.", decision: { reasons: ["CONSENT_MISSING"] } };
	assert.match((await sendTo([json(422, denied)], "0")).error, / CONSENT_MISSING: \w[^\n]+\n$/);
});

test("variables without a template are refused: nobody is sent a text with its places unfilled", async () => {
	const { code, error } = await sendTo([accepted], "0", "--variable", "day=Monday");
	assert.equal(code, 2, error);
	assert.match(error, /--variable/);
});
