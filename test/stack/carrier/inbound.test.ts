// The simulated carrier brings what recipients write as its README says: signed, tried again, and misbehaving when told to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulator } from "../../../adapters/carriers/simulator.ts";
import { type StartedCarrier, startCarrier, until } from "./start.ts";

const message = { from: "+12025550142", to: "LETHE", text: "STOP" };

/** What came to the inbound URL, judged by Lethe's own adapter. */
function judge(carrier: StartedCarrier) {
	const { verify } = createSimulator({ settings: {}, secrets: { publicKey: carrier.publicKey } });
	return carrier.callbacks.received.map((callback) => verify(callback, Date.now()));
}
const settled = (carrier: StartedCarrier) => until(async () => (await carrier.readLedger()).receipts.pending === 0);

test("a message arrives once, rightly signed, in the recipient's name", async () => {
	await using carrier = await startCarrier();
	const callbackUrl = `${carrier.callbacks.url}/inbound`;
	const { status, json } = await carrier.call("POST", "/inbound", { ...message, callbackUrl });
	assert.equal(status, 202);
	await settled(carrier);
	const [result, ...more] = judge(carrier);
	assert.ok(result?.valid && more.length === 0);
	const [taken] = result.messages;
	assert.deepEqual([taken?.from.reveal(), taken?.to, taken?.text.reveal()], Object.values(message));
	assert.equal(taken?.eventId, json.eventId);
	assert.ok(Math.abs(Date.now() - (taken?.at ?? 0)) < 5_000);
});

test("it goes to the URL that the carrier was started with, and is refused where it has none", async () => {
	await using without = await startCarrier();
	assert.equal((await without.call("POST", "/inbound", message)).json.error.code, "invalid_callbackUrl");
	await using carrier = await startCarrier({ inboundPath: "/in" });
	await carrier.call("POST", "/inbound", message);
	await settled(carrier);
	assert.ok(carrier.callbacks.received[0]?.url.endsWith("/in"));
});

test("it is brought again until it is taken, each time the same message signed anew", async () => {
	await using carrier = await startCarrier({ inboundPath: "/in" });
	carrier.callbacks.answerWith(() => (carrier.callbacks.received.length < 3 ? 503 : 200));
	await carrier.call("POST", "/inbound", message);
	await settled(carrier);
	assert.equal(carrier.callbacks.received.length, 3);
	assert.equal(new Set(carrier.callbacks.received.map(({ body }) => body)).size, 1);
	assert.ok(judge(carrier).every((result) => result?.valid));
});

test("forged and stale ones can be had on purpose, and the same event twice", async () => {
	await using carrier = await startCarrier({ inboundPath: "/in" });
	for (const more of [{ signature: "forged" }, { signature: "stale" }, { eventId: "e-1" }, { eventId: "e-1" }]) {
		await carrier.call("POST", "/inbound", { ...message, ...more });
		await settled(carrier);
	}
	const results = judge(carrier).map((result) => (result?.valid ? result.messages[0]?.eventId : result?.reason));
	assert.deepEqual(results, ["bad_signature", "stale", "e-1", "e-1"]);
});

test("asks for its token and takes nothing else than it documents", async () => {
	await using carrier = await startCarrier({ inboundPath: "/in" });
	const bare = await carrier.call("POST", "/inbound", message, { authorization: "Bearer wrong" });
	assert.equal(bare.status, 401);
	for (const more of [
		{ from: "12025550142" },
		{ to: "" },
		{ text: 1 },
		{ callbackUrl: "http://example.org/" },
		{ x: 1 },
	]) {
		assert.equal((await carrier.call("POST", "/inbound", { ...message, ...more })).status, 400);
	}
	assert.equal(carrier.callbacks.received.length, 0);
});
