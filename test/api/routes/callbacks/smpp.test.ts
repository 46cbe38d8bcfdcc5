// From an SMSC's socket to the store: what it brings enters as its own queue's, durably, or is not acknowledged.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createHandOvers } from "../../../../adapters/carriers/handOver.ts";
import { openCarrier } from "../../../../adapters/carriers/registry.ts";
import { createSmpp } from "../../../../adapters/carriers/smpp.ts";
import { LetheError } from "../../../../domain/errors.ts";
import { type Peer, startSmsc } from "../../../adapters/carriers/smpp/smsc.ts";
import { until } from "../../../stack/carrier/start.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

describe("what comes over SMPP", () => {
	const callbackKey = randomBytes(32).toString("base64");
	const secrets = { systemId: "lethe", password: "secret", callbackKey };
	const store = { isAway: false };
	let api: TestApi;
	let key: string;
	let handOvers: ReturnType<typeof createHandOvers>;
	before(async () => {
		api = await createTestApi((deps) => ({
			carriers: {
				verifier: async () => openCarrier("smpp", { settings: {}, secrets: { callbackKey }, allowSimulator: false }),
			},
			store: {
				...deps.store,
				messages: {
					...deps.store.messages,
					findByCarrierId: async (queue: string, id: string) => {
						if (store.isAway) throw new LetheError("store_unavailable");
						return deps.store.messages.findByCarrierId(queue, id);
					},
				},
			},
		}));
		({ key } = await api.addTenant());
		handOvers = createHandOvers({ url: await api.app.listen({ host: "127.0.0.1", port: 0 }) });
	});
	after(async () => {
		await handOvers.close();
		await api.close();
	});

	async function open(queue = "queue", own = secrets) {
		const smsc = await startSmsc();
		const carrier = createSmpp({ settings: { url: smsc.url }, secrets: own });
		carrier.receive?.(handOvers.to("smpp", queue));
		await until(() => smsc.heard("bind_transceiver").length > 0);
		const peer = smsc.peers[0] as Peer;
		const receipt = (id: string, stat = "DELIVRD") =>
			peer.ask("deliver_sm", { esm_class: 4, short_message: Buffer.from(`id:${id} stat:${stat} err:000 text:`) });
		return {
			bring: async (id: string) => (await smsc.answerTo(peer, receipt(id))).command_status,
			[Symbol.asyncDispose]: async () => {
				await carrier.close?.();
				await smsc[Symbol.asyncDispose]();
			},
		};
	}
	const parked = () => api.connection.collection("parkedReceipts").countDocuments();

	it("a receipt ends its message, and only then is acknowledged", async () => {
		await using link = await open();
		const { json } = await api.post(key);
		const carrierId = await api.sent(json.id);
		assert.equal(await link.bring(carrierId), 0);
		assert.equal((await api.read(json.id)).state, "delivered");
	});

	it("a receipt of no known message waits, encrypted", async () => {
		await using link = await open();
		const count = await parked();
		assert.equal(await link.bring("ahead"), 0);
		assert.equal(await parked(), count + 1);
	});

	it("with the store away nothing is acknowledged, and it is taken when it comes again", async () => {
		await using link = await open();
		const { json } = await api.post(key);
		const carrierId = await api.sent(json.id);
		store.isAway = true;
		assert.equal(await link.bring(carrierId), 0x64);
		assert.equal((await api.read(json.id)).state, "submitted");
		store.isAway = false;
		assert.equal(await link.bring(carrierId), 0);
		assert.equal((await api.read(json.id)).state, "delivered");
	});

	it("another queue's bind moves no message of this one, by its name or by its key", async () => {
		const { json } = await api.post(key);
		const carrierId = await api.sent(json.id);
		await using named = await open("other");
		assert.equal(await named.bring(carrierId), 0);
		await using keyed = await open("queue", { ...secrets, callbackKey: randomBytes(32).toString("base64") });
		assert.equal(await keyed.bring(carrierId), 0x64);
		assert.equal((await api.read(json.id)).state, "submitted");
	});
});
