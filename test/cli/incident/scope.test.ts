// What a stolen copy gives away, reckoned over a real store: who is concerned, which keys were exposed, what can be read.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ExposedStore, scopeIncident } from "../../../cli/incident/scope.ts";
import { parkingTenant } from "../../../domain/ids.ts";
import type { Message } from "../../../domain/message.ts";
import { end } from "../../../domain/transition.ts";
import { openPolicies } from "../../../policies/index.ts";
import { createEngine, type Engine } from "../../harness/engine.ts";
import { spoilArchive } from "../../harness/spoilArchive.ts";

const hour = 3_600_000;

describe("the scope of an incident", () => {
	let engine: Engine;
	let tenantId: string;
	const times = { before: 0, both: 0, erased: 0, destroyed: 0, longAfter: 0 };
	const messages: Message[] = [];

	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
		tenantId = engine.ids.random("tenant");
		const about = {
			name: "Test",
			establishment: "DE",
			destinations: ["*"],
			sendQueues: [],
			retention: {},
			createdAt: engine.clock(),
		};
		await engine.store.tenants.put({ _id: tenantId, ...about });
		times.before = engine.clock() - 1;
		for (const mac of ["one", "one", "two"]) {
			const shape = { tenantId, subject: { version: 1, mac }, contentAtFinal: false, addressAtFinal: false };
			messages.push(await engine.accept(shape));
		}
		engine.time.offsetMs += 1_000;
		times.both = engine.clock();
		engine.time.offsetMs += 1_000;
		const [first] = messages as [Message];
		const stored = await engine.read(first._id);
		for (const name of ["content", "address"] as const) {
			const record = stored.retention[name];
			if (record) record.atFinal = true;
		}
		await engine.store.messages.transition({ ...end(stored, "delivered", engine.clock()), from: ["accepted"] });
		engine.time.offsetMs += 1_000;
		times.erased = engine.clock();
		for (const cohort of await engine.store.cohorts.findByTenant(tenantId)) {
			await engine.store.cohorts.set(cohort._id, { state: "destroyed", destroyedAt: engine.clock() });
		}
		times.destroyed = engine.clock() + 1;
		times.longAfter = engine.clock() + 30 * hour;
	});
	after(() => engine.close());

	const dayMs = 24 * hour;
	const scope = (stores: ExposedStore[], at: number, more: { oplogMs?: null; journalMs?: number | null } = {}) => {
		const lifetimes = { oplogMs: dayMs, journalMs: hour, vaultRaftLogMs: dayMs, ...more } as never;
		const deps = { ...engine, policies: openPolicies(), config: { lifetimes } };
		return scopeIncident(deps, { stores, at, awareAt: at });
	};

	it("the database alone: every subject is listed by pseudonym, its content is there and can't be read", async () => {
		const found = await scope(["mongodb"], times.both);
		assert.equal(found.readable, false);
		assert.deepEqual(
			found.subjects.map(({ subject, messages, sealed, readable }) => [subject, messages, sealed, readable]).toSorted(),
			[
				["one", 2, 2, 0],
				["two", 1, 1, 0],
			],
		);
		assert.ok(found.keys.length > 0 && found.keys.every(({ fate }) => fate === "safe"));
		assert.deepEqual(found.countries, { US: 3 });
	});

	it("database and keys together: what was sealed is readable; what was erased may be, from remains, for a time", async () => {
		const both = await scope(["mongodb", "vault"], times.both);
		assert.deepEqual([both.readable, both.counts.readableMessages], [true, 3]);
		const erased = await scope(["mongodb", "vault"], times.erased);
		assert.deepEqual([erased.counts.sealedMessages, erased.counts.residueMessages], [2, 1]);
		assert.equal(erased.counts.readableMessages, 3);
	});

	it("what was erased counts as there until neither oplog nor journal can have it, for good where one has no end", async () => {
		const residue = async (more: { oplogMs?: null; journalMs?: number | null }, at: number) =>
			(await scope(["mongodb", "vault"], at, more)).counts.residueMessages;
		const { longAfter } = times;
		assert.deepEqual([await residue({}, longAfter), await residue({ journalMs: 35 * dayMs }, longAfter)], [0, 1]);
		assert.deepEqual(
			[await residue({ journalMs: null }, longAfter), await residue({ oplogMs: null }, longAfter)],
			[1, 1],
		);
	});

	it("keys that were destroyed before are gone once nothing can have them any more", async () => {
		const soon = await scope(["mongodb", "vault"], times.destroyed);
		assert.ok(soon.keys.every(({ fate }) => fate === "residue"));
		const later = await scope(["mongodb", "vault"], times.longAfter);
		assert.ok(later.keys.every(({ fate }) => fate === "gone"));
		assert.deepEqual([later.readable, later.counts.residueMessages], [false, 0]);
	});

	it("keys alone, or a store that holds ids only, open nothing; a copy of before concerns nobody", async () => {
		for (const store of ["vault", "redis", "temporal", "logs"] as const) {
			assert.equal((await scope([store], times.both)).readable, false, store);
		}
		assert.ok((await scope(["vault"], times.both)).keys.every(({ fate }) => fate === "exposed"));
		const nobody = await scope(["mongodb", "vault"], times.before);
		assert.deepEqual([nobody.counts.subjects, nobody.keys.length, nobody.readable], [0, 0, false]);
	});

	it("tells of each law whether the persons are to be told: by a date, or without undue delay where the risk to them is high", async () => {
		const [first] = messages as [Message];
		const packs = ["gdpr", "uk", "hipaa", "in-dpdp"].map((id) => ({ id, version: "1.1.0" }));
		assert.ok(
			await engine.store.messages.transition({ id: first._id, set: { decision: { ...first.decision, packs } } }),
		);
		const { clocks } = await scope(["mongodb", "vault"], Date.parse("2027-06-01T00:00:00Z"));
		const told = clocks.map(({ rule, toSubjects, toSubjectsAtHighRisk }) => [rule, toSubjects, toSubjectsAtHighRisk]);
		assert.deepEqual(told.toSorted(), [
			["gdpr.breach", undefined, "without_undue_delay"],
			["hipaa.breach", "2027-07-31T00:00:00Z", undefined],
			["in-dpdp.breach", undefined, undefined],
			["uk.breach", undefined, "without_undue_delay"],
		]);
	});

	it("tells a law's clocks once, as they stand when it is known, whichever versions the messages were judged by", async () => {
		const versions = ["1.0.0", "1.3.0"];
		for (const [index, version] of versions.entries()) {
			const { _id: id, decision } = messages[index] as Message;
			const packs = [{ id: "gdpr", version }];
			assert.ok(await engine.store.messages.transition({ id, set: { decision: { ...decision, packs } } }));
		}
		const { clocks } = await scope(["mongodb", "vault"], Date.parse("2027-06-01T00:00:00Z"));
		assert.deepEqual(
			clocks.map(({ rule }) => rule),
			["gdpr.breach"],
		);
	});

	it("what was moved under another key since is told by the one that it had: it was there to be read", async () => {
		const [, , last] = messages as [Message, Message, Message];
		const cohortId = engine.ids.random("cohort");
		const set = { "content.cohortId": cohortId, "address.cohortId": cohortId };
		assert.ok(await engine.store.messages.transition({ id: last._id, from: ["accepted"], set }));
		assert.equal((await scope(["mongodb", "vault"], times.both)).counts.readableMessages, 3);
		assert.equal((await scope(["mongodb"], times.both)).readable, false);
	});

	it("a person whose pseudonym has changed by a rotation of its key is one, by the newest", async () => {
		await engine.accept({ tenantId, subject: { version: 2, mac: "one again", others: ["one"] } });
		const { subjects, counts } = await scope(["mongodb"], engine.clock());
		assert.deepEqual(
			subjects.map((one) => [one.subject, one.messages]),
			[
				["one again", 3],
				["two", 1],
			],
		);
		assert.equal(counts.subjects, 2);
	});

	it("what nobody can read counts for whom it concerns, and by what is there of it, and is named", async () => {
		const before = await scope(["mongodb", "vault"], engine.clock());
		assert.deepEqual([before.unreadable, before.counts.unreadableMessages], [[], 0]);
		const [, broken] = messages as [Message, Message, Message];
		await spoilArchive(engine.connection, await engine.read(broken._id));
		const found = await scope(["mongodb", "vault"], engine.clock());
		assert.deepEqual(found.unreadable, [{ tenantId, messageId: broken._id }]);
		assert.equal(found.counts.unreadableMessages, 1);
		assert.deepEqual(found.subjects, before.subjects);
		assert.equal(found.counts.messages, before.counts.messages);
		// Which laws it was judged by is among what nobody can read: their clocks may be missing.
		assert.deepEqual(found.limits.slice(0, before.limits.length), before.limits);
		assert.match(found.limits.slice(before.limits.length).join(), /laws/);
	});

	it("a key under which receipts waited for their message is among those that Vault's copy exposes", async () => {
		const place = { region: "ZZ", retentionClass: "parked/PT72H", dueAt: engine.clock() + 72 * hour };
		const cohortId = await engine.cohorts.ensure({ ...place, tenantId: parkingTenant });
		const { keys } = await scope(["vault"], engine.clock());
		assert.deepEqual(
			keys.filter((key) => key.tenantId === parkingTenant),
			[{ tenantId: parkingTenant, cohortId, fate: "exposed" }],
		);
	});
});
