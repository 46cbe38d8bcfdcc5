// Accepting many together: one submission, its head last, refusals item by item.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createSharedRuns } from "../../adapters/temporal/sharedRuns.ts";
import { createAccept } from "../../api/accept.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { type MessageInput, schemas } from "../../api/schemas.ts";
import { viewAccepted } from "../../api/view.ts";
import type { Facts } from "../../domain/decision.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { Transition } from "../../domain/transition.ts";
import { spoilArchive } from "../harness/spoilArchive.ts";
import { until } from "../harness/until.ts";
import { createTestApi, messageBody, type TestApi } from "./harness.ts";

describe("accepting a list", () => {
	let api: TestApi;
	let principal: { id: string; tenantId: string; roles: string[] };
	before(async () => {
		api = await createTestApi();
		const { tenantId, keyId } = await api.addTenant();
		principal = { id: keyId, tenantId, roles: ["sender"] };
	});
	after(() => api.close());

	const inputs = (...more: object[]): MessageInput[] => more.map((one) => schemas.messageInput.parse(messageBody(one)));
	const acceptWith = (insert: ApiDeps["store"]["messages"]["insert"], more: Partial<ApiDeps["store"]> = {}) => {
		const { messages, ...others } = api.store;
		const store = { ...others, ...more, messages: { ...messages, insert } };
		return createAccept({ ...api, store }).accept;
	};
	/** The policies, which let those through for which `allows` says so when they are judged. */
	const judging = (allows: () => boolean) => ({
		...api.policy,
		consider(facts: Facts) {
			const considered = api.policy.consider(facts);
			return { ...considered, decision: { ...considered.decision, allowed: allows() } };
		},
	});

	it("makes one submission, inserts its head last and starts it once", async () => {
		const order: string[] = [];
		const accept = acceptWith(async (message) => {
			const result = await api.store.messages.insert(message);
			order.push(message._id);
			return result;
		});
		const { items, replayed } = await accept({ principal, inputs: inputs({}, {}, {}, {}, {}) });
		const messages = items.map((item) => (item as { message: Message }).message);
		assert.equal(replayed, false);
		assert.equal(order.at(-1), messages[0]?._id);
		assert.equal(new Set(messages.map(({ submissionId }) => submissionId)).size, 1);
		assert.deepEqual(new Set(messages.map(({ submissionSize }) => submissionSize)), new Set([5]));
		const { submissionId } = messages[0] as Message;
		assert.equal(api.seen.started.filter((id) => id === submissionId).length, 1);
		assert.equal((await api.store.messages.findBySubmission(submissionId)).length, 5);
	});

	it("is told of, message by message, though nobody can read some: those are named and counted, the others told whole", async () => {
		const { key } = await api.addTenant();
		const messages = [{ to: "+12025550142" }, { to: "+1202555" }, { to: "+12025550143" }, { to: "+12025550144" }];
		const { to: _, ...shared } = messageBody();
		const { id, items } = (await api.request(key, "POST", "/v1/batches", { ...shared, messages })).json;
		const read = async () => (await api.request(key, "GET", `/v1/batches/${id}`)).json;
		const whole = await read();
		assert.deepEqual([whole.accepted, whole.refused, whole.unreadable], [3, 1, undefined]);
		const broken = items[2].id as string;
		await spoilArchive(api.connection, await api.read(broken));
		const told = await read();
		assert.deepEqual([told.accepted, told.refused, told.unreadable], [3, 1, [broken]]);
		assert.deepEqual(told.states, whole.states);
		assert.deepEqual(
			told.items,
			whole.items.filter((item: { id?: string }) => item.id !== broken),
		);
		assert.deepEqual(
			(await api.store.messages.findUnreadable(10)).map(({ _id }) => _id),
			[broken],
			"and it is an alert",
		);
	});

	it("is under way, for the starts that give way to it, until it is stored or refused", async () => {
		let underWay = 0;
		const seen: number[] = [];
		const whileAccepting = async <Result>(work: () => Promise<Result>) => {
			underWay++;
			return work().finally(() => underWay--);
		};
		const { messages, ...others } = api.store;
		const insert: typeof messages.insert = (...args) => {
			seen.push(underWay);
			return messages.insert(...args);
		};
		const store = { ...others, messages: { ...messages, insert } };
		const { accept } = createAccept({ ...api, store, runs: { ...api.runs, whileAccepting } });
		await accept({ principal, inputs: inputs({}) });
		await accept({ principal, inputs: inputs({ to: "+499" }) });
		assert.deepEqual([seen, underWay], [[1], 0]);
	});

	it("refuses item by item, in order, and counts only what it took", async () => {
		const accept = acceptWith(api.store.messages.insert);
		const { items } = await accept({ principal, inputs: inputs({ to: "+499" }, {}, { clientReference: "a@b" }, {}) });
		assert.deepEqual(
			items.map((item) => ("error" in item ? item.error.code : item.message.submissionSize)),
			["invalid_number", 2, "reference_not_opaque", 2],
		);
	});

	it("a repeat answers item for item what the first answered, whatever is in force by then", async () => {
		const bad = { to: "+499" };
		const elsewhere = { sender: "Others" };
		for (const [key, ...asked] of [
			["mixed", bad, {}, elsewhere, {}, {}, { clientReference: "a@b" }],
			["one-left", bad, {}, elsewhere],
			["first-refused", elsewhere, {}, {}],
		] as [string, ...object[]][]) {
			const request = { principal, inputs: inputs(...asked), key };
			const first = await acceptWith(api.store.messages.insert)(request);
			const policies = judging(() => false);
			const repeat = await createAccept({ ...api, policies }).accept(request);
			assert.equal(repeat.replayed, true, key);
			assert.deepEqual(repeat.items.map(shownOf), first.items.map(shownOf), key);
		}
	});

	it("a repeat keeps the place of one whose record is gone by then", async () => {
		const request = { principal, inputs: inputs({}, {}, {}), key: "gone" };
		const { accept } = createAccept(api);
		const [first, second, third] = messagesOf(await accept(request));
		await api.connection.collection<{ _id: string }>("messages").deleteOne({ _id: second?._id as string });
		const { items } = await accept(request);
		assert.deepEqual(
			items.map((item) => ("error" in item ? item.error.code : item.message._id)),
			[first?._id, "not_found", third?._id],
		);
	});

	it("messages of one release time share a group", async () => {
		const later = new Date(api.clock() + 3600_000).toISOString();
		const accept = acceptWith(api.store.messages.insert);
		const { items } = await accept({ principal, inputs: inputs({}, { sendAt: later }, {}, { sendAt: later }) });
		assert.deepEqual(
			items.map((item) => (item as { message: Message }).message.group),
			[0, 1, 0, 1],
		);
	});

	/** As with `LETHE_SHARED_RUN_MS`, but that messages gather until they are let go. */
	function shareRuns() {
		const started: string[][] = [];
		const waiting: (() => void)[] = [];
		const sharedRuns = createSharedRuns({
			...{ gatherMs: 1, membersMax: 500, monotonic: () => 0 },
			randomSubmissionId: () => api.ids.random("submission"),
			start: (members) => void started.push(members.map((member) => (member as Message)._id)),
			after: (_ms, call) => void waiting.push(call),
		});
		const accept = (more: Partial<ApiDeps> = {}) => createAccept({ ...api, sharedRuns, ...more }).accept;
		return { accept, started, letGo: () => waiting.splice(0).map((call) => call()) };
	}

	it("single messages that come together are each accepted by themselves, and share a run where that is set", async () => {
		const runs = shareRuns();
		const count = await api.count();
		const ask = async (...more: object[]) => messagesOf(await runs.accept()({ principal, inputs: inputs(...more) }));
		const [alone] = await ask({});
		const request = { principal, inputs: inputs({}), key: "shares" };
		const [one, other, keyed, list, code, elsewhere] = await Promise.all([
			ask({}),
			ask({}),
			runs.accept()(request).then(messagesOf),
			ask({}, {}),
			ask({ category: "otp", validFor: "PT5M" }),
			ask({ category: "health" }),
		]);
		const shared = [...one, ...other, ...keyed];
		const ids = shared.map(({ _id }) => _id).toSorted();
		assert.equal(new Set(shared.map(({ submissionId }) => submissionId)).size, 1);
		assert.ok(shared.every(({ sharesRun, submissionSize }) => sharesRun && submissionSize === 1));
		const own = [alone as Message, ...list, ...code, ...elsewhere];
		assert.ok(own.every(({ sharesRun }) => sharesRun === undefined));
		const ownRuns = [...new Set(own.map(({ submissionId }) => submissionId))];
		assert.equal(ownRuns.length, 4);
		assert.ok(ownRuns.every((id) => api.seen.started.includes(id)));
		assert.equal(runs.started.length, 0, "those that share gather");
		runs.letGo();
		assert.deepEqual(
			runs.started.map((members) => members.toSorted()),
			[ids],
		);
		const { submissionId } = shared[0] as Message;
		assert.deepEqual(
			(await api.store.messages.findBySubmission(submissionId)).map(({ _id }) => _id).toSorted(),
			ids.toSorted(),
		);
		const again = await runs.accept()(request);
		assert.equal(again.replayed, true);
		assert.deepEqual(
			messagesOf(again).map(({ _id }) => _id),
			[keyed[0]?._id],
		);
		assert.equal(messagesOf(again)[0]?.submissionId, submissionId);
		assert.equal(await api.count(), count + 8);
		const { key } = await api.addKey(principal.tenantId);
		const { json } = await api.request(key, "GET", `/v1/messages/${ids[0]}`);
		assert.deepEqual([json.submissionId, json.sharesRun], [submissionId, true]);
		assert.equal((await api.request(key, "GET", `/v1/batches/${submissionId}`)).status, 404, "they were no request");
	});

	it("a batch of one keeps a run of its own, whose id is the batch's, while single messages share theirs", async () => {
		const runs = shareRuns();
		const ask = async (more: object = {}) =>
			messagesOf(await runs.accept()({ principal, inputs: inputs({}), ...more }));
		await ask();
		const [[single], [batched]] = await Promise.all([ask(), ask({ batch: true, key: "batch-of-one" })]);
		assert.equal(single?.sharesRun, true);
		const { submissionId, index, sharesRun } = batched as Message;
		assert.deepEqual([index, sharesRun], [0, undefined]);
		const { key } = await api.addKey(principal.tenantId);
		const { status, json } = await api.request(key, "GET", `/v1/batches/${submissionId}`);
		assert.deepEqual([status, json.accepted, json.items[0]?.id], [200, 1, batched?._id]);
		const [again] = await ask({ batch: true, key: "batch-of-one" });
		assert.equal(again?._id, batched?._id);
	});

	it("one of those that share a run and is not stored, or was before, keeps the others from nothing", async () => {
		const runs = shareRuns();
		const { messages, ...others } = api.store;
		const insert = async () => Promise.reject(new LetheError("store_unavailable"));
		const store = { ...others, messages: { ...messages, insert } };
		const [request] = [{ principal, inputs: inputs({}), key: "shares-once" }];
		await runs.accept()({ principal, inputs: inputs({}) });
		const [good, twice] = await Promise.all([
			runs
				.accept()({ principal, inputs: inputs({}) })
				.then(messagesOf),
			Promise.all([runs.accept()(request), runs.accept()(request)]),
			assert.rejects(runs.accept({ store })({ principal, inputs: inputs({}) }), { code: "store_unavailable" }),
		]);
		assert.deepEqual(twice.map(({ replayed }) => replayed).toSorted(), [false, true]);
		runs.letGo();
		const ids = [...good, ...messagesOf(twice[0])].map(({ _id }) => _id);
		assert.deepEqual(
			runs.started.map((members) => members.toSorted()),
			[ids.toSorted()],
		);
	});

	const shownOf = (item: Awaited<ReturnType<ReturnType<typeof acceptWith>>>["items"][number]) =>
		"error" in item ? { ...item.error } : viewAccepted(item.message);

	/** Inserts two of a batch and then fails; what stands of it. */
	async function tear(request: Parameters<ReturnType<typeof acceptWith>>[0]): Promise<Message[]> {
		const stored: Message[] = [];
		const inserting: Promise<unknown>[] = [];
		const accept = acceptWith(async (message) => {
			if (stored.length === 2) throw new LetheError("store_unavailable");
			stored.push(message);
			const insert = api.store.messages.insert(message);
			inserting.push(insert);
			return insert;
		});
		await assert.rejects(accept(request), { code: "store_unavailable" });
		await Promise.all(inserting);
		return stored;
	}
	const messagesOf = ({ items }: Awaited<ReturnType<ReturnType<typeof acceptWith>>>) =>
		items.map((item) => (item as { message: Message }).message);

	it("torn half way it is not accepted; its repeat is accepted whole, once, and shares nothing with the rest", async () => {
		const started = api.seen.started.length;
		const request = { principal, inputs: inputs({}, {}, {}, {}), key: "torn" };
		const orphans = await tear(request);
		assert.equal(api.seen.started.length, started);
		const accept = acceptWith(api.store.messages.insert);
		const messages = messagesOf(await accept(request));
		assert.equal(messages.length, 4);
		assert.equal(api.seen.started.length, started + 1);
		const ids = new Set(messages.map(({ _id }) => _id));
		for (const orphan of orphans) {
			assert.equal(orphan.headId, messages[0]?._id, "an orphan names the head that it never had");
			assert.ok(!ids.has(orphan._id));
			assert.notEqual(orphan.submissionId, messages[0]?.submissionId);
		}
		const count = await api.count();
		const again = await accept(request);
		assert.equal(again.replayed, true);
		assert.deepEqual(new Set(messagesOf(again).map(({ _id }) => _id)), ids);
		assert.equal(await api.count(), count, "a repeat leaves no orphans");
	});

	it("torn, then asked with other texts under the same key: only those are accepted", async () => {
		const some = (body: string) => ({ principal, inputs: inputs({ body }, { body }, { body }), key: "torn-other" });
		await tear(some("the first text"));
		const messages = messagesOf(await acceptWith(api.store.messages.insert)(some("the second text")));
		for (const { _id, tenantId, submissionId } of messages) {
			const stored = await api.read(_id);
			assert.equal(stored.submissionId, submissionId);
			const sealed = stored.content as NonNullable<Message["content"]>;
			const opened = await api.encryptionFor.decrypt({ tenantId, messageId: _id, object: "content", sealed });
			assert.equal(opened.reveal(), "the second text");
		}
	});

	it("torn, once erased or not, the rest of it never hinders a repeat that is judged otherwise", async () => {
		const request = { principal, inputs: inputs({ clientReference: "c1" }, {}, {}), key: "torn-verdict" };
		await tear(request);
		// The head of the torn try is refused now: another message of the request is the head.
		let judged = 0;
		const policies = judging(() => judged++ > 0);
		const { items } = await createAccept({ ...api, policies }).accept(request);
		assert.deepEqual(
			items.map((item) => ("error" in item ? item.error.code : item.message.submissionSize)),
			["policy_denied", 2, 2],
		);
		const [head] = items.flatMap((item) => ("message" in item ? [item.message] : []));
		assert.equal((await api.store.messages.findBySubmission(head?.submissionId as string)).length, 2);
	});

	it("what ails the engine refuses none of it by itself: all of it is to be asked again", async () => {
		const before = await api.count();
		for (const failing of [1, 2]) {
			let judged = 0;
			const policies = {
				...api.policy,
				consider(facts: Facts) {
					if (++judged >= failing) throw new LetheError("policies_unavailable");
					return api.policy.consider(facts);
				},
			};
			const request = { principal, inputs: inputs({}, {}, {}), key: `ailing-${failing}` };
			await assert.rejects(createAccept({ ...api, policies }).accept(request), { code: "policies_unavailable" });
			assert.equal(await api.count(), before);
			const { items, replayed } = await createAccept(api).accept(request);
			assert.deepEqual([replayed, items.filter((item) => "message" in item).length], [false, 3]);
			await api.connection
				.collection("messages")
				.deleteMany({ submissionId: messagesOf({ items, replayed })[0]?.submissionId });
		}
	});

	it("a head comes in time for its members or not at all", async () => {
		const heads: string[] = [];
		const accept = acceptWith(async (message, notAfter) => {
			const answer = await api.store.messages.insert(message, notAfter);
			if (message.headId === undefined) heads.push(answer);
			else api.time.offsetMs = limits.headInsertMsMax + 1;
			return answer;
		});
		const request = { principal, inputs: inputs({}, {}, {}), key: "late" };
		await assert.rejects(accept(request), { code: "store_unavailable" });
		api.time.offsetMs = 0;
		assert.deepEqual(heads, ["late"]);
	});

	/** A tenant with a budget that has room; `requireSpent` waits until it has spent so many segments, by so many given back. */
	async function addSpender() {
		const { tenantId, keyId } = await api.addTenant({ budgets: { "*": { month: { segments: 100 } } } });
		let given = 0;
		const giveBack: ApiDeps["store"]["spending"]["giveBack"] = (taking) => {
			given++;
			return api.store.spending.giveBack(taking);
		};
		return {
			principal: { id: keyId, tenantId, roles: ["sender"] },
			spending: { ...api.store.spending, giveBack },
			async requireSpent(segments: number, givenBack: number, why?: string) {
				assert.equal(given, givenBack, why);
				const spent = async () => (await api.store.spending.read(tenantId, api.clock())).all?.month?.segments;
				await until(async () => (await spent()) === segments);
			},
		};
	}

	it("what was surely not written is not charged for; what may be in the store is, until it is erased", async () => {
		const cases: [why: string, spent: number, insert: (message: Message) => "late" | LetheError | undefined][] = [
			["the head came too late", 2, ({ headId }) => (headId === undefined ? "late" : undefined)],
			["the store went away", 1, ({ index }) => (index === 2 ? new LetheError("store_unavailable") : undefined)],
			["its answer got lost", 2, ({ index }) => (index === 2 ? new LetheError("outcome_unknown") : undefined)],
		];
		for (const [why, segments, lose] of cases) {
			const { principal, spending, requireSpent } = await addSpender();
			const insert: ApiDeps["store"]["messages"]["insert"] = async (message, notAfter) => {
				const lost = lose(message);
				if (lost === "late") return lost;
				if (lost) throw lost;
				return api.store.messages.insert(message, notAfter);
			};
			const accepting = acceptWith(insert, { spending })({ principal, inputs: inputs({}, {}, {}) });
			await assert.rejects(accepting, { code: "store_unavailable" }, why);
			await requireSpent(segments, 3 - segments, why);
		}
	});

	it("of a batch whose like was accepted meanwhile, the members that it leaves in the store stay charged", async () => {
		const { principal, spending, requireSpent } = await addSpender();
		const request = { principal, inputs: inputs({}, {}, {}), key: "twice-charged" };
		const insert: ApiDeps["store"]["messages"]["insert"] = async (message, notAfter) => {
			if (message.headId === undefined) await acceptWith(api.store.messages.insert)(request);
			return api.store.messages.insert(message, notAfter);
		};
		assert.equal((await acceptWith(insert, { spending })(request)).replayed, true);
		await requireSpent(5, 1);
	});

	it("a single message comes in time or not at all", async () => {
		const accept = acceptWith((message, notAfter) => {
			api.time.offsetMs = limits.headInsertMsMax + 1;
			return api.store.messages.insert(message, notAfter);
		});
		const before = await api.count();
		await assert.rejects(accept({ principal, inputs: inputs({}) }), { code: "store_unavailable" });
		api.time.offsetMs = 0;
		assert.equal(await api.count(), before);
	});

	describe("when the store is lost during a write", () => {
		const lost = (isLost: (message: Message) => boolean) =>
			acceptWith(async (message, notAfter) => {
				if (isLost(message)) throw new LetheError("outcome_unknown");
				return api.store.messages.insert(message, notAfter);
			});

		it("without a key the answer says that it is not known, and by what id to find out", async () => {
			let asked = "";
			const accept = lost(({ _id }) => {
				asked = _id;
				return true;
			});
			await assert.rejects(accept({ principal, inputs: inputs({}) }), (error) => {
				assert.ok(error instanceof LetheError);
				assert.deepEqual([error.code, error.extra], ["outcome_unknown", { messageId: asked }]);
				return true;
			});
		});

		it("of a batch whose head was not written yet, nothing was accepted", async () => {
			const accept = lost(({ headId }) => headId !== undefined);
			await assert.rejects(accept({ principal, inputs: inputs({}, {}) }), { code: "store_unavailable" });
		});

		it("with a key it is asked to repeat, and the repeat finds out", async () => {
			const request = { principal, inputs: inputs({}), key: "lost" };
			await assert.rejects(lost(() => true)(request), { code: "store_unavailable" });
			const [message] = messagesOf(await acceptWith(api.store.messages.insert)(request));
			assert.ok(await api.read(message?._id as string));
		});

		it("what a repeat finds is answered once a write after it is acknowledged: it may be read before it is durable", async () => {
			const { messages, ...others } = api.store;
			let isAcknowledging = false;
			const store = {
				...others,
				messages: {
					...messages,
					async insert(message: Message, notAfter?: number) {
						const answer = await messages.insert(message, notAfter);
						if (isAcknowledging) return answer;
						throw new LetheError("outcome_unknown");
					},
					async transition(change: Transition) {
						if (isAcknowledging) return messages.transition(change);
						throw new LetheError("store_unavailable");
					},
				},
			};
			const { accept } = createAccept({ ...api, store });
			const request = { principal, inputs: inputs({}), key: "unacknowledged" };
			for (let times = 0; times < 2; times++) await assert.rejects(accept(request), { code: "store_unavailable" });
			isAcknowledging = true;
			assert.equal((await accept(request)).replayed, true);
		});
	});

	it("each member is looked at soon, whenever it is due, until its head was seen", async () => {
		const later = new Date(api.clock() + 3600_000).toISOString();
		const accept = acceptWith(api.store.messages.insert);
		const [head, ...members] = messagesOf(
			await accept({ principal, inputs: inputs({ sendAt: later }, {}, { sendAt: later }) }),
		);
		assert.equal(head?.headId, undefined);
		for (const { headId, nextCheckAt = 0 } of members) {
			assert.equal(headId, head?._id);
			assert.ok(nextCheckAt <= api.clock() + limits.driverPatienceMs);
		}
	});
});
