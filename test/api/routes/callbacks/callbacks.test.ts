// What a callback brings in clear is wiped once it was dealt with, whichever way that ended.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { Carrier, InboundMessage } from "../../../../adapters/carriers/carrier.ts";
import type { ApiDeps } from "../../../../api/deps.ts";
import { createCallbacks } from "../../../../api/routes/callbacks/callbacks.ts";
import { createSendCounts } from "../../../../api/sendCounts.ts";
import { LetheError } from "../../../../domain/errors.ts";
import { Plaintext } from "../../../../domain/plaintext.ts";
import { openPolicies } from "../../../../policies/index.ts";
import { createTestApi, inboundOf, type TestApi } from "../../harness.ts";

const isWiped = (bytes: Uint8Array) => bytes.length > 0 && bytes.every((byte) => byte === 0);

describe("a callback's bytes", () => {
	let seen = "";
	let take: ReturnType<typeof createCallbacks>;
	let api: TestApi;
	before(async () => {
		let given: ApiDeps | undefined;
		api = await createTestApi((deps) => {
			given = deps;
			return {};
		});
		assert.ok(given);
		const verify: Carrier["verify"] = ({ body }) => {
			seen = body;
			return body.includes("bad")
				? { valid: false, reason: "malformed", events: [], messages: [] }
				: { valid: true, replayKey: "r", events: [], messages: [] };
		};
		const carrier = { name: "simulator", verify } as Carrier;
		take = createCallbacks({
			...given,
			carriers: { ...given.carriers, verifier: async (queue) => (queue === "queue" ? carrier : undefined) },
			metrics: { countCallback: () => undefined },
			sendCounts: createSendCounts(given),
		});
	});
	after(() => api.close());

	const requestOf = (queue: string, text = "good") => {
		const body = Buffer.from(text);
		return { params: { carrier: "simulator", queue }, method: "POST", headers: {}, raw: { url: "/x" }, body };
	};

	it("are whole while they are looked at, and wiped after", async () => {
		const request = requestOf("queue");
		await take(request);
		assert.equal(seen, "good");
		assert.ok(isWiped(request.body));
	});

	it("are wiped when they are refused, and when no such queue is known", async () => {
		const refused = requestOf("queue", "bad");
		await assert.rejects(take(refused), { code: "callback_invalid" });
		assert.ok(isWiped(refused.body));
		const unknown = requestOf("elsewhere");
		await assert.rejects(take(unknown), { code: "not_found" });
		assert.ok(isWiped(unknown.body));
	});
});

describe("a callback that is authentic and has not the form that its carrier documents", () => {
	it("is answered and counted, moves nothing, and takes nothing from one that bears the same signature", async () => {
		const verify: Carrier["verify"] = ({ body }) => {
			const odd = body.includes("odd") && { unread: true as const };
			return { valid: true, replayKey: "r", ...odd, events: [], messages: [] };
		};
		const carrier = { name: "simulator", verify } as Carrier;
		const api = await createTestApi(() => ({ carriers: { verifier: async () => carrier } }));
		for (const _ of [1, 2]) assert.equal((await api.callback({ odd: true })).status, 200);
		assert.equal((await api.callback({})).status, 200);
		assert.deepEqual(
			[await api.counted("unread"), await api.counted("other"), await api.counted("replayed")],
			[2, 1, 0],
		);
		await api.close();
	});
});

describe("a callback that bears no signature", () => {
	it("is asked for again where its carrier is known to forget it, or the queue has no secret yet, and refused elsewhere", async () => {
		for (const [reason, unsignedCallbacks, status] of [
			["unsigned", "ask_again", 503],
			["unsigned", "refuse", 401],
			["not_configured", "refuse", 503],
		] as const) {
			const unsigned = { valid: false, reason, events: [], messages: [] } as const;
			const carrier = { name: "simulator", verify: () => unsigned, capabilities: { unsignedCallbacks } } as unknown;
			const api = await createTestApi(() => ({ carriers: { verifier: async () => carrier as Carrier } }));
			const answer = await api.callback({});
			assert.equal(answer.status, status);
			await api.close();
		}
	});
});

describe("what a callback asks for besides", () => {
	let api: TestApi;
	after(() => api.close());

	it("is asked again of its carrier until it was done, and done once", async () => {
		const answers = [false, true];
		const verify = () => ({ valid: true, replayKey: "subscription", events: [], messages: [] }) as const;
		const carrier = { name: "simulator", verify, confirm: async () => answers.shift() } as unknown as Carrier;
		api = await createTestApi(() => ({ carriers: { verifier: async () => carrier } }));
		assert.deepEqual(await api.callback({}), { status: 503, code: "callback_unconfirmed" });
		assert.equal((await api.callback({})).status, 200);
		assert.equal((await api.callback({})).status, 200);
		assert.deepEqual(answers, []);
		assert.deepEqual([await api.counted("unconfirmed"), await api.counted("replayed")], [1, 1]);
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
					verify: () => ({ valid: true, replayKey: randomUUID(), events: [], messages: brought }),
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
