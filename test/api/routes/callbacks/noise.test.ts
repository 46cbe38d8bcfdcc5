// Whatever octets come to a callback address of any carrier's: nothing falls, nothing fails but as intended, nothing is moved.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { carriers, openCarrier } from "../../../../adapters/carriers/registry.ts";
import { callbackSecrets, headerName, headerValue, textBody } from "../../../adapters/carriers/anyCallback.ts";
import { createTestApi, inboundOf, receiptOf, type TestApi } from "../../harness.ts";

const names = Object.keys(carriers);
const topicArns = "arn:aws:sns:eu-west-1:123456789012:lethe";
const requestsPerRoute = 10_000;

const octets = fc.oneof(
	fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
	textBody.map((text) => Buffer.from(text)),
);
const requests = fc.record({
	carrier: fc.constantFrom(...names, "nobody"),
	method: fc.constantFrom("POST", "POST", "GET"),
	query: fc.oneof(fc.constant(""), fc.string({ unit: "binary", maxLength: 60 }).map(encode)),
	headers: fc.dictionary(headerName, headerValue, { maxKeys: 6, noNullPrototype: true }),
	body: octets,
});

describe("noise at the callback addresses", () => {
	const keys = generateKeyPairSync("ed25519");
	let api: TestApi;
	let carrierId: string;
	before(async () => {
		const x = keys.publicKey.export({ format: "jwk" }).x ?? "";
		const publicKey = Buffer.from(x, "base64url").toString("base64");
		const opened = new Map(
			names.map((name) => {
				const secrets = name === "simulator" ? { publicKey } : callbackSecrets(name);
				const settings: Record<string, string> = name === "aws" ? { topicArns } : {};
				return [name, openCarrier(name, { settings, secrets, allowSimulator: true })];
			}),
		);
		api = await createTestApi(() => ({ carriers: { verifier: async (queue) => opened.get(queue) } }));
		const { key } = await api.addTenant({ sendQueue: "simulator" });
		carrierId = await api.sent((await api.post(key)).json.id);
	});
	after(() => api.close());

	/** All that is stored. */
	async function dump(): Promise<string> {
		const collections = await api.connection.listCollections();
		const stored = collections.map(async ({ name }) => [name, await api.connection.collection(name).find().toArray()]);
		return JSON.stringify([await Promise.all(stored), [...api.replays.known]]);
	}

	// Where a carrier is known to forget to sign, what is unsigned is asked for again.
	const isIntended = (carrier: string, status: number) =>
		[400, 401, 404, 415].includes(status) || (carrier === "vonage" && status === 503);

	for (const kind of ["receipts", "inbound"] as const) {
		it(`of ${requestsPerRoute} requests to ${kind} none fails but as intended, and none moves anything`, async () => {
			const before = await dump();
			await fc.assert(
				fc.asyncProperty(requests, async ({ carrier, method, query, headers, body }) => {
					const url = `/v1/callbacks/${carrier}/${carrier}/${kind}${query && `?${query}`}`;
					const answer = await api.app.inject({
						method: method as "POST",
						url,
						headers,
						...(method === "POST" && { payload: body }),
					});
					assert.ok(isIntended(carrier, answer.statusCode), `${carrier} ${answer.statusCode} ${answer.body}`);
				}),
				{ numRuns: requestsPerRoute },
			);
			assert.equal(await dump(), before);
		});
	}

	it("a rightly signed callback with any octet changed moves nothing, and unchanged it does", async () => {
		const before = await dump();
		const seconds = String(Math.floor(api.clock() / 1000));
		const bring = (kind: string, body: Buffer, signed: Buffer) => {
			const signature = sign(null, Buffer.concat([Buffer.from(`${seconds}.`), signed]), keys.privateKey).toString(
				"base64",
			);
			const headers = { "x-carrier-timestamp": seconds, "x-carrier-signature": signature };
			return api.app.inject({
				method: "POST",
				url: `/v1/callbacks/simulator/simulator/${kind}`,
				headers,
				payload: body,
			});
		};
		const genuine = { receipts: receiptOf(carrierId), inbound: inboundOf("STOP", { at: api.clock() }) };
		for (const [kind, content] of Object.entries(genuine)) {
			const body = Buffer.from(JSON.stringify(content));
			for (let at = 0; at < body.length; at++) {
				for (const bits of [0x01, 0x80]) {
					const altered = Buffer.from(body);
					altered.writeUInt8(altered.readUInt8(at) ^ bits, at);
					const { statusCode } = await bring(kind, altered, body);
					assert.ok(statusCode === 401 || statusCode === 400, `${kind} ${at}: ${statusCode}`);
				}
			}
		}
		assert.equal(await dump(), before);
		const receipt = Buffer.from(JSON.stringify(genuine.receipts));
		assert.equal((await bring("receipts", receipt, receipt)).statusCode, 200);
		assert.notEqual(await dump(), before);
	});
});

function encode(text: string): string {
	return Array.from(Buffer.from(text, "utf8"), (octet) => `%${octet.toString(16).padStart(2, "0")}`).join("");
}
