// /v1/webhook-endpoints: registered once, shown once, proven by a challenge, rotated without a gap, deleted whole.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createNotify } from "../../../activities/notify.ts";
import { createOutboundHttp } from "../../../adapters/outboundHttp.ts";
import { createWebhookSecrets } from "../../../adapters/vault/webhookSecrets.ts";
import { createWebhookSender } from "../../../adapters/webhookSender.ts";
import { limits } from "../../../domain/limits.ts";
import { end } from "../../../domain/transition.ts";
import { freshDelivery } from "../../../domain/webhook.ts";
import { type Receiver, startReceiver } from "../../harness/receiver.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("/v1/webhook-endpoints", () => {
	let api: TestApi;
	let receiver: Receiver;
	let sender: string;
	let admin: string;
	let stranger: string;
	const http = createOutboundHttp({ allowed: ["127.0.0.0/8"] });
	before(async () => {
		api = await createTestApi();
		receiver = await startReceiver();
		const { tenantId, key } = await api.addTenant();
		sender = key;
		admin = (await api.addKey(tenantId, ["admin"])).key;
		stranger = (await api.addTenant({ roles: ["admin", "sender"] })).key;
	});
	after(async () => {
		await receiver.close();
		await http.close();
		await api.close();
	});

	const path = "/v1/webhook-endpoints";
	const post = (url: string, body: object = {}, key = admin, headers = {}) =>
		api.request(key, "POST", `${path}${url}`, body, headers);
	const read = async (id: string) => (await api.request(admin, "GET", `${path}/${id}`)).json;
	const register = (more: object = {}, headers = {}) => post("", { url: receiver.url, ...more }, admin, headers);
	async function notifyAll(): Promise<void> {
		// What an endpoint is may be remembered for so long.
		api.time.offsetMs += limits.webhookSeenMs;
		const secrets = createWebhookSecrets({ vault: api.transit });
		const sendWebhook = createWebhookSender({ http, secrets, clock: api.clock });
		const notify = createNotify({ ...api, monotonic: () => performance.now(), random: () => 0, sendWebhook } as never);
		for (;;) {
			const gathered = await notify.gather(100);
			const groups = await notify.claimDue([]);
			await Promise.all(groups.map((group) => notify.deliver(group)));
			if (gathered + groups.length === 0) return;
		}
	}
	async function cancelled(webhook: string): Promise<string> {
		const { json } = await api.post(sender, { webhook });
		await api.store.messages.transition(end(await api.read(json.id), "cancelled", api.clock()));
		return json.id;
	}

	it("shows the secret once, keeps it encrypted, and stores it with no idempotent answer", async () => {
		const key = { "idempotency-key": "once" };
		const { status, json } = await register({ name: "orders" }, key);
		assert.equal(status, 201);
		assert.match(json.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
		const repeat = await register({ name: "orders" }, key);
		assert.deepEqual([repeat.status, repeat.json.code], [409, "answer_not_kept"]);
		const { secret: _, ...rest } = json;
		assert.deepEqual(await read(json.id), rest);
		const kept = [];
		for (const { name } of await api.connection.listCollections()) {
			kept.push(await api.connection.collection(name).find({}).toArray());
		}
		assert.ok(!JSON.stringify(kept).includes(json.secret.slice("whsec_".length)));
		assert.ok(!api.logLines.join("").includes(json.secret));
	});

	it("refuses what leads inside, and what is not https", async () => {
		for (const url of ["http://example.com/", "https://10.0.0.1/", "https://[::1]/", "https://u:p@example.com/", "x"]) {
			const { status, json } = await register({ url });
			assert.deepEqual([status, json.errors?.[0]?.pointer], [400, "/url"], url);
		}
		const { status, json } = await api.post(sender, { webhook: "whe_unknown" });
		assert.deepEqual([status, json.errors[0].pointer], [400, "/webhook"]);
	});

	it("is told of nothing before it has given the challenge back, rightly signed", async () => {
		receiver.script.answer = (_, response) => response.end(JSON.stringify({ challenge: "guessed" }));
		const { json } = await register();
		receiver.secrets.push(json.secret);
		const message = await cancelled(json.id);
		await notifyAll();
		assert.equal((await read(json.id)).state, "unverified");
		assert.equal(receiver.told(message).length, 0);
		assert.equal((await post(`/${json.id}/enable`)).json.code, "endpoint_unverified");
		receiver.script.answer = undefined;
		assert.equal((await post(`/${json.id}/verify`)).status, 202);
		await notifyAll();
		assert.equal((await read(json.id)).state, "enabled");
		assert.deepEqual(receiver.told(json.id).at(-1)?.verifiedBy, [json.secret]);
	});

	it("while secrets overlap each of them vouches for what is sent; then the newest alone", async () => {
		const { json } = await register();
		await notifyAll();
		const rotated = await post(`/${json.id}/rotate-secret`, { keepFor: "PT1M" });
		assert.equal(rotated.status, 200);
		assert.notEqual(rotated.json.secret, json.secret);
		receiver.secrets.push(json.secret, rotated.json.secret);
		const first = await cancelled(json.id);
		await notifyAll();
		assert.deepEqual(receiver.told(first)[0]?.verifiedBy, [json.secret, rotated.json.secret]);
		api.time.offsetMs += 60_000;
		const second = await cancelled(json.id);
		await notifyAll();
		assert.deepEqual(receiver.told(second)[0]?.verifiedBy, [rotated.json.secret]);
		assert.equal((await read(json.id)).secrets.length, 1);
	});

	it("a secret is rotated without a body, too: those of before then sign for a day", async () => {
		const { json } = await register();
		const rotated = await api.request(admin, "POST", `${path}/${json.id}/rotate-secret`);
		assert.equal(rotated.status, 200, rotated.text);
		const [made, before] = rotated.json.secrets;
		assert.equal(Date.parse(before.expiresAt) - Date.parse(made.createdAt), 24 * 3600_000);
	});

	it("no secret ends before its time for want of room: one more is refused, and says what makes room", async () => {
		const { json } = await register();
		const rotate = (body?: object) => post(`/${json.id}/rotate-secret`, body);
		for (let made = 1; made < limits.webhookSecretsMax; made++) assert.equal((await rotate()).status, 200);
		const before = (await read(json.id)).secrets;
		const { status, json: refused } = await rotate({ keepFor: "PT1H" });
		assert.deepEqual([status, refused.code, refused.errors?.[0].pointer], [422, "too_many_records", "/keepFor"]);
		assert.ok(refused.errors[0].detail.includes(before.at(-1).expiresAt), refused.errors[0].detail);
		assert.deepEqual((await read(json.id)).secrets, before);
		assert.equal((await rotate({ keepFor: "PT0S" })).json.secrets.length, 1);
	});

	it("a replay of a time takes the oldest first, and says from when to go on", async () => {
		const { json } = await register();
		await notifyAll();
		const since = api.clock() - 3600_000;
		const event = { messageId: "msg_a", submissionId: "sub_a", state: "delivered" as const, sequence: 1 };
		await api.store.webhookDeliveries.insert(
			Array.from({ length: limits.webhookReplayItemsMax + 2 }, (_, index) => {
				const at = since + index;
				const own = { _id: api.ids.random("webhookDelivery"), tenantId: "ten_a", endpointId: json.id, event, at };
				const { nextAt: __, ...fresh } = freshDelivery(at);
				return { ...own, ...fresh, tryUntil: at, state: index === 1 ? ("delivered" as const) : ("failed" as const) };
			}),
		);
		const replay = (from: string | number, to?: number) => {
			const until = to === undefined ? {} : { to: new Date(to).toISOString() };
			return post(`/${json.id}/replay`, { from: new Date(from).toISOString(), ...until });
		};
		assert.deepEqual((await replay(since, since + 2)).json, { count: 2 });
		assert.deepEqual((await replay(since)).json, { count: limits.webhookReplayItemsMax - 1 });
		await api.connection
			.collection("webhookDeliveries")
			.updateMany({ endpointId: json.id }, { $set: { state: "failed" } });
		const { count, next } = (await replay(since)).json;
		assert.equal(count, limits.webhookReplayItemsMax);
		assert.equal(next, new Date(since + limits.webhookReplayItemsMax).toISOString());
		assert.deepEqual((await replay(next)).json, { count: 2 });
	});

	it("a replay of all of a time takes what is of one millisecond at once, however much, and goes on", async () => {
		const { json } = await register();
		await notifyAll();
		const since = Math.floor(api.clock() / 1_000) * 1_000 - 3600_000;
		const event = { messageId: "msg_a", submissionId: "sub_a", state: "delivered" as const, sequence: 1 };
		const most = limits.webhookReplayItemsMax;
		await api.store.webhookDeliveries.insert(
			Array.from({ length: most + 4 }, (_, index) => {
				const at = index < most + 2 ? since : since + 1;
				const own = { _id: api.ids.random("webhookDelivery"), tenantId: "ten_a", endpointId: json.id, event, at };
				return { ...own, ...freshDelivery(at), tryUntil: at, state: "delivered" as const };
			}),
		);
		const states = ["waiting", "delivered", "failed"];
		const replay = async (from: string) => (await post(`/${json.id}/replay`, { from, states })).json;
		const { count, next } = await replay(new Date(since).toISOString());
		assert.deepEqual([count, next], [most + 2, new Date(since + 1).toISOString()]);
		assert.deepEqual(await replay(next), { count: 2 });
	});

	it("a replay of a time ends though everything was told, but never where it began", async (context) => {
		const { json } = await register();
		await notifyAll();
		const since = api.clock() - 3600_000;
		let looked = 0;
		context.mock.method(api.store.webhookDeliveries, "pageUp", async (_id: string, itemsMax: number) => {
			const at = looked < limits.webhookReplayLookedItemsMax ? since : since + 1;
			looked += itemsMax;
			const told = { _id: "whd_a", at, state: "delivered" as const, event: { sequence: 1 } };
			return Array.from({ length: itemsMax }, () => told);
		});
		const { json: answer } = await post(`/${json.id}/replay`, { from: new Date(since).toISOString() });
		assert.deepEqual(answer, { count: 0, next: new Date(since + 1).toISOString() });
		assert.equal(looked, limits.webhookReplayLookedItemsMax + limits.webhookReplayItemsMax);
	});

	it("the log tells of tries and no content; a replay by id is the same event once more", async () => {
		const { json } = await register();
		await notifyAll();
		const message = await cancelled(json.id);
		await notifyAll();
		const { json: log } = await api.request(admin, "GET", `${path}/${json.id}/deliveries?limit=1`);
		const [delivery] = log.items;
		assert.deepEqual(
			[delivery.type, delivery.message, delivery.sequence, delivery.state, delivery.tries[0].status],
			["message.cancelled", message, 1, "delivered", 204],
		);
		const { json: rest } = await api.request(admin, "GET", `${path}/${json.id}/deliveries?cursor=${log.next}`);
		assert.deepEqual(
			rest.items.map(({ type }: { type: string }) => type),
			["endpoint.challenge"],
		);
		assert.deepEqual((await post(`/${json.id}/replay`, { deliveries: [delivery.id] })).json, { count: 1 });
		await notifyAll();
		const [once, again] = receiver.told(message);
		assert.deepEqual([again?.id, again?.body], [once?.id, once?.body]);
		assert.equal((await post(`/${json.id}/replay`, { deliveries: ["whd_other"] })).status, 404);
		const past = new Date(api.clock() - 60_000).toISOString();
		assert.deepEqual((await post(`/${json.id}/replay`, { from: past })).json, { count: 0 }, "nothing failed");
		const states = ["delivered"];
		assert.deepEqual((await post(`/${json.id}/replay`, { from: past, states })).json, { count: 1 });
		const ended = { from: past, to: new Date(api.clock() - 50_000).toISOString(), states };
		assert.deepEqual((await post(`/${json.id}/replay`, ended)).json, { count: 0 });
		const { status, json: no } = await post(`/${json.id}/replay`, { from: ended.to, to: past, states });
		assert.deepEqual([status, no.errors?.[0].pointer], [400, "/to"], "a period that ends before it begins");
	});

	it("what waits for its next try is told at once where a replay names it, by id or by its state, and by no other", async () => {
		const { json } = await register();
		await notifyAll();
		receiver.script.answer = (_, response) => response.writeHead(500).end();
		const from = new Date(api.clock() - 1_000).toISOString();
		const message = await cancelled(json.id);
		await notifyAll();
		await api.connection
			.collection("webhookDeliveries")
			.updateOne({ "event.messageId": message }, { $set: { nextAt: api.clock() + limits.webhookBackoffMaxMs } });
		receiver.script.answer = undefined;
		const told = async (body: object) => {
			const { count } = (await post(`/${json.id}/replay`, body)).json;
			await notifyAll();
			return [count, receiver.told(message).length];
		};
		assert.deepEqual(await told({ from }), [0, 1], "it has not failed yet");
		assert.deepEqual(await told({ from, states: ["waiting", "failed"] }), [1, 2]);
		const [delivery] = (await api.request(admin, "GET", `${path}/${json.id}/deliveries?limit=1`)).json.items;
		assert.equal(delivery.state, "delivered");
		await api.connection
			.collection("webhookDeliveries")
			.updateOne({ "event.messageId": message }, { $set: { state: "waiting", nextAt: api.clock() + 3600_000 } });
		assert.deepEqual(await told({ deliveries: [delivery.id] }), [1, 3]);
		await api.connection
			.collection("webhookDeliveries")
			.updateOne(
				{ "event.messageId": message },
				{ $set: { state: "waiting", claim: "another's", nextAt: api.clock() + 60_000 } },
			);
		assert.deepEqual(await told({ deliveries: [delivery.id] }), [0, 3], "it is being told");
	});

	it("is told nothing again while it hears of nothing: a replay says so, and what was told stays so in the log", async () => {
		const { json } = await register();
		const replay = async () => {
			const from = new Date(api.clock() - 60_000).toISOString();
			return post(`/${json.id}/replay`, { from, states: ["delivered"] });
		};
		const early = await replay();
		assert.deepEqual([early.status, early.json.code], [409, "endpoint_unverified"]);
		await notifyAll();
		const message = await cancelled(json.id);
		await notifyAll();
		await post(`/${json.id}/disable`);
		const late = await replay();
		assert.deepEqual([late.status, late.json.code], [409, "endpoint_disabled"]);
		await notifyAll();
		const { json: log } = await api.request(admin, "GET", `${path}/${json.id}/deliveries?limit=1`);
		assert.deepEqual([log.items[0].message, log.items[0].state], [message, "delivered"]);
		await post(`/${json.id}/enable`);
		assert.deepEqual((await replay()).json, { count: 1 });
	});

	it("disabled by command it is told of nothing; deleted, nothing of it is left", async () => {
		const { json } = await register();
		await notifyAll();
		assert.equal((await post(`/${json.id}/disable`)).json.disabledFor, "command");
		const message = await cancelled(json.id);
		await notifyAll();
		assert.equal(receiver.told(message).length, 0);
		assert.equal((await post(`/${json.id}/enable`)).json.state, "enabled");
		assert.equal((await api.request(admin, "DELETE", `${path}/${json.id}`)).status, 200);
		assert.equal((await api.request(admin, "GET", `${path}/${json.id}`)).status, 404);
		assert.equal(await api.connection.collection("webhookDeliveries").countDocuments({ endpointId: json.id }), 0);
	});

	it("another tenant's endpoint answers like absence, and can't be named in a message", async () => {
		const { json } = await register();
		for (const act of ["rotate-secret", "verify", "enable", "disable", "replay"]) {
			const body = act === "replay" ? { deliveries: ["x"] } : {};
			assert.equal((await post(`/${json.id}/${act}`, body, stranger)).status, 404, act);
		}
		assert.equal((await api.request(stranger, "GET", `${path}/${json.id}/deliveries`)).status, 404);
		assert.equal((await api.request(stranger, "DELETE", `${path}/${json.id}`)).status, 404);
		assert.equal((await api.post(stranger, { webhook: json.id })).status, 400);
		assert.equal((await read(json.id)).id, json.id);
	});

	it("a batch's messages are each told of, and a tenant has only so many endpoints", async () => {
		const count = async () => (await api.request(admin, "GET", `${path}?limit=100`)).json.items.length;
		const most = limits.webhookEndpointsPerTenantMax;
		for (let known = await count(); known < most - 1; known++) await register();
		const answers = await Promise.all(Array.from({ length: 4 }, () => register()));
		assert.ok((await count()) <= most, "those that come at once are no more than there is room for");
		assert.equal(answers.filter(({ status }) => status === 201).length, (await count()) - (most - 1));
		if ((await count()) < most) await register();
		assert.equal((await register()).json.code, "too_many_records");
		const [{ id: webhook }] = (await api.request(admin, "GET", path)).json.items;
		const to = { to: "+4915112345678" };
		const batch = { category: "transactional", body: "Hello", webhook, messages: [to, to] };
		const { json } = await api.request(sender, "POST", "/v1/batches", batch);
		for (const { id } of json.items) assert.deepEqual((await api.read(id)).webhooks, [webhook]);
	});
});
