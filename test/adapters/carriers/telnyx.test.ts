// Telnyx's callbacks: Ed25519 over time and raw body, judged as its own library judges them.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import Telnyx from "telnyx";
import { verifyTelnyx } from "../../../adapters/carriers/telnyx.ts";
import { telnyxVendor } from "./vendors.ts";

const pair = generateKeyPairSync("ed25519");
const publicKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const seconds = now / 1000;
const verify = verifyTelnyx({ settings: {}, secrets: { publicKey } });

function event(status: string, type = "message.finalized") {
	const payload = {
		...{ id: "40385f64-5717-4562-b3fc-2c963f66afa6", record_type: "message", direction: "outbound", text: "Hi" },
		to: [{ phone_number: "+12025550142", status, carrier: "X", line_type: "Wireless" }],
		errors: [] as { code: string; title: string }[],
	};
	return {
		data: { event_type: type, id: "ev-1", occurred_at: "2030-01-02T03:04:00.000+00:00", payload, record_type: "event" },
		meta: { attempt: 1, delivered_to: "https://lethe.example/cb" },
	};
}
function post(content: unknown, timestamp = String(seconds), key = pair.privateKey) {
	const body = typeof content === "string" ? content : JSON.stringify(content);
	const signature = sign(null, Buffer.from(`${timestamp}|${body}`), key).toString("base64");
	const headers = { "telnyx-signature-ed25519": signature, "telnyx-timestamp": timestamp };
	return { method: "POST", url: "https://lethe.example/cb", headers, body };
}
const reasonOf = (request: Parameters<typeof verify>[0], at = now) => {
	const result = verify(request, at);
	return result.valid ? undefined : result.reason;
};

test("each status means one state; one that was never confirmed is final and unknown", () => {
	const expected = {
		...{ queued: "pending", sending: "pending", sent: "submitted", delivered: "delivered" },
		...{ sending_failed: "undelivered", delivery_failed: "undelivered", delivery_unconfirmed: "unknown" },
	};
	for (const [status, state] of Object.entries(expected)) {
		const result = verify(post(event(status)), now);
		assert.ok(result.valid);
		const carrierId = "40385f64-5717-4562-b3fc-2c963f66afa6";
		assert.deepEqual(result.events, [{ eventId: "ev-1", carrierId, state, at: Date.UTC(2030, 0, 2, 3, 4, 0) }]);
	}
	const failed = event("delivery_failed");
	const errors = {
		"40001": "invalid_recipient",
		"40003": "content_refused",
		"40005": "validity_over",
		"40008": "other",
	};
	for (const [error, code] of Object.entries(errors)) {
		failed.data.payload.errors = [{ code: error, title: "marker" }];
		assert.equal(verify(post(failed), now).events[0]?.code, code, error);
	}
	const several = event("delivered");
	several.data.payload.to.push({ ...event("delivery_failed").data.payload.to[0] } as never);
	assert.equal(
		verify(post(several), now).events[0]?.state,
		"pending",
		"of several recipients it tells nothing of ours",
	);
});

test("another body, time or key, or a signature in another form, is not believed", () => {
	const request = post(event("delivered"));
	assert.equal(reasonOf({ ...request, body: `${request.body} ` }), "bad_signature");
	assert.equal(
		reasonOf(post(event("delivered"), undefined, generateKeyPairSync("ed25519").privateKey)),
		"bad_signature",
	);
	const later = { ...request.headers, "telnyx-timestamp": String(seconds + 1) };
	assert.equal(reasonOf({ ...request, headers: later }), "bad_signature");
	const signature = request.headers["telnyx-signature-ed25519"];
	for (const bad of [signature.replace(/=+$/, ""), `${signature}\n`, signature.replaceAll("+", "-"), "", "AAAA"]) {
		if (bad === signature) continue;
		const headers = { ...request.headers, "telnyx-signature-ed25519": bad };
		assert.equal(reasonOf({ ...request, headers }), "malformed", bad);
	}
	assert.equal(reasonOf({ ...request, headers: {} as never }), "unsigned");
});

test("a rightly signed time that is not digits alone is malformed", () => {
	for (const timestamp of ["abc", "", "NaN", `${seconds}.5`, `${seconds}abc`, "1e9", "Infinity", ` ${seconds}`]) {
		assert.equal(reasonOf(post(event("delivered"), timestamp)), "malformed", timestamp);
	}
	for (const edge of [-300, 300]) assert.equal(reasonOf(post(event("sent")), now + edge * 1000), undefined);
	for (const edge of [-301, 301]) {
		const stale = verify(post(event("sent")), now + edge * 1000);
		assert.ok(!stale.valid && stale.reason === "stale" && stale.events.length === 1);
	}
});

test("the verdict is that of the vendor's library, of what our fake signs and of whatever becomes of it", async (context) => {
	context.mock.timers.enable({ apis: ["Date"], now });
	const vendor = telnyxVendor();
	const key = vendor.secrets.publicKey as string;
	const ours = verifyTelnyx({ settings: {}, secrets: { publicKey: key } });
	const library = new Telnyx({ apiKey: "marker" });
	const theirs = ({ body, headers }: Parameters<typeof verify>[0]) =>
		library.webhooks.unwrap(body, { headers: headers as Record<string, string>, key }).then(
			() => true,
			() => false,
		);
	const kind = fc.constantFrom("receipt", "inbound");
	const changed = fc.constantFrom("nothing", "body", "telnyx-timestamp", "telnyx-signature-ed25519");
	const change = fc.record({ kind, changed, place: fc.nat(79), letter: fc.constantFrom("0", "9", "A", "z", "+", " ") });
	const lateMs = fc.constantFrom(0, -300_000, 300_000, -301_000, 301_000);
	const property = fc.asyncProperty(change, lateMs, async ({ kind, changed, place, letter }, ms) => {
		const made =
			kind === "receipt"
				? await vendor.receipt("40385f64-5717-4562-b3fc-2c963f66afa6", "delivered")
				: await vendor.inbound({ from: "+12025550142", to: "+12025550100", text: "Größe €" });
		const alter = (text: unknown) => {
			const at = place % String(text).length;
			return `${String(text).slice(0, at)}${letter}${String(text).slice(at + 1)}`;
		};
		const headers = { ...made.headers };
		if (changed in headers) headers[changed] = alter(headers[changed]);
		const callback = { ...made, headers, body: changed === "body" ? alter(made.body) : made.body };
		context.mock.timers.setTime(now + ms);
		const believed = await theirs(callback).finally(() => context.mock.timers.setTime(now));
		assert.equal(ours(callback, now + ms).valid, believed);
		if (changed === "nothing") assert.equal(believed, Math.abs(ms) <= 300_000);
	});
	await fc.assert(property, { numRuns: 300 });
});

test("the same event under a new time is the carrier's own repeat: another callback, and the same event", () => {
	const [first, again] = [seconds, seconds - 10].map((at) => verify(post(event("delivered"), String(at)), now));
	assert.ok(first?.valid && again?.valid);
	assert.notEqual(first.replayKey, again.replayKey);
	assert.equal(first.events[0]?.eventId, again.events[0]?.eventId);
});

test("what is no message is authentic and brings nothing; what is one and has not its form is told to be unread", () => {
	for (const content of ["{}", "no json", { data: { event_type: "call.hangup", id: "e" } }]) {
		const result = verify(post(content), now);
		assert.ok(result.valid);
		assert.deepEqual([result.events, result.messages], [[], []]);
	}
	const { payload: _payload, ...rest } = event("delivered").data;
	for (const data of [rest, { ...event("delivered").data, id: "../x y" }]) {
		const result = verify(post({ data }), now);
		assert.ok(result.valid && result.unread);
		assert.deepEqual([result.events, result.messages], [[], []]);
	}
});

test("what a recipient wrote is told as it was", () => {
	const payload = {
		...{ id: "m-1", direction: "inbound", text: "STOP", from: { phone_number: "+12025550142" } },
		to: [{ phone_number: "+12025550100", status: "webhook_delivered" }],
	};
	const result = verify(post({ data: { event_type: "message.received", id: "ev-2", payload } }), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+12025550142", "+12025550100", "STOP"],
	);
});

test("a key that is none is refused at once, and not repeated", () => {
	for (const bad of ["marker", Buffer.alloc(31).toString("base64"), `${publicKey}=`]) {
		assert.throws(
			() => verifyTelnyx({ settings: {}, secrets: { publicKey: bad } }),
			(error) => error instanceof TypeError && !error.message.includes(bad),
		);
	}
});
