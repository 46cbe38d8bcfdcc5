// What answers of any carrier's API mean: nothing is tried again that may have been taken, nothing given up that may pass.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import type { Carrier, CarrierFactory, SendOutcome } from "../../../adapters/carriers/carrier.ts";
import { carriers } from "../../../adapters/carriers/registry.ts";
import { limits } from "../../../domain/limits.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import * as vendors from "./vendors.ts";

type Reply = { status: number; body?: string; headers?: Record<string, string> };
let next: Reply = { status: 500 };
const bodies: string[] = [];
const server = createServer(async (request, response) => {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk as Buffer);
	bodies.push(Buffer.concat(chunks).toString("utf8"));
	response.writeHead(next.status, next.headers).end(next.body);
});
before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
after(() => {
	server.close();
	server.closeAllConnections();
});

const made: Record<string, vendors.Vendor> = {
	aws: vendors.awsVendor(),
	messagebird: vendors.messageBirdVendor(),
	plivo: vendors.plivoVendor(),
	sinch: vendors.sinchVendor(),
	telnyx: vendors.telnyxVendor(),
	twilio: vendors.twilioVendor(),
	vonage: vendors.vonageVendor(),
};
const never = new AbortController().signal;
const message = (more: object = {}) => ({
	...{ to: Plaintext.text("+12025550100"), text: Plaintext.text("the marker"), reference: "ref_1" },
	...{ sender: "+12025550199", validitySeconds: 60, ...more },
});

const failed = (code: string, permanent: boolean): SendOutcome => ({ kind: "rejected", code, permanent });
const unreadable: SendOutcome = { kind: "ambiguous", code: "unreadable_answer" };
const anywhere: [reply: Reply, outcome: SendOutcome][] = [
	[{ status: 200, body: "" }, unreadable],
	[{ status: 201, body: "<html>marker</html>" }, unreadable],
	[{ status: 202, body: '{"id":"../x","sid":"x y","message_uuid":["../x"],"MessageId":"a/b"}' }, unreadable],
	[{ status: 204 }, unreadable],
	[{ status: 301, headers: { location: "https://marker.example/" } }, unreadable],
	[{ status: 400, body: "{}" }, failed("invalid_request", true)],
	[{ status: 400, body: "marker" }, failed("invalid_request", true)],
	[{ status: 401, body: "{}" }, failed("credentials_refused", false)],
	[{ status: 402, body: "{}" }, failed("unavailable", false)],
	[{ status: 403, body: "{}" }, failed("credentials_refused", false)],
	[{ status: 405, body: "{}" }, unreadable],
	[{ status: 408, body: "{}" }, unreadable],
	[{ status: 413, body: "{}" }, failed("invalid_request", true)],
	[{ status: 422, body: "{}" }, failed("invalid_request", true)],
	[
		{ status: 429, headers: { "retry-after": "7" } },
		{ kind: "throttled", retryAfterMs: 7_000 },
	],
	[
		{ status: 429, headers: { "retry-after": "soon" } },
		{ kind: "throttled", retryAfterMs: limits.backoffFirstMs },
	],
	[
		{ status: 429, headers: { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT" } },
		{ kind: "throttled", retryAfterMs: limits.backoffMaxMs },
	],
	[
		{ status: 429, headers: { "retry-after": "Wed, 02 Jan 2020 03:04:05 GMT" } },
		{ kind: "throttled", retryAfterMs: limits.backoffFirstMs },
	],
	[
		{ status: 429, headers: { "retry-after": "999999" } },
		{ kind: "throttled", retryAfterMs: limits.backoffMaxMs },
	],
	[
		{ status: 429, headers: { "retry-after": "2147483648" } },
		{ kind: "throttled", retryAfterMs: limits.backoffMaxMs },
	],
	[
		{ status: 500, body: "{}" },
		{ kind: "ambiguous", code: "carrier_error" },
	],
	[
		{ status: 503, body: "{}" },
		{ kind: "ambiguous", code: "carrier_error" },
	],
	[
		{ status: 504, body: "{}" },
		{ kind: "ambiguous", code: "carrier_error" },
	],
];
const theirs: Record<string, [reply: Reply, outcome: SendOutcome][]> = {
	aws: [
		[
			{ status: 400, body: '{"__type":"x#ThrottlingException"}' },
			{ kind: "throttled", retryAfterMs: 1_000 },
		],
		[{ status: 400, body: '{"__type":"x#AccessDeniedException"}' }, failed("credentials_refused", false)],
		[
			{ status: 400, body: '{"__type":"ConflictException","Reason":"DESTINATION_PHONE_NUMBER_OPTED_OUT"}' },
			failed("recipient_opted_out", true),
		],
		[
			{
				status: 400,
				body: '{"__type":"ConflictException","Reason":"DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"}',
			},
			failed("invalid_recipient", true),
		],
		[
			{ status: 400, body: '{"__type":"ConflictException","Reason":"DESTINATION_PHONE_NUMBER_NOT_VERIFIED"}' },
			failed("unavailable", false),
		],
		[
			{ status: 400, body: '{"__type":"ValidationException","Reason":"SENDER_ID_NOT_REGISTERED"}' },
			failed("sender_refused", true),
		],
		[
			{ status: 400, body: '{"__type":"ValidationException","Reason":"FIELD_VALIDATION_FAILED"}' },
			failed("invalid_request", true),
		],
		[{ status: 400, body: '{"__type":"constructor"}' }, failed("invalid_request", true)],
	],
	messagebird: [
		[{ status: 422, body: '{"errors":[{"code":10,"parameter":"originator"}]}' }, failed("sender_refused", true)],
		[{ status: 422, body: '{"errors":[{"code":25,"parameter":null}]}' }, failed("unavailable", false)],
	],
	sinch: [[{ status: 403, body: '{"code":"forbidden"}' }, failed("sender_refused", true)]],
	telnyx: [
		[{ status: 400, body: '{"errors":[{"code":"40300"}]}' }, failed("recipient_opted_out", true)],
		[{ status: 400, body: '{"errors":[{"code":"40305"}]}' }, failed("sender_refused", true)],
		[
			{ status: 400, body: '{"errors":[{"code":"40318"}]}' },
			{ kind: "throttled", retryAfterMs: 1_000 },
		],
	],
	twilio: [
		[{ status: 400, body: '{"code":21610}' }, failed("recipient_opted_out", true)],
		[{ status: 400, body: '{"code":21606}' }, failed("sender_refused", true)],
		[
			{ status: 400, body: '{"code":21611}' },
			{ kind: "throttled", retryAfterMs: 1_000 },
		],
		[{ status: 404, body: '{"code":20404}' }, unreadable],
	],
	vonage: [
		[
			{
				status: 422,
				body: '{"type":"https://developer.vonage.com/api-errors/messages#1120","title":"Invalid sender"}',
			},
			failed("sender_refused", true),
		],
		[
			{
				status: 422,
				body: '{"type":"https://developer.vonage.com/api-errors/messages#1150","title":"Invalid params","invalid_parameters":[{"name":"to"}]}',
			},
			failed("invalid_recipient", true),
		],
	],
};

for (const [name, vendor] of Object.entries(made)) {
	const open = (more: Record<string, string> = {}, receiptsUrl?: string): Carrier => {
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const factory = carriers[name] as CarrierFactory;
		return factory({ settings: { url, ...vendor.settings, ...more }, secrets: vendor.secrets, receiptsUrl });
	};

	test(`${name}: each answer means one outcome, in which nothing of its text is`, async () => {
		const carrier = open();
		for (const [reply, outcome] of [...anywhere, ...(theirs[name] ?? [])]) {
			next = reply;
			const told = await carrier.send(message(), never);
			assert.deepEqual(told, outcome, JSON.stringify(reply));
			assert.ok(!inspect(told, { depth: 9 }).includes("marker"));
		}
		await carrier.close?.();
	});

	test(`${name}: segments that it does not tell are counted, and a sender that is missing is its to refuse`, async () => {
		const carrier = open();
		const id = vendor.newId();
		const { status, body } = vendor.accept(id, "€".repeat(81));
		next = { status, body: JSON.stringify(body) };
		const told = await carrier.send(message({ text: Plaintext.text("€".repeat(81)), sender: undefined }), never);
		assert.ok(told.kind === "accepted" && told.carrierId === id);
		// These say so themselves, one in their fakes.
		assert.equal(told.segments, ["messagebird", "telnyx", "twilio"].includes(name) ? 1 : 2);
		await carrier.close?.();
	});

	// AWS has a configuration set name where they go.
	test(`${name}: receipts are brought where it is set, else to the deployment's own address where that can be reached`, async () => {
		const [own, set] = ["https://own.example/receipts", "https://set.example/receipts"];
		const inside = "http://127.0.0.1:8080/receipts";
		const told = async (more: Record<string, string>, receiptsUrl: string) => {
			const carrier = open(more, receiptsUrl);
			bodies.length = 0;
			await carrier.send(message(), never);
			await carrier.close?.();
			const body = decodeURIComponent(bodies[0] ?? "");
			return [own, set, inside].filter((address) => body.includes(address));
		};
		assert.deepEqual(await told({}, own), name === "aws" ? [] : [own]);
		assert.deepEqual(await told({}, inside), []);
		if (name !== "aws") assert.deepEqual(await told({ callbackUrl: set }, own), [set]);
	});

	test(`${name}: a validity that is longer than it takes is shortened, never left out`, async () => {
		const { status, body } = vendor.accept(vendor.newId(), "x");
		next = { status, body: JSON.stringify(body) };
		const carrier = open();
		bodies.length = 0;
		await carrier.send(message({ validitySeconds: 7 * 24 * 3600 }), never);
		const sent = bodies[0] ?? "";
		if (carrier.capabilities.validity) {
			assert.match(
				sent,
				/ValidityPeriod=36000|"ttl":604800|"message_expiry":10800|"validity":604800|"TimeToLive":259200|"expire_at"/,
			);
		}
		await carrier.close?.();
	});

	test(`${name}: a secret that no request can bear, or an address in the clear, is refused and not repeated`, () => {
		const factory = carriers[name] as CarrierFactory;
		const bad = { ...vendor.settings, url: "http://marker.example" };
		assert.throws(
			() => factory({ settings: bad, secrets: vendor.secrets }),
			(error) => error instanceof TypeError && !error.message.includes("marker"),
		);
		for (const secret of ["apiKey", "token", "accessKey", "privateKey"]) {
			const isBearer =
				{ telnyx: "apiKey", sinch: "token", messagebird: "accessKey", vonage: "privateKey" }[name] === secret;
			if (!isBearer) continue;
			assert.throws(
				() => factory({ settings: vendor.settings ?? {}, secrets: { ...vendor.secrets, [secret]: "marker\r\nx: y" } }),
				(error) => error instanceof TypeError && !error.message.includes("marker"),
			);
		}
	});
}

test("sinch: what it lists of another reference is neither this message nor its absence", async () => {
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const { secrets } = made.sinch as vendors.Vendor;
	const carrier = (carriers.sinch as CarrierFactory)({ settings: { url }, secrets });
	const lookUp = (reference: string) => {
		next = { status: 200, body: JSON.stringify({ batches: [{ id: "b1", client_reference: reference, body: "x" }] }) };
		return carrier.lookup?.("ref_1", Date.now(), never);
	};
	assert.equal((await lookUp("ref_1"))?.kind, "found");
	assert.deepEqual(await lookUp("ref_2"), { kind: "unavailable" });
	await carrier.close?.();
});

test("twilio: a name that begins as the id of a messaging service does is a name", async () => {
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const { secrets } = made.twilio as vendors.Vendor;
	const carrier = (carriers.twilio as CarrierFactory)({ settings: { url }, secrets });
	for (const [sender, field] of [
		["MGM", "From"],
		[`MG${"1".repeat(32)}`, "MessagingServiceSid"],
	] as const) {
		bodies.length = 0;
		await carrier.send(message({ sender }), never);
		assert.equal(new URLSearchParams(bodies[0]).get(field), sender);
	}
	await carrier.close?.();
});
