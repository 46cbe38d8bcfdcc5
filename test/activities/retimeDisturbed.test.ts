// A pass of re-timing that is disturbed: workers that die or come twice, servers that are away, messages that stop nothing.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRejudge } from "../../activities/rejudge.ts";
import { createRetime } from "../../activities/retime.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { Engine } from "../harness/engine.ts";
import { openStored } from "../harness/policies.ts";
import { createRetimingStage, day, hour, retimed } from "../harness/retiming.ts";
import { spoilArchive } from "../harness/spoilArchive.ts";

describe("re-timing, disturbed", () => {
	const stage = createRetimingStage();
	const { restart, stored, storeAll, publishShorter, runPass, readAll, opens } = stage;
	before(() => stage.start());
	after(() => stage.close());

	/** The state that two runs of the same must share. */
	const essence = async (messages: Message[]) =>
		(await readAll(messages)).map(({ content, address, retention, retimings, holds }, index) => [
			index,
			[content?.cohortId, address?.cohortId].map(Boolean),
			[retention.content?.eraseBy, retention.address?.eraseBy, retention.receipt?.eraseBy],
			holds.length,
			retimings?.map(({ effects }) => effects),
		]);

	async function mixed(count: number): Promise<Message[]> {
		const ages = Array.from({ length: count }, (_, index) => (index * 29 * day) / count + 3 * hour);
		const held = (index: number) => (index % 9 === 4 ? { holds: ["hold_a"] } : {});
		return storeAll(await Promise.all(ages.map((age, index) => stored(age, held(index)))));
	}

	async function beginPass() {
		await stage.engine.store.policyVersions.all();
		const { continueRetiming, retimePages } = createRetime({
			...stage.engine,
			rejudge: createRejudge(stage.engine),
			runs: { ...stage.engine.runs, startRetime: async () => true },
		});
		await stage.policies.refresh();
		await continueRetiming();
		const pass = await stage.engine.store.retimings.latest();
		assert.ok(pass);
		// A call does what fits into its time; its workflow calls again.
		const run = async () => {
			while ((await retimePages(pass._id)).moreDue);
		};
		return { pass, run };
	}

	it("a worker that dies in a page, at whatever update, is repeated and ends the same, counts included", async () => {
		await restart();
		const messages = await mixed(300);
		await publishShorter();
		const { pass } = await beginPass();
		// Each try does some updates more than the one before, then dies, at every kind of step.
		for (let allowed = 0; ; allowed += 37) {
			const dying = dieAfter(stage.engine, allowed);
			const outcome = await createRetime(dying)
				.retimePages(pass._id)
				.catch((error) => error as Error);
			if (!(outcome instanceof Error)) {
				if (outcome.moreDue) continue;
				break;
			}
			assert.equal(outcome.cause, "died");
		}
		const { counts, state } = (await stage.engine.store.retimings.find(pass._id)) ?? {};
		const first = await essence(messages);
		assert.equal(state, "done");
		assert.equal(counts?.messages, 300);
		assert.equal(counts?.purged, first.filter(([, there]) => !(there as boolean[])[0]).length);
		for (const message of await readAll(messages)) {
			assert.equal(message.retimings?.length, 1);
			assert.equal(retimed(message).length, 1);
			if (message.content) assert.ok(await opens(message, "content"));
		}
	});

	it("policies that can't be read after a lost race stop the page, and no message is given up for it", async () => {
		await restart();
		const messages = await storeAll(await Promise.all([1, 2, 3].map((ago) => stored(ago * day))));
		await publishShorter();
		const { pass, run } = await beginPass();
		let lost = false;
		const away = createRetime({
			...stage.engine,
			rejudge: createRejudge(stage.engine),
			policies: {
				...stage.policies,
				reevaluate(facts, at) {
					if (lost) throw new LetheError("policies_unavailable");
					return stage.policies.reevaluate(facts, at);
				},
			},
			store: {
				...stage.engine.store,
				messages: {
					...stage.engine.store.messages,
					async transition() {
						lost = true;
						return false;
					},
				},
			},
		});
		await assert.rejects(away.retimePages(pass._id), { code: "policies_unavailable" });
		await run();
		const { counts } = (await stage.engine.store.retimings.find(pass._id)) ?? {};
		assert.deepEqual([counts?.messages, counts?.failed], [messages.length, undefined]);
	});

	it("a hold that is released between the plan and its write has its message looked at when the release said", async () => {
		await restart();
		const message = await stored(hour, { holds: ["hold_a"], nextCheckAt: stage.engine.clock() + 5 * day });
		await storeAll([message]);
		await publishShorter();
		const { pass } = await beginPass();
		const { messages } = stage.engine.store;
		let releasedAt = 0;
		const transition: typeof messages.transition = async (change) => {
			if (change.push?.retimings && releasedAt === 0) {
				releasedAt = stage.engine.clock();
				await messages.transition({ id: message._id, set: { holds: [], nextCheckAt: releasedAt } });
			}
			return messages.transition(change);
		};
		const rejudge = createRejudge(stage.engine);
		const store = { ...stage.engine.store, messages: { ...messages, transition } };
		const { retimePages } = createRetime({ ...stage.engine, rejudge, store });
		while ((await retimePages(pass._id)).moreDue);
		const { retimings, nextCheckAt } = await stage.engine.read(message._id);
		assert.equal(retimings?.length, 1);
		assert.ok((nextCheckAt ?? Number.POSITIVE_INFINITY) <= releasedAt);
	});

	it("two workers at once do each message once, and count it once", async () => {
		await restart();
		const messages = await mixed(300);
		await publishShorter();
		const { pass, run } = await beginPass();
		await Promise.all([run(), run(), run()]);
		assert.equal((await stage.engine.store.retimings.find(pass._id))?.counts.messages, 300);
		for (const message of await readAll(messages)) {
			assert.equal(message.retimings?.length, 1);
			assert.equal(retimed(message).length, 1);
			if (message.content) assert.ok(await opens(message, "content"));
		}
	});

	it("a key server that is away stops the pass, and loses nothing", async () => {
		await restart();
		const messages = await mixed(60);
		await publishShorter();
		const { run } = await beginPass();
		stage.engine.encryption.forgetCohort("");
		stage.engine.memory.away.value = true;
		stage.engine.time.offsetMs += limits.wrappingKeyAgeMsMax;
		await assert.rejects(run, (error) => (error as { code?: string }).code === "keys_unavailable");
		stage.engine.memory.away.value = false;
		await run();
		for (const message of await readAll(messages)) if (message.content) assert.ok(await opens(message, "content"));
	});

	it("a message that can't be judged, one that can't be opened and one that can't be read stop no other and are counted", async () => {
		await restart();
		const messages = await mixed(20);
		const [unjudged, unopened, unread] = [await stored(2 * day), await stored(2 * day), await stored(2 * day)];
		unjudged.facts = {
			context: { evaluatedAt: "x", acceptedAt: "yesterday" },
			timezone: "Nowhere",
		} as Message["facts"];
		unjudged.facts.consent = { obtainedAt: "never", type: "express" };
		unjudged.facts.recipientCountry = "DE";
		unjudged.facts.category = "marketing";
		unopened.content = { ...(unopened.content as NonNullable<Message["content"]>), wrappedKey: new Uint8Array(61) };
		await storeAll([unjudged, unopened, unread]);
		await spoilArchive(stage.engine.connection, unread);
		await publishShorter();
		const { pass, run } = await beginPass();
		await run();
		const { counts, state } = (await stage.engine.store.retimings.find(pass._id)) ?? {};
		assert.deepEqual([state, counts?.messages, counts?.failed], ["done", 23, 3]);
		for (const message of await readAll(messages)) assert.equal(message.retimings?.length, 1);
		const stuck = await stage.engine.read(unopened._id);
		assert.equal(stuck.content?.cohortId, unopened.content?.cohortId, "it ends with the cohort that it is in");
	});

	it("what came back, and goes by new policies while nothing can be signed, is read back and certified by the sweep", async () => {
		await restart();
		const back = await stored(20 * day);
		const proven = { erasedAt: back.acceptedAt + hour, verifiedAt: back.acceptedAt + 2 * hour };
		Object.assign(back.retention.content as object, proven);
		await storeAll([back]);
		await publishShorter();
		const { pass } = await beginPass();
		const issue = async () => {
			throw new LetheError("keys_unavailable");
		};
		const unsigned = createRetime({
			...stage.engine,
			rejudge: createRejudge(stage.engine),
			certificates: { ...stage.engine.certificates, issue },
		});
		while ((await unsigned.retimePages(pass._id)).moreDue);
		const gone = await stage.engine.read(back._id);
		assert.deepEqual([gone.content, gone.retention.content?.verifiedAt], [undefined, undefined]);
		await stage.sweepUntil(async () => (await stage.engine.read(back._id)).retention.content?.verifiedAt);
		const about = await stage.engine.store.certificates.page(stage.tenantId, back.submissionId, 10);
		assert.ok(about.length > 0);
	});

	it("what was judged before and stored after the pass had gone by is found by a second look", async () => {
		await restart();
		await mixed(5);
		const late = await stored(2 * day);
		await publishShorter();
		const straggler = { ...late, acceptedAt: stage.engine.clock() };
		await runPass();
		const first = (await stage.engine.store.retimings.latest())?.counts;
		await storeAll([straggler]);
		await stage.engine.activities.sweepPage();
		assert.equal((await stage.engine.read(straggler._id)).retimings, undefined);
		stage.engine.time.offsetMs += limits.retimeSettleMs;
		await runPass();
		assert.equal((await stage.engine.read(straggler._id)).retimings?.length, 1);
		const { sequence, counts } = (await stage.engine.store.retimings.latest()) ?? {};
		assert.deepEqual([first?.messages, counts?.messages, counts?.purged], [5, 6, first?.purged]);
		await stage.engine.activities.sweepPage();
		assert.equal((await stage.engine.store.retimings.latest())?.sequence, sequence, "and there is no third");
	});

	it("a worker that does not know the version yet does nothing, and starts nothing", async () => {
		await restart();
		const messages = await mixed(5);
		const behind = openStored(stage.engine.store);
		await behind.refresh();
		await publishShorter();
		const { pass } = await beginPass();
		const other = createRetime({ ...stage.engine, rejudge: createRejudge(stage.engine), policies: behind });
		await assert.rejects(other.retimePages(pass._id), { code: "policies_unavailable" });
		await other.continueRetiming();
		assert.equal((await stage.engine.store.retimings.latest())?._id, pass._id);
		for (const message of await readAll(messages)) assert.equal(message.retimings, undefined);
	});
});

/** The same engine, in which every write of a message fails once so many have been made: the worker is dead. */
function dieAfter(engine: Engine, allowed: number): Parameters<typeof createRetime>[0] {
	let left = allowed;
	const spend = () => {
		if (left-- <= 0) throw new LetheError("store_unavailable", { cause: "died" });
	};
	const { messages, retimings, cohorts } = engine.store;
	return {
		...engine,
		rejudge: createRejudge(engine),
		store: {
			...engine.store,
			messages: {
				...messages,
				async transition(change) {
					spend();
					return messages.transition(change);
				},
			},
			cohorts: {
				...cohorts,
				async noteLeaving(...given) {
					spend();
					return cohorts.noteLeaving(...given);
				},
			},
			retimings: {
				...retimings,
				async advance(...given) {
					spend();
					return retimings.advance(...given);
				},
			},
		},
	};
}
