// The simulated carrier behaves as its README says: API, receipts, and every magic number.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createSimulator } from "../../../adapters/carriers/simulator.ts";
import { magic, magicNumber } from "../../../stack/carrier/magic.ts";
import { type StartedCarrier, startCallbacks, startCarrier, until } from "./start.ts";

const request = (name: string, more: Record<string, unknown> = {}) => ({
	to: magicNumber(name),
	text: "hello",
	reference: `ref_${name}`,
	validitySeconds: 60,
	...more,
});

/** What came to the callback URL, judged by Lethe's own adapter: valid or why not, and the state told. */
function judge(carrier: StartedCarrier): string[] {
	const { verify } = createSimulator({ settings: {}, secrets: { publicKey: carrier.publicKey } });
	return carrier.callbacks.received.map((callback) => {
		const result = verify(callback, Date.now());
		return [result.valid ? "valid" : result.reason, ...result.events.map((event) => event.state)].join(" ");
	});
}

const settled = (carrier: StartedCarrier) => until(async () => (await carrier.readLedger()).receipts.pending === 0);

/** name → statuses of three sends of one text (0: no answer), how many were accepted, receipts of the first accepted. */
const expectations: Record<string, { answers: number[]; accepted: number; receipts: string[] }> = {
	delivered: { answers: [202], accepted: 1, receipts: ["valid delivered"] },
	undelivered: { answers: [202], accepted: 1, receipts: ["valid undelivered"] },
	expired: { answers: [202], accepted: 1, receipts: ["valid expired"] },
	no_receipt: { answers: [202], accepted: 1, receipts: [] },
	late_receipt: { answers: [202], accepted: 1, receipts: ["valid delivered"] },
	duplicate_receipt: { answers: [202], accepted: 1, receipts: Array(3).fill("valid delivered") },
	out_of_order_receipts: { answers: [202], accepted: 1, receipts: ["valid delivered", "valid submitted"] },
	receipt_before_answer: { answers: [202], accepted: 1, receipts: ["valid delivered"] },
	forged_receipt: { answers: [202], accepted: 1, receipts: ["bad_signature", "valid delivered"] },
	stale_receipt: { answers: [202], accepted: 1, receipts: ["stale delivered"] },
	replayed_receipt: { answers: [202], accepted: 1, receipts: ["valid delivered", "valid delivered"] },
	throttled: { answers: [429, 429, 202], accepted: 1, receipts: ["valid delivered"] },
	unavailable: { answers: [503, 503, 202], accepted: 1, receipts: ["valid delivered"] },
	error_before_accepting: { answers: [500, 202], accepted: 1, receipts: ["valid delivered"] },
	error_after_accepting: { answers: [500], accepted: 1, receipts: ["valid delivered"] },
	timeout_after_accepting: { answers: [0], accepted: 1, receipts: ["valid delivered"] },
	timeout_before_accepting: { answers: [0, 202], accepted: 1, receipts: ["valid delivered"] },
	reset_after_accepting: { answers: [0], accepted: 1, receipts: ["valid delivered"] },
	reset_before_accepting: { answers: [0, 202], accepted: 1, receipts: ["valid delivered"] },
	garbled_answer: { answers: [-1], accepted: 1, receipts: ["valid delivered"] },
	rejected_number: { answers: [422, 422, 422, 422], accepted: 0, receipts: [] },
	never_available: { answers: [503, 503, 503, 503], accepted: 0, receipts: [] },
};

/** Status of a send; 0 when none came, -1 when it could not be read. */
async function sendOnce(carrier: StartedCarrier, name: string): Promise<number> {
	const silences = async () => (await carrier.readLedger()).answers.silence ?? 0;
	const before = await silences();
	let status: number | undefined;
	carrier.call("POST", "/v1/messages", request(name)).then(
		(answer) => {
			status = answer.status;
		},
		(error: unknown) => {
			status = error instanceof SyntaxError ? -1 : 0;
		},
	);
	await until(async () => status !== undefined || (await silences()) > before);
	return status ?? 0;
}

for (const row of magic) {
	test(`magic number ${row.name}: ${row.does}`, async () => {
		const expected = expectations[row.name];
		assert.ok(expected, "every row needs its expectation");
		await using carrier = await startCarrier();
		const answers: number[] = [];
		for (const _ of expected.answers) answers.push(await sendOnce(carrier, row.name));
		assert.deepEqual(answers, expected.answers);
		await settled(carrier);
		assert.deepEqual(judge(carrier), expected.receipts);
		const ledger = await carrier.readLedger();
		assert.equal(ledger.total, expected.accepted);
		assert.ok(ledger.messages.every((message) => message.magic === row.name && message.text === "hello"));
		const found = await carrier.call("GET", `/v1/messages?reference=ref_${row.name}`);
		assert.deepEqual([found.status, found.json.status], expected.accepted ? [200, row.settles] : [404, undefined]);
	});
}

test("the receipt that precedes the answer has been answered before the answer comes", async () => {
	await using carrier = await startCarrier();
	await carrier.call("POST", "/v1/messages", request("receipt_before_answer"));
	assert.equal(carrier.callbacks.received.length, 1);
});

test("a callback that hangs holds the answer back for two seconds at most", async () => {
	await using carrier = await startCarrier();
	carrier.callbacks.answerWith(() => 500);
	const { status } = await carrier.call("POST", "/v1/messages", request("receipt_before_answer"));
	assert.equal(status, 202);
});

test("duplicates are one event signed anew, a replay is the same bytes, and a repeated status is another event", async () => {
	await using carrier = await startCarrier();
	const ids = () => carrier.callbacks.received.map((callback) => JSON.parse(callback.body).eventId.split(".")[1]);
	await carrier.call("POST", "/v1/messages", request("duplicate_receipt"));
	await settled(carrier);
	assert.deepEqual(ids(), ["a", "a", "b"]);
	await carrier.call("POST", "/v1/messages", request("replayed_receipt"));
	await settled(carrier);
	const [first, second] = carrier.callbacks.received.slice(3);
	assert.equal(first?.body, second?.body);
	assert.equal(first?.headers["x-carrier-signature"], second?.headers["x-carrier-signature"]);
});

test("troubled tries are counted for each text to each number, and start anew after the last", async () => {
	await using carrier = await startCarrier();
	const statuses: number[] = [];
	for (const text of ["one", "two", "one", "two", "one", "two", "one"]) {
		statuses.push((await carrier.call("POST", "/v1/messages", request("throttled", { text }))).status);
	}
	assert.deepEqual(statuses, [429, 429, 429, 429, 202, 202, 429]);
});

test("a throttled send says how long to wait, in seconds", async () => {
	await using carrier = await startCarrier();
	assert.equal((await carrier.call("POST", "/v1/messages", request("throttled"))).headers.get("retry-after"), "1");
});

test("a receipt that is not taken comes again, signed anew with the same event id, until it is", async () => {
	await using carrier = await startCarrier();
	let turn = 0;
	carrier.callbacks.answerWith(() => [500, 404, 429, 200][turn++] ?? 204);
	await carrier.call("POST", "/v1/messages", request("delivered"));
	await settled(carrier);
	assert.equal(carrier.callbacks.received.length, 4);
	assert.equal(new Set(carrier.callbacks.received.map((callback) => JSON.parse(callback.body).eventId)).size, 1);
	assert.deepEqual(new Set(judge(carrier)), new Set(["valid delivered"]));
});

test("a forged or stale receipt that is refused does not come again", async () => {
	await using carrier = await startCarrier();
	carrier.callbacks.answerWith(() => 401);
	await carrier.call("POST", "/v1/messages", request("stale_receipt"));
	await settled(carrier);
	assert.equal(carrier.callbacks.received.length, 1);
	assert.equal((await carrier.readLedger()).receipts.refused, 1);
});

test("receipts outlive a listener that is away, and find it once it is back", async () => {
	await using carrier = await startCarrier();
	const away = await startCallbacks();
	await away.close();
	await carrier.call("POST", "/v1/messages", request("delivered", { callbackUrl: `${away.url}/there?queue=1` }));
	assert.equal((await carrier.readLedger()).receipts.pending, 1);
	const back = await startCallbacks(Number(new URL(away.url).port));
	const callback = await until(() => back.received[0]);
	assert.equal(new URL(callback.url).search, "?queue=1");
	assert.equal(carrier.callbacks.received.length, 0);
	await back.close();
});

test("a request that breaks the documented shape is refused by field, and nothing is accepted", async () => {
	await using carrier = await startCarrier();
	const bad: [field: string, value: unknown][] = [
		["to", "12025550142"],
		["to", "+0123456789"],
		["to", "+1202555014212345"],
		["to", "+1202555014x"],
		["to", undefined],
		["from", "far too long a name"],
		["text", ""],
		["text", "x".repeat(1601)],
		["text", 7],
		["reference", "with space"],
		["reference", "x".repeat(65)],
		["reference", undefined],
		["validitySeconds", 0],
		["validitySeconds", 1.5],
		["validitySeconds", "60"],
		["validitySeconds", 7 * 24 * 3600 + 1],
		["callbackUrl", "http://carrier.example/"],
		["callbackUrl", "file:///127.0.0.1"],
		["callbackUrl", "http://127.0.0.1.example/"],
	];
	for (const [field, value] of bad) {
		const { status, json } = await carrier.call("POST", "/v1/messages", request("delivered", { [field]: value }));
		assert.deepEqual([status, json.error.code], [400, `invalid_${field}`], String(value));
	}
	const bodies = ["", "{", "null", "[]", "\u0000", JSON.stringify({ ...request("delivered"), more: 1 })];
	for (const body of bodies) {
		const { status, json } = await carrier.call("POST", "/v1/messages", body);
		assert.deepEqual([status, json.error.code], [400, "invalid_body"], body);
	}
	const lone = `${JSON.stringify(request("delivered")).slice(0, -1)},"text":"\\ud83d"}`;
	assert.equal((await carrier.call("POST", "/v1/messages", lone)).json.error.code, "invalid_text");
	assert.equal((await carrier.call("POST", "/v1/messages", "x".repeat(20_000))).status, 413);
	assert.equal((await carrier.readLedger()).total, 0);
});

test("without the token nothing is served but health", async () => {
	await using carrier = await startCarrier();
	for (const authorization of ["", "Bearer ", `Bearer ${carrier.token}x`, carrier.token]) {
		for (const path of ["/v1/messages?reference=x", "/ledger", "/nowhere"]) {
			assert.equal((await carrier.call("GET", path, undefined, { authorization })).status, 401);
		}
		assert.equal((await carrier.call("POST", "/v1/messages", request("delivered"), { authorization })).status, 401);
		assert.equal((await carrier.call("GET", "/healthz", undefined, { authorization })).status, 200);
	}
	assert.equal((await carrier.readLedger()).total, 0);
});

test("the ledger shows what was sent, page by page, by reference and by number, and what was redacted", async () => {
	await using carrier = await startCarrier();
	for (const reference of ["a", "b", "b", "c"]) {
		await carrier.call("POST", "/v1/messages", request("no_receipt", { reference, text: `${reference}€`.repeat(60) }));
	}
	const first = (await carrier.call("GET", "/ledger?limit=3")).json;
	assert.deepEqual([first.total, first.repeatedReferences, first.messages.length, first.next], [4, 1, 3, 3]);
	assert.equal(first.messages[0].segments, 2);
	const second = (await carrier.call("GET", `/ledger?limit=3&after=${first.next}`)).json;
	assert.deepEqual([second.messages.length, second.messages[0].reference, second.next], [1, "c", undefined]);
	assert.equal((await carrier.call("GET", "/ledger?reference=b")).json.messages.length, 2);
	const search = { to: magicNumber("no_receipt") };
	assert.equal((await carrier.call("POST", "/ledger/search", search)).json.messages.length, 4);
	assert.equal(
		(await carrier.call("POST", "/ledger/search", { to: magicNumber("delivered") })).json.messages.length,
		0,
	);
	assert.equal((await carrier.call("GET", "/ledger?limit=1001")).status, 400);

	const { id } = first.messages[0];
	assert.equal((await carrier.call("DELETE", `/v1/messages/${id}`)).status, 204);
	assert.equal((await carrier.call("DELETE", "/v1/messages/nobody")).status, 404);
	const redacted = (await carrier.call("GET", "/ledger?limit=1")).json.messages[0];
	assert.deepEqual([redacted.id, redacted.reference, redacted.text], [id, "a", ""]);
});

test("beyond its bounds the carrier takes nothing more, and says that it was not accepted", async () => {
	await using busy = await startCarrier({ receiptsPendingMax: 1 });
	busy.callbacks.answerWith(() => 500);
	assert.equal((await busy.call("POST", "/v1/messages", request("delivered"))).status, 202);
	assert.equal((await busy.call("POST", "/v1/messages", request("delivered"))).status, 503);
	assert.equal((await busy.readLedger()).total, 1);
	await using full = await startCarrier({ ledgerBytesMax: 1 });
	assert.equal((await full.call("POST", "/v1/messages", request("delivered"))).status, 202);
	assert.equal((await full.call("POST", "/v1/messages", request("delivered"))).status, 503);
	assert.equal((await full.readLedger()).total, 1);
});

test("a request cut off half way is not accepted, and the carrier goes on", async () => {
	await using carrier = await startCarrier();
	const { port } = new URL(carrier.url);
	const socket = connect(Number(port), "127.0.0.1");
	const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${carrier.token}\r\ncontent-length: 500\r\n\r\n{"to":`;
	await new Promise((resolve) => socket.write(head, resolve));
	socket.resetAndDestroy();
	assert.equal((await carrier.call("POST", "/v1/messages", request("delivered"))).status, 202);
	assert.equal((await carrier.readLedger()).total, 1);
});
