// Webhooks under way: each event arrives, in order, signed, whatever dies; who fails for a day is left alone.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, afterEach, before, beforeEach, describe, it, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { integrated } from "../../activities/integrate.ts";
import { createNotify } from "../../activities/notify.ts";
import { createOutboundHttp } from "../../adapters/outboundHttp.ts";
import { createWebhookSecrets } from "../../adapters/vault/webhookSecrets.ts";
import { createWebhookSender } from "../../adapters/webhookSender.ts";
import type { Evidence } from "../../audit/evidence.ts";
import { limits } from "../../domain/limits.ts";
import { claim, end, enqueue, receive, submit } from "../../domain/transition.ts";
import { freshDelivery } from "../../domain/webhook.ts";
import { createNotifier } from "../../workers/notifier.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";
import { type Receiver, startReceiver } from "../harness/receiver.ts";
import { until } from "../harness/until.ts";

const program = fileURLToPath(new URL("../harness/notifierProcess.ts", import.meta.url));

describe("the notifier", () => {
	let api: TestApi;
	let receiver: Receiver;
	let sender: string;
	let admin: string;
	let endpointId: string;
	const http = createOutboundHttp({ allowed: ["127.0.0.0/8"] });
	const children: ChildProcess[] = [];
	const errors: string[] = [];
	const running: { close: () => Promise<void> }[] = [];
	before(async () => {
		api = await createTestApi();
		receiver = await startReceiver();
	});
	after(async () => {
		for (const child of children) child.kill("SIGKILL");
		await receiver.close();
		await http.close();
		await api.close();
	});
	afterEach(() => Promise.all(running.splice(0).map((one) => one.close())));
	// A tenant and an endpoint each, so that no test's failures are another's.
	beforeEach(async () => {
		receiver.script.answer = undefined;
		const tenant = await api.addTenant();
		sender = tenant.key;
		admin = (await api.addKey(tenant.tenantId, ["admin"])).key;
		endpointId = await register();
		later(limits.webhookListedMs);
		await notifyAll(createNotifying());
		assert.equal((await read(endpointId)).state, "enabled");
	});

	const read = async (id: string) => (await api.request(admin, "GET", `/v1/webhook-endpoints/${id}`)).json;
	async function register(more: object = {}): Promise<string> {
		const body = { url: receiver.url, default: true, ...more };
		const { status, json } = await api.request(admin, "POST", "/v1/webhook-endpoints", body);
		assert.equal(status, 201, JSON.stringify(json));
		receiver.secrets.push(json.secret);
		return json.id;
	}
	function createNotifying(more: object = {}) {
		const secrets = createWebhookSecrets({ vault: api.transit });
		const monotonic = () => performance.now() + api.time.offsetMs;
		const warn = (fields: object) => void errors.push(JSON.stringify(fields));
		const log = { ...api.log, warn, error: (fields: object) => void errors.push(JSON.stringify(fields)) };
		const sendWebhook = createWebhookSender({ http, secrets, clock: api.clock });
		return createNotify({
			...api,
			log,
			monotonic,
			random: () => 0,
			evidence: api.evidence,
			sendWebhook,
			...more,
		} as never);
	}
	type Notify = ReturnType<typeof createNotifying>;
	/** Until nothing is due. */
	async function notifyAll(notify: Notify): Promise<void> {
		for (;;) {
			const gathered = await notify.gather(100);
			const groups = await notify.claimDue([]);
			await Promise.all(groups.map((group) => notify.deliver(group)));
			if (gathered + groups.length === 0) return;
		}
	}
	const later = (ms: number) => {
		api.time.offsetMs += ms;
	};
	async function accept(): Promise<string> {
		return (await api.post(sender, { validFor: "P1D" })).json.id;
	}
	async function toSubmitted(id: string): Promise<void> {
		const { transition } = api.store.messages;
		await transition(enqueue(await api.read(id), api.clock()));
		const { sendQueue } = await api.read(id);
		await transition(claim(id, 1, api.clock(), api.ids.random("claim"), sendQueue));
		assert.ok(await transition(submit(await api.read(id), "c-1", 1, api.clock())));
	}
	const toDelivered = async (id: string) =>
		assert.ok(await api.store.messages.transition(end(await api.read(id), "delivered", api.clock())));
	const deliveriesOf = async (id: string) =>
		(await api.store.webhookDeliveries.findByMessages([id])).sort(
			(a, b) => (a.event?.sequence ?? 0) - (b.event?.sequence ?? 0),
		);
	const sequences = (id: string) => receiver.told(id).map(({ data }) => data.sequence);

	// The first: its other process has the machine's clock, which the others set.
	it("killed with -9 after it sent and before it wrote that down, it tells it again, and loses nothing", async () => {
		const id = await accept();
		receiver.script.answer = ({ data }, response) => {
			if (data.id !== id) response.writeHead(204).end();
		};
		await toSubmitted(id);
		await toDelivered(id);
		const args = [program, api.connection.name, api.transit.key.toString("hex")];
		const child = spawn(process.execPath, args, { stdio: "ignore" });
		children.push(child);
		await until(() => receiver.told(id).length > 0);
		child.kill("SIGKILL");
		await new Promise((resolve) => child.once("exit", resolve));
		assert.deepEqual(sequences(id), [1]);
		receiver.script.answer = undefined;
		later(limits.webhookLeaseMs + 1_000);
		const notify = createNotifying();
		await until(async () => {
			await notifyAll(notify);
			later(2_000);
			return sequences(id).length === 3;
		});
		assert.deepEqual(sequences(id), [1, 1, 2]);
		assert.equal(new Set(receiver.told(id).map((one) => one.id)).size, 2);
	});

	it("tells of each state in order, signed, and of nothing but ids, states, times and sequence", async () => {
		const id = await accept();
		await toSubmitted(id);
		await toDelivered(id);
		await notifyAll(createNotifying());
		const told = receiver.told(id);
		const { submissionId, stateAt } = await api.read(id);
		assert.deepEqual(
			told.map(({ type, data }) => [type, data]),
			[
				["message.submitted", { id, submissionId, state: "submitted", sequence: 1 }],
				["message.delivered", { id, submissionId, state: "delivered", sequence: 2 }],
			],
		);
		assert.deepEqual(Object.keys(JSON.parse(told[1]?.body ?? "")), ["type", "timestamp", "data"]);
		assert.equal(JSON.parse(told[1]?.body ?? "").timestamp, new Date(stateAt).toISOString());
		assert.ok(told.every(({ verifiedBy }) => verifiedBy.length === 1));
		const stored = await api.read(id);
		assert.deepEqual([stored.notifyAt, stored.notified], [undefined, 2]);
	});

	it("a receiver that answers 2xx is told once, whatever page comes with that", async () => {
		const id = await accept();
		receiver.script.answer = (_, response) => response.writeHead(200).end("<p>Thank you.</p>".repeat(10_000));
		await toSubmitted(id);
		await notifyAll(createNotifying());
		const [delivery] = await deliveriesOf(id);
		assert.deepEqual([delivery?.state, delivery?.tries[0]?.status], ["delivered", 200]);
		later(limits.webhookBackoffFirstMs);
		await notifyAll(createNotifying());
		assert.deepEqual(sequences(id), [1]);
	});

	it("what another told between the look for it and the claim is not told again behind what came after it", async () => {
		const id = await accept();
		await toSubmitted(id);
		const other = createNotifying();
		const { webhookDeliveries } = api.store;
		const findDue: typeof webhookDeliveries.findDue = async (...asked) => {
			const due = await webhookDeliveries.findDue(...asked);
			if (due.length === 0 || sequences(id).length > 0) return due;
			await notifyAll(other);
			await toDelivered(id);
			await notifyAll(other);
			return due;
		};
		await createNotifying().gather(100);
		const store = { ...api.store, webhookDeliveries: { ...webhookDeliveries, findDue } };
		await notifyAll(createNotifying({ store }));
		assert.deepEqual(sequences(id), [1, 2]);
		assert.ok((await deliveriesOf(id)).every(({ state, nextAt, claim }) => state === "delivered" && !nextAt && !claim));
	});

	it("who comes back after its lease writes nothing over what another has found since", async () => {
		const id = await accept();
		await toSubmitted(id);
		const slow = createNotifying();
		await slow.gather(100);
		const [group] = await slow.claimDue([]);
		assert.ok(group);
		later(limits.webhookLeaseMs + 1_000);
		await notifyAll(createNotifying());
		receiver.script.answer = (_, response) => response.writeHead(500).end();
		await slow.deliver(group);
		const [told] = await deliveriesOf(id);
		assert.deepEqual(
			[told?.state, told?.nextAt, told?.tries.map(({ status }) => status)],
			["delivered", undefined, [204]],
		);
	});

	it("what happens while a message is being gathered is told next, though it comes to rest meanwhile", async () => {
		const id = await accept();
		await toSubmitted(id);
		const { messages, webhookDeliveries } = api.store;
		const event = { eventId: "late", carrierId: "c-1", state: "delivered", at: api.clock() } as const;
		const meanwhile: (() => Promise<void>)[] = [
			async () => {
				assert.ok(await messages.transition(end(await api.read(id), "unknown", api.clock())));
				const rested = await integrated(api.evidence as Evidence, await api.read(id), { id });
				assert.ok(rested.rest && (await messages.transition(rested)));
			},
			async () => {
				const rested = await api.read(id);
				assert.ok(rested.archived !== undefined);
				const late = receive(rested, rested.sendQueue, event, api.clock(), false);
				assert.ok(late && (await messages.transition(late)));
			},
		];
		const insert: typeof webhookDeliveries.insert = async (deliveries) => {
			await webhookDeliveries.insert(deliveries);
			await meanwhile.shift()?.();
		};
		const store = { ...api.store, webhookDeliveries: { ...webhookDeliveries, insert } };
		await notifyAll(createNotifying({ store }));
		assert.deepEqual(
			receiver.told(id).map(({ data }) => data.state),
			["submitted", "unknown", "delivered"],
		);
	});

	it("from when an endpoint is enabled it is told of everything, whatever was remembered of the time before", async () => {
		const notify = createNotifying();
		receiver.script.answer = (_, response) => response.writeHead(401).end();
		await accept();
		const second = await register();
		const early = (await api.post(sender, { validFor: "P1D", webhook: second })).json.id;
		await toSubmitted(early);
		await notifyAll(notify);
		assert.deepEqual(
			(await deliveriesOf(early)).map(({ state, code }) => [state, code]),
			[["failed", "endpoint_unverified"]],
		);
		receiver.script.answer = undefined;
		// Its challenge may have failed more than once by now, and waits for as long.
		await until(async () => {
			later(limits.webhookListedMs);
			await notifyAll(notify);
			return (await read(second)).state === "enabled";
		});
		await toDelivered(early);
		const fresh = await accept();
		await toSubmitted(fresh);
		await notifyAll(notify);
		assert.deepEqual(sequences(early), [2]);
		const told = (await deliveriesOf(fresh)).map(({ endpointId: id, state }) => `${id} ${state}`);
		assert.deepEqual(told.sort(), [`${endpointId} delivered`, `${second} delivered`].sort());
	});

	it("a message that nobody is told of bears nothing of it", async () => {
		const { key } = await api.addTenant();
		const id = (await api.post(key)).json.id;
		await toSubmitted(id);
		const stored = await api.read(id);
		assert.deepEqual([stored.webhooks, stored.notifies, stored.notifyAt], [undefined, undefined, undefined]);
	});

	it("a message's own endpoint is told instead of the default one, and only of its states", async () => {
		const own = await register({ default: false, states: ["delivered"], url: `${receiver.url}/own` });
		later(limits.webhookListedMs);
		await notifyAll(createNotifying());
		const id = (await api.post(sender, { webhook: own })).json.id;
		await toSubmitted(id);
		assert.equal((await api.read(id)).notifyAt, undefined, "no write, and no look, for what nobody hears");
		await toDelivered(id);
		await notifyAll(createNotifying());
		assert.deepEqual(
			receiver.told(id).map(({ path, data }) => [path, data.state, data.sequence]),
			[["/hook/own", "delivered", 2]],
		);
	});

	it("what fails is tried again, later and later, and what comes after it waits for it", async () => {
		const id = await accept();
		receiver.script.answer = (_, response) => response.writeHead(500).end();
		const notify = createNotifying();
		await toSubmitted(id);
		await notifyAll(notify);
		await toDelivered(id);
		await notifyAll(notify);
		assert.deepEqual(sequences(id), [1]);
		const [first, second] = await deliveriesOf(id);
		assert.deepEqual([first?.failures, first?.tries[0]?.status], [1, 500]);
		assert.ok((second?.nextAt ?? 0) >= (first?.nextAt ?? 0));
		later(limits.webhookBackoffFirstMs);
		await notifyAll(notify);
		const waited = (await deliveriesOf(id))[0];
		const waits = (waited?.nextAt ?? 0) - (waited?.tries[1]?.at ?? 0);
		assert.ok(waits >= limits.webhookBackoffFirstMs && waits < 2 * limits.webhookBackoffFirstMs, String(waits));
		receiver.script.answer = undefined;
		later(2 * limits.webhookBackoffFirstMs);
		await notifyAll(notify);
		await until(async () => {
			later(2_000);
			await notifyAll(notify);
			return sequences(id).length === 4;
		});
		assert.deepEqual(sequences(id), [1, 1, 1, 2]);
		assert.equal(new Set(receiver.told(id).map((one) => one.id)).size, 2, "one webhook-id an event");
		assert.equal((await read(endpointId)).failingSince, undefined);
	});

	it("a redirect is a failure, and is not followed", async () => {
		const id = await accept();
		receiver.script.answer = ({ path }, response) =>
			path === "/hook" ? response.writeHead(302, { location: "/elsewhere" }).end() : response.end();
		await toSubmitted(id);
		await notifyAll(createNotifying());
		assert.deepEqual(
			receiver.told(id).map(({ path }) => path),
			["/hook"],
		);
		assert.equal((await deliveriesOf(id))[0]?.state, "waiting");
	});

	it("an endpoint that fails for a day is disabled, with evidence, and what it missed is told by a replay", async () => {
		const id = await accept();
		receiver.script.answer = (_, response) => response.writeHead(503).end();
		const from = new Date(api.clock()).toISOString();
		await toSubmitted(id);
		const notify = createNotifying();
		for (let hour = 0; hour <= 30 && (await read(endpointId)).state === "enabled"; hour++) {
			await notifyAll(notify);
			later(3600_000);
		}
		const failed = await read(endpointId);
		assert.deepEqual([failed.state, failed.disabledFor], ["disabled", "failing"]);
		assert.ok(receiver.told(id).length > 12, "many tries within the day");
		assert.deepEqual(
			(await deliveriesOf(id)).map(({ state }) => state),
			["failed"],
		);
		assert.ok(
			errors.some((line) => line.includes(endpointId)),
			"operators are told",
		);
		const acts = await api.entries(endpointId);
		assert.ok(JSON.stringify(acts).includes("webhook_endpoint_disabled"));
		const before = receiver.told(id).length;
		await toDelivered(id);
		await notifyAll(notify);
		assert.equal(receiver.told(id).length, before, "it is told of nothing meanwhile");
		assert.equal((await deliveriesOf(id))[1]?.code, "endpoint_disabled");
		receiver.script.answer = undefined;
		await api.request(admin, "POST", `/v1/webhook-endpoints/${endpointId}/enable`);
		const replay = await api.request(admin, "POST", `/v1/webhook-endpoints/${endpointId}/replay`, { from });
		assert.deepEqual(replay.json, { count: 2 });
		later(2 * limits.webhookSeenMs);
		await notifyAll(createNotifying());
		assert.deepEqual(sequences(id).slice(before), [1, 2]);
	});

	it("one that says it is gone is disabled at once, and that is entered once, however many hear it", async () => {
		const ids = await Promise.all(Array.from({ length: 8 }, accept));
		receiver.script.answer = (_, response) => response.writeHead(410).end();
		for (const id of ids) await toSubmitted(id);
		const [one, other] = [createNotifying(), createNotifying()];
		await one.gather(100);
		const groups = await one.claimDue([]);
		assert.equal(groups.length, 8);
		await Promise.all(groups.map((group, index) => (index % 2 ? one : other).deliver(group)));
		assert.deepEqual([(await read(endpointId)).disabledFor, receiver.told(ids[0] as string).length], ["gone", 1]);
		const acts = await api.entries(endpointId);
		assert.equal(JSON.stringify(acts).split("webhook_endpoint_disabled").length - 1, 1);
	});

	it("a page of messages that can't be gathered keeps those behind it waiting for nothing", async () => {
		const stuckId = await register({ default: false });
		await notifyAll(createNotifying());
		const { webhookEndpoints } = api.store;
		const find: typeof webhookEndpoints.find = async (id) =>
			id === stuckId ? Promise.reject(new Error("unreadable")) : webhookEndpoints.find(id);
		const notify = createNotifying({ store: { ...api.store, webhookEndpoints: { ...webhookEndpoints, find } } });
		for (let count = 0; count < 3; count++) {
			const { json } = await api.post(sender, { validFor: "P1D", webhook: stuckId });
			await toSubmitted(json.id);
		}
		const id = await accept();
		later(1);
		await toSubmitted(id);
		await notify.gather(3);
		await notify.gather(3);
		assert.equal((await deliveriesOf(id)).length, 1);
		later(10_000);
		assert.equal(await createNotifying().gather(100), 3, "they are looked at again");
	});

	it("a key server that is away is not the receiver's fault: it is tried when the keys are back", async () => {
		const id = await accept();
		await toSubmitted(id);
		const notify = createNotifying();
		api.transit.away.value = true;
		await notifyAll(notify);
		later(2 * limits.webhookTryMs);
		await notifyAll(notify);
		const [waiting] = await deliveriesOf(id);
		assert.deepEqual([waiting?.state, waiting?.tries.at(-1)?.code], ["waiting", "keys_unavailable"]);
		assert.equal((await read(endpointId)).failingSince, undefined);
		api.transit.away.value = false;
		later(limits.webhookBackoffMaxMs);
		await notifyAll(notify);
		assert.deepEqual(sequences(id), [1]);
	});

	/** Of an endpoint's deliveries so many, due before all others. */
	const backlog = async (id: string, tenantId: string, count: number) => {
		const at = api.clock() - 60_000;
		const fresh = { ...freshDelivery(at), tenantId, endpointId: id, at, tryUntil: at + limits.webhookTryMs };
		await api.store.webhookDeliveries.insert(
			Array.from({ length: count }, () => ({
				...{ _id: api.ids.random("webhookDelivery"), ...fresh },
				event: {
					...{ messageId: api.ids.random("message"), submissionId: "sub_a" },
					...{ state: "delivered" as const, sequence: 1 },
				},
			})),
		);
		return async () =>
			(await api.store.webhookDeliveries.page(id, count + 1)).filter(({ event, nextAt }) => event && nextAt !== at);
	};
	const start = () => {
		const notifier = createNotifier({
			notify: createNotifying(),
			isAny: api.store.webhookEndpoints.isAny,
			check: async () => undefined,
			onError: (error) => void errors.push(error.message),
		});
		notifier.start();
		running.push(notifier);
		return notifier;
	};
	const startSlow = async () => {
		const slow = await startReceiver();
		running.push(slow);
		return slow;
	};

	it("what a slow receiver has no room for is left alone, and all others are told meanwhile", async () => {
		const slow = await startSlow();
		const other = await api.addTenant();
		const otherAdmin = (await api.addKey(other.tenantId, ["admin"])).key;
		const paths = Array.from({ length: 6 }, (_, index) => `${slow.url}/${index}`);
		const slowIds = await Promise.all(
			paths.map(async (url) => (await api.request(otherAdmin, "POST", "/v1/webhook-endpoints", { url })).json.id),
		);
		later(limits.webhookListedMs);
		await notifyAll(createNotifying());
		slow.script.answer = () => undefined;
		const touched = await Promise.all(slowIds.map((id) => backlog(id, other.tenantId, 100)));
		const ids = await Promise.all(Array.from({ length: 20 }, accept));
		for (const id of ids) await toSubmitted(id);
		start();
		await until(() => ids.every((id) => sequences(id).length > 0), 8_000);
		const counts = await Promise.all(touched.map(async (of) => (await of()).length));
		assert.ok(Math.max(...counts) <= limits.webhooksInFlightPerEndpointMax, counts.join());
		const all = counts.reduce((sum, count) => sum + count, 0);
		assert.equal(
			all,
			limits.webhooksInFlightPerTenantMax,
			"a tenant that has many endpoints takes no more than its share",
		);
	});

	it("one that is closed ends the request in hand, and leaves what comes behind it to others at once", async () => {
		const id = await accept();
		await toSubmitted(id);
		await toDelivered(id);
		const answer = Promise.withResolvers<void>();
		receiver.script.answer = (_, response) => void answer.promise.then(() => response.writeHead(204).end());
		const notifier = start();
		await until(() => sequences(id).length === 1);
		const closing = notifier.close();
		receiver.script.answer = undefined;
		answer.resolve();
		await closing;
		assert.deepEqual(sequences(id), [1]);
		await notifyAll(createNotifying());
		assert.deepEqual(sequences(id), [1, 2]);
	});

	it("two at work tell each event once; a slow receiver keeps no other waiting", async () => {
		const slow = await startSlow();
		const slowId = await register({ url: slow.url, default: false });
		await notifyAll(createNotifying());
		slow.script.answer = () => undefined;
		const { tenantId } = await api.read(await accept());
		// More than both have slots for.
		await backlog(slowId, tenantId, 150);
		const ids = await Promise.all(Array.from({ length: 20 }, accept));
		for (const id of ids) await toSubmitted(id);
		start();
		start();
		await until(() => ids.every((id) => sequences(id).length > 0), 8_000);
		assert.deepEqual(
			ids.map((id) => sequences(id)),
			ids.map(() => [1]),
		);
	});
});

test("while a receiver keeps it waiting, the notifier looks for more now and then, and at once when that ends", async (t) => {
	const slow = Promise.withResolvers<void>();
	const due = [{ endpointId: "whe_a", tenantId: "ten_a", deliveries: [] }];
	const state = { looks: 0, begun: 0 };
	const notifier = createNotifier({
		notify: {
			gather: async () => 0,
			async claimDue(underWay) {
				state.looks++;
				return underWay.length > 0 ? [] : due.splice(0);
			},
			async deliver() {
				if (state.begun++ === 0) await slow.promise;
			},
		},
		...{ isAny: async () => true, check: async () => undefined },
		onError: (error) => assert.fail(error),
	});
	t.after(() => {
		slow.resolve();
		return notifier.close();
	});
	notifier.start();
	await sleep(1_200);
	assert.ok(state.looks >= 2 && state.looks <= 5, `${state.looks}`);
	due.push({ endpointId: "whe_a", tenantId: "ten_a", deliveries: [] });
	const before = performance.now();
	slow.resolve();
	await until(() => state.begun === 2);
	assert.ok(performance.now() - before < 300);
});

test("while its process may do nothing, as by a clock that is off, nothing is gathered or told", async (t) => {
	const state = { isFit: false, looks: 0 };
	const errors: string[] = [];
	const notifier = createNotifier({
		notify: {
			gather: async () => 0,
			async claimDue() {
				state.looks++;
				return [];
			},
			deliver: async () => undefined,
		},
		isAny: async () => true,
		async check() {
			if (!state.isFit) throw new Error("clock_off");
		},
		onError: ({ message }) => void errors.push(message),
	});
	t.after(() => notifier.close());
	notifier.start();
	await until(() => errors.length > 0);
	await sleep(600);
	assert.deepEqual([state.looks, new Set(errors)], [0, new Set(["clock_off"])]);
	state.isFit = true;
	await until(() => state.looks > 0);
});
