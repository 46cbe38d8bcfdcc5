// What a callback brings in clear is wiped once it was dealt with, whichever way that ended.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Carrier, InboundMessage } from "../../../../adapters/carriers/carrier.ts";
import { createCallbacks } from "../../../../api/routes/callbacks/callbacks.ts";
import { LetheError } from "../../../../domain/errors.ts";
import { Plaintext } from "../../../../domain/plaintext.ts";
import { openPolicies } from "../../../../policies/index.ts";
import { createTestApi, inboundOf, type TestApi } from "../../harness.ts";

const isWiped = (bytes: Uint8Array) => bytes.length > 0 && bytes.every((byte) => byte === 0);

describe("a callback's bytes", () => {
	const carrier = { name: "simulator" } as Carrier;
	const callbacks = createCallbacks({
		publicUrl: "https://lethe.example",
		carriers: { verifier: async (queue) => (queue === "queue" ? carrier : undefined) },
		metrics: { countCallback: () => undefined },
	});
	const requestOf = (queue: string) => {
		const body = Buffer.from('{"from":"+12025550142"}');
		return { params: { carrier: "simulator", queue }, method: "POST", headers: {}, raw: { url: "/x" }, body };
	};

	it("are whole while they are looked at, and wiped after", async () => {
		const request = requestOf("queue");
		let seen = "";
		await callbacks.take(request, async (_carrier, { body }) => {
			seen = body;
		});
		assert.equal(seen, '{"from":"+12025550142"}');
		assert.ok(isWiped(request.body));
	});

	it("are wiped when they are refused, and when no such queue is known", async () => {
		const refused = requestOf("queue");
		const refuse = async () => {
			throw new LetheError("callback_invalid");
		};
		await assert.rejects(callbacks.take(refused, refuse), { code: "callback_invalid" });
		assert.ok(isWiped(refused.body));
		const unknown = requestOf("elsewhere");
		await assert.rejects(callbacks.take(unknown, refuse), { code: "not_found" });
		assert.ok(isWiped(unknown.body));
	});
});

describe("what a recipient wrote", () => {
	const brought: InboundMessage[] = [];
	let away = false;
	let api: TestApi;
	before(async () => {
		api = await createTestApi((deps) => ({
			policies: openPolicies(),
			store: {
				...deps.store,
				sendQueues: {
					...deps.store.sendQueues,
					find: async (id: string) => {
						if (away) throw new LetheError("store_unavailable");
						return deps.store.sendQueues.find(id);
					},
				},
			},
			carriers: {
				verifier: async () => ({
					...({ name: "simulator" } as Carrier),
					verifyInbound: () => ({ valid: true, messages: brought }),
				}),
			},
		}));
		await api.addTenant();
	});
	after(() => api.close());

	it("is wiped whatever came of it, and so is what was not come to", async () => {
		const messageOf = (eventId: string, from: string, to = "Lethe"): InboundMessage => ({
			eventId,
			from: Plaintext.text(from),
			to,
			text: Plaintext.text("Thank you"),
			at: api.clock(),
		});
		const bring = async (...messages: InboundMessage[]) => {
			brought.splice(0, brought.length, ...messages);
			const { status } = await api.callback(inboundOf("any"), { kind: "inbound" });
			for (const { from, text } of messages) assert.ok(isWiped(from.bytes()) && isWiped(text.bytes()));
			return status;
		};
		const number = "+12025550142";
		assert.equal(await bring(messageOf("other", number)), 200);
		assert.equal(await bring(messageOf("other", number)), 200, "a duplicate");
		assert.equal(await bring(messageOf("elsewhere", number, "Elsewhere")), 200, "another sender");
		assert.equal(await bring(messageOf("no-plan", "+999999999")), 200, "a number of no plan");
		away = true;
		assert.equal(await bring(messageOf("first", number), messageOf("second", number)), 503);
	});
});
