// What a send queue's carrier is opened with: as Vault and the store have it, five seconds later at the latest.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createQueueCarriers } from "../../../adapters/carriers/queueCarriers.ts";
import { createCarrierSecrets } from "../../../adapters/vault/carrierSecrets.ts";
import { LetheError } from "../../../domain/errors.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { until } from "../../stack/carrier/start.ts";

function openCarriers() {
	const state = {
		...{ now: 0, secrets: { token: "token-the-first-one" } as object | undefined, settings: {} },
		metadata: { created_time: new Date(0).toISOString(), version: 1 },
	};
	const away = { vault: false, store: false };
	const vault = {
		async read() {
			if (away.vault) throw new LetheError("keys_unavailable");
			return state.secrets && { data: { data: state.secrets, metadata: state.metadata } };
		},
		write: async () => undefined,
		remove: async () => undefined,
	};
	const monotonic = () => state.now;
	const queue = { _id: "main", carrier: "simulator", sender: "Lethe", paused: false };
	const carriers = createQueueCarriers({
		queues: {
			async find() {
				if (away.store) throw new LetheError("store_unavailable");
				return { ...queue, settings: { url: "http://127.0.0.1:1", ...state.settings } };
			},
		},
		secrets: createCarrierSecrets({ vault, clock: monotonic }),
		purpose: "send",
		...{ monotonic, allowSimulator: true, receiptsUrl: () => "http://127.0.0.1:1" },
	});
	const openAt = (now: number) => {
		state.now = now;
		return carriers.open("main");
	};
	return { state, away, openAt, [Symbol.asyncDispose]: carriers.close };
}

test("secrets that were replaced are in force five seconds later, and those that there were stay while Vault is away", async () => {
	await using opened = openCarriers();
	const { state, away, openAt } = opened;
	const first = await openAt(0);
	assert.ok(first);
	assert.equal(await openAt(4_000), first);
	state.secrets = { token: "token-the-second-one" };
	const second = await openAt(9_000);
	assert.notEqual(second, first, "another, of the new secrets");
	away.vault = true;
	state.secrets = { token: "token-the-third-one" };
	assert.equal(await openAt(14_000), second);
	away.vault = false;
	assert.notEqual(await openAt(19_000), second);
});

test("what was replaced keeps no connection, and ends what it has under way", async (t) => {
	await using opened = openCarriers();
	const { state, openAt } = opened;
	const held = Promise.withResolvers<void>();
	let asked = 0;
	const server = createServer({ keepAliveTimeout: 60_000 }, async (_request, response) => {
		if (++asked === 2) await held.promise;
		response.writeHead(202).end('{"id":"c1","segments":1}');
	});
	t.after(() => {
		server.close();
		server.closeAllConnections();
	});
	const sockets = new Set<unknown>();
	server.on("connection", (socket) => {
		sockets.add(socket);
		socket.once("close", () => sockets.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	state.settings = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
	const carrier = await openAt(0);
	const send = () => {
		const [to, text] = ["+12025550142", "hello"].map((one) => Plaintext.text(one)) as [Plaintext, Plaintext];
		const message = { to, text, reference: "ref_1", sender: "Lethe", validitySeconds: 60 };
		return carrier?.send(message, new AbortController().signal);
	};
	assert.equal((await send())?.kind, "accepted");
	assert.equal(sockets.size, 1, "it is kept alive");
	const underWay = send();
	await until(() => asked === 2);
	state.secrets = { token: "token-the-second-one" };
	assert.notEqual(await openAt(10_000), carrier);
	held.resolve();
	assert.equal((await underWay)?.kind, "accepted");
	await until(() => sockets.size === 0);
});

test("no secret serves while Vault is away for longer than a quarter of an hour", async () => {
	await using opened = openCarriers();
	const { away, openAt } = opened;
	const first = await openAt(0);
	away.vault = true;
	for (let now = 10_000; now < 15 * 60_000; now += 10_000) assert.equal(await openAt(now), first);
	await assert.rejects(openAt(15 * 60_000 + 10_000), { code: "keys_unavailable" });
	away.vault = false;
	assert.notEqual(await openAt(16 * 60_000), first, "it was closed");
});

test("secrets that were deleted, and settings that can't be used, end what was open with the old ones", async () => {
	await using opened = openCarriers();
	const { state, openAt } = opened;
	const first = await openAt(0);
	const { secrets } = state;
	state.secrets = undefined;
	await assert.rejects(openAt(10_000), { code: "internal" });
	state.secrets = secrets;
	const second = await openAt(20_000);
	assert.notEqual(second, first, "it was closed");
	state.settings = { url: "nowhere" };
	await assert.rejects(openAt(30_000), TypeError);
	state.settings = {};
	assert.notEqual(await openAt(40_000), second);
});

test("while the store is away a queue that is open stays so, with the secrets that Vault has by then", async () => {
	await using opened = openCarriers();
	const { state, away, openAt } = opened;
	const first = await openAt(0);
	away.store = true;
	assert.equal(await openAt(60 * 60_000), first);
	state.secrets = undefined;
	await assert.rejects(openAt(61 * 60_000), { code: "internal" });
	await assert.rejects(openAt(62 * 60_000), { code: "store_unavailable" }, "nothing is known of it any more");
});

test("what was sent before the secrets were replaced may have gone by another account: that it is absent shows nothing", async (t) => {
	await using opened = openCarriers();
	const { state, openAt } = opened;
	const server = createServer((_request, response) => {
		response.writeHead(404).end('{"error":{"code":"no_such_message"}}');
	});
	t.after(() => server.close());
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	state.settings = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
	const startedAt = Date.UTC(2030, 0, 1);
	const ask = async (now: number, since: number) =>
		(await (await openAt(now))?.lookup?.("ref_1", since, AbortSignal.timeout(5_000)))?.kind;
	assert.equal(await ask(0, startedAt), "absent", "there never was another");
	state.secrets = { token: "token-the-second-one" };
	state.metadata = { created_time: new Date(startedAt + 1_000).toISOString(), version: 2 };
	assert.equal(await ask(10_000, startedAt), "unavailable");
	assert.equal(await ask(10_000, startedAt + 2_000), "unavailable", "a sender may have had the old ones yet");
	assert.equal(await ask(10_000, startedAt + 15 * 60_000), "unavailable", "from which Vault has been away since");
	assert.equal(await ask(10_000, startedAt + 16 * 60_000), "absent");
	// The same secrets, written anew.
	state.metadata = { created_time: new Date(startedAt + 3_600_000).toISOString(), version: 3 };
	assert.equal(await ask(20_000, startedAt + 16 * 60_000), "unavailable");
});

test("nor does it show there that a copy is gone, unless this account has just forgotten it", async (t) => {
	await using opened = openCarriers();
	const { state, openAt } = opened;
	const server = createServer((_request, response) => {
		response.end('{"id":"m-1","redacted":true}');
	});
	t.after(() => server.close());
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	state.settings = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
	const startedAt = Date.UTC(2030, 0, 1);
	const ask = async (now: number, since: number) =>
		(await openAt(now))?.readBack?.("m-1", since, AbortSignal.timeout(5_000));
	assert.equal(await ask(0, startedAt), "gone");
	state.secrets = { token: "token-the-second-one" };
	state.metadata = { created_time: new Date(startedAt + 1_000).toISOString(), version: 2 };
	assert.equal(await ask(10_000, startedAt), "unavailable");
	assert.equal(await ask(10_000, startedAt + 16 * 60_000), "gone");
	assert.equal(await ask(10_000, Number.POSITIVE_INFINITY), "gone");
});
