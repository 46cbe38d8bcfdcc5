// A send queue in use, as a shell sees it: it stays its carrier's and sender's, and is removed only once nothing needs it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { putSendQueue, removeSendQueue } from "../../cli/administer.ts";
import type { Message } from "../../domain/message.ts";
import { login } from "../adapters/vault/helper.ts";
import { messageOf } from "../harness/message.ts";
import { createQueueShell, type QueueShell, usable } from "./harness.ts";

describe("lethe admin queue, of one in use", () => {
	let shell: QueueShell;
	before(async () => {
		shell = await createQueueShell();
		const given = ["--carrier", "simulator", "--sender", "Lethe", "--setting", "url=http://127.0.0.1:1"];
		const made = await shell.administer(["queue", "--id", "inuse", ...given], JSON.stringify(usable));
		assert.equal(made.code, 0, made.error);
		const routes = ["shell", "inuse"].flatMap((id) => ["--send-queue", id]);
		const routed = await shell.administer(["tenant", "routes", shell.tenantId, ...routes]);
		assert.equal(routed.code, 0, routed.error);
	});
	after(() => shell.api.close());

	it("stays its carrier's and sender's while a tenant has it or anything needs it", async () => {
		const secrets = JSON.stringify(usable);
		const put = (id: string, sender: string, ...more: string[]) =>
			shell.administer(["queue", "--id", id, "--sender", sender, ...(more.length > 0 ? more : simulator)], secrets);
		const simulator = ["--carrier", "simulator", "--setting", "url=http://127.0.0.1:1"];
		const refusesTo = async (made: ReturnType<typeof put>, pattern: RegExp) => {
			const { code, out, error } = await made;
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
		};
		const vault = await login("sender");
		const secretsOf = async (id: string) => (await vault.read(`kv/data/carriers/${id}/send`))?.data.metadata.version;
		const mend = "another id, .*`lethe admin tenant routes`.*`lethe queue drain inuse --move`.*remove-queue inuse`";
		const [queue, written] = [await shell.api.store.sendQueues.find("inuse"), await secretsOf("inuse")];
		assert.ok(queue);
		await refusesTo(
			put("inuse", "Other"),
			new RegExp(`simulator Lethe:.* ${shell.tenantId} has it \\(1 in all\\)\\..*${mend}`),
		);
		// As if it had been made another carrier's before.
		await shell.api.store.sendQueues.set("inuse", { carrier: "earlier" });
		await refusesTo(put("inuse", "Lethe"), new RegExp(`earlier Lethe:.* ${shell.tenantId} has it`));
		await shell.api.store.sendQueues.set("inuse", { carrier: "simulator" });
		assert.deepEqual([await shell.api.store.sendQueues.find("inuse"), await secretsOf("inuse")], [queue, written]);

		assert.equal((await put("lone", "Lethe")).code, 0);
		const operated = {
			prices: { DE: 0.07 },
			registrations: { US: "C-A1" },
			countryRates: { DE: 1 },
			ratePerSecond: 9,
			paused: true,
		};
		await shell.api.store.sendQueues.set("lone", operated);
		const id = shell.api.ids.random("message");
		await shell.api.store.messages.insert({
			...messageOf({ id, sendQueue: "lone", state: "submitted" }),
			nextCheckAt: shell.api.clock() + 1_000_000,
		});
		await refusesTo(put("lone", "Other"), new RegExp(`became of ${id} is not known yet \\(1 in all\\)`));
		// Its own carrier and sender may be reached elsewhere, though.
		assert.equal((await put("lone", "Lethe", ...simulator.slice(0, 3), "url=http://127.0.0.1:2")).code, 0);
		const copy = { state: "due", dueAt: 0, tries: 1, nextTryAt: 0 };
		await shell.api.store.messages.transition({ id, set: { state: "delivered", carrierCopy: copy } as never });
		await refusesTo(put("lone", "Other"), new RegExp(`yet to forget messages, ${id} among them`));
		await shell.api.store.messages.transition({ id, set: { sendQueue: "elsewhere" } });
		assert.equal((await put("lone", "Other")).code, 0);
		const now = await shell.api.store.sendQueues.find("lone");
		assert.ok(now);
		const kept = [now.prices, now.registrations, now.countryRates, now.ratePerSecond];
		assert.deepEqual([now.sender, now.paused, ...kept], ["Other", true, undefined, undefined, undefined, undefined]);
	});

	it("is removed once it was drained and nothing needs it any more, and its secrets are destroyed", async () => {
		const remove = (...args: string[]) => shell.administer(["remove-queue", ...args]);
		const refusesTo = async (pattern: RegExp, id = "inuse") => {
			const { code, out, error } = await remove(id);
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
		};
		await refusesTo(/^lethe: there is no send queue nowhere: .*\n$/, "nowhere");
		await shell.api.addTenant({ sendQueue: "alone" });
		await refusesTo(/alone is the only one of ten_.*lethe admin tenant routes/, "alone");
		await shell.run("resume", "inuse");
		await refusesTo(/inuse still takes messages.*lethe queue drain inuse --move/);
		await shell.run("drain", "inuse");
		const id = shell.api.ids.random("message");
		const message = messageOf({ id, sendQueue: "inuse", state: "submitted" });
		await shell.api.store.messages.insert({ ...message, nextCheckAt: shell.api.clock() + 1_000_000 });
		const closesAt = new Date(message.closeAt).toISOString();
		await refusesTo(
			new RegExp(`became of ${id} is not known yet \\(1 in all\\): past cancelling,.* by itself at ${closesAt}`),
		);
		const copy = { state: "due", dueAt: 0, tries: 1, nextTryAt: 0 };
		await shell.api.store.messages.transition({ id, set: { state: "delivered", carrierCopy: copy } as never });
		// It came to rest before its carrier forgot it.
		const rest = (await shell.api.store.messages.find(id)) as Message;
		assert.ok(await shell.api.store.messages.transition({ id, rest }));
		await refusesTo(new RegExp(`yet to forget messages, ${id} among them.*--leave-copies`));
		assert.ok(await shell.api.store.sendQueues.find("inuse"), "nothing was changed");
		// One that no tenant has takes nothing, and need not be drained.
		const given = ["--carrier", "simulator", "--sender", "Lethe", "--setting", "url=http://127.0.0.1:1"];
		assert.equal((await shell.administer(["queue", "--id", "spent", ...given], JSON.stringify(usable))).code, 0);
		const vault = await login("sender");
		assert.ok(await vault.read("kv/data/carriers/spent/send"));
		await shell.api.store.messages.transition({ id, set: { sendQueue: "spent" } });
		assert.deepEqual(await remove("spent", "--leave-copies"), { code: 0, out: '{"removed":true}\n', error: "" });
		assert.equal(await shell.api.store.sendQueues.find("spent"), undefined);
		assert.equal(await vault.read("kv/data/carriers/spent/send"), undefined);
		const acts = (await shell.api.entries()).filter(({ code }) => code === "spent").map(({ type }) => type);
		assert.deepEqual(acts, ["send_queue_changed", "send_queue_removed"]);
		await refusesTo(/there is no send queue spent/, "spent");
	});

	/** Administers over the real store; `meanwhile` runs between what a command reads and what it writes. */
	const depsOf = (meanwhile: () => Promise<unknown>) => {
		const nothing = async () => undefined;
		return {
			...shell.api,
			carriers: { check: nothing },
			evidence: { append: meanwhile },
			secrets: { write: nothing, destroy: nothing },
			sendQueues: { forget: nothing, forgetHealth: nothing },
		} as never;
	};

	it("keeps what an operator sets of it while an administrator replaces it", async () => {
		const { sendQueues } = shell.api.store;
		const stated = { carrier: "simulator", sender: "Lethe", settings: { url: "http://127.0.0.1:1" }, paused: false };
		const queue = { _id: "raced", ...stated, countries: ["DE"] };
		await putSendQueue(
			depsOf(async () => undefined),
			queue,
			{ send: {}, callback: {} },
		);
		assert.deepEqual(await sendQueues.find("raced"), { ...queue, draining: false });
		const operated = { prices: { DE: 1 }, paused: true, draining: true, moveWaiting: true, ratePerSecond: 3 };
		await putSendQueue(
			depsOf(() => sendQueues.set("raced", operated)),
			{ _id: "raced", ...stated, region: "eu" },
			{ send: {}, callback: {} },
		);
		assert.deepEqual(await sendQueues.find("raced"), { _id: "raced", ...stated, region: "eu", ...operated });
	});

	it("goes from its tenants' routes as they are by then, and not while it has become the only one", async () => {
		const { store } = shell.api;
		const { tenantId } = await shell.api.addTenant({ sendQueue: "first" });
		const queue = { carrier: "simulator", sender: "Lethe", settings: {}, paused: false, draining: true };
		for (const _id of ["leaving", "third"]) await store.sendQueues.put({ _id, ...queue });
		await store.tenants.set(tenantId, { sendQueues: ["first", "leaving"] });
		const routes = (sendQueues: string[]) => store.tenants.set(tenantId, { sendQueues });
		const routesNow = async () => (await store.tenants.find(tenantId))?.sendQueues;
		const removing = removeSendQueue(
			depsOf(async () => undefined),
			"leaving",
			{ waitMs: 1_000 },
		);
		setTimeout(() => void routes(["leaving"]), 500);
		await assert.rejects(removing, /leaving is the only one of/);
		assert.deepEqual(await routesNow(), ["leaving"]);
		await routes(["first", "leaving"]);
		await removeSendQueue(
			depsOf(() => routes(["third", "leaving", "first"])),
			"leaving",
			{ waitMs: 0 },
		);
		assert.deepEqual(await routesNow(), ["third", "first"]);
	});
});
