// What a send queue's carrier is opened with: as Vault and the store have it, five seconds later at the latest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createQueueCarriers } from "../../../adapters/carriers/queueCarriers.ts";
import { createCarrierSecrets } from "../../../adapters/vault/carrierSecrets.ts";
import { LetheError } from "../../../domain/errors.ts";

test("secrets that were replaced are in force five seconds later, and those that there were stay while Vault is away", async () => {
	const state = { now: 0, token: "token-the-first-one", isAway: false };
	const vault = {
		async read() {
			if (state.isAway) throw new LetheError("keys_unavailable");
			return { data: { data: { token: state.token } } };
		},
		write: async () => undefined,
		remove: async () => undefined,
	};
	const clock = () => state.now;
	const queue = {
		_id: "main",
		carrier: "simulator",
		sender: "Lethe",
		settings: { url: "http://127.0.0.1:1" },
		paused: false,
	};
	const carriers = createQueueCarriers({
		queues: { find: async () => queue },
		secrets: createCarrierSecrets({ vault, clock }),
		purpose: "send",
		...{ clock, allowSimulator: true, receiptsUrl: () => "http://127.0.0.1:1" },
	});
	const first = await carriers.open("main");
	assert.ok(first);
	state.now = 4_000;
	assert.equal(await carriers.open("main"), first);
	state.token = "token-the-second-one";
	state.now = 9_000;
	const second = await carriers.open("main");
	assert.notEqual(second, first, "another, of the new secrets");
	Object.assign(state, { isAway: true, token: "token-the-third-one", now: 14_000 });
	assert.equal(await carriers.open("main"), second);
	Object.assign(state, { isAway: false, now: 19_000 });
	assert.notEqual(await carriers.open("main"), second);
	await carriers.close();
});
