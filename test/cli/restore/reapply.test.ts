// What a restore must not undo, over a real store that is older than its ledger: holds stand before anything goes, and nothing is sent.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { planErasure } from "../../../activities/planErasure.ts";
import { createApiKeys } from "../../../adapters/apiKeys.ts";
import { createLedger, type LedgerPlace } from "../../../adapters/ledger/ledger.ts";
import { withLedger } from "../../../adapters/ledger/withLedger.ts";
import type { Cohort } from "../../../adapters/mongo/models.ts";
import { reapply } from "../../../cli/restore/reapply.ts";
import type { Deps } from "../../../deps.ts";
import { parkingTenant } from "../../../domain/ids.ts";
import { keyOf, type LedgerEntry } from "../../../domain/ledger.ts";
import { isFinal } from "../../../domain/lifecycle.ts";
import { limits } from "../../../domain/limits.ts";
import type { LinkRecord } from "../../../domain/linkRecord.ts";
import type { Role } from "../../../domain/roles.ts";
import type { HoldRecord, SubjectRecord } from "../../../domain/subject.ts";
import { end, enqueue } from "../../../domain/transition.ts";
import type { Verification } from "../../../domain/verification.ts";
import { createEngine, type Engine, tenantOf } from "../../harness/engine.ts";
import { spoilArchive } from "../../harness/spoilArchive.ts";

describe("a store that is older than its ledger", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ sender: false, worker: false });
	});
	after(() => engine.close());

	const reapplyAll = (entries: LedgerEntry[]) =>
		reapply({ ...engine, stored: engine.store, ledger: ledgerOf(entries) } as unknown as Deps);
	const ledgerOf = (entries: LedgerEntry[]) => ({
		all: async () => entries,
		put: async () => undefined,
		putStanding: async () => undefined,
	});
	function holdOn(tenantId: string, shape: Partial<HoldRecord>): HoldRecord {
		const now = engine.clock();
		return {
			_id: engine.ids.random("hold"),
			kind: "hold",
			tenantId,
			subjects: [tenantId],
			scope: "tenant",
			ground: "litigation",
			at: now,
			recordedAt: now,
			recordedBy: "key",
			nextCheckAt: now + limits.driverPatienceMs,
			...shape,
		};
	}
	const entryOf = (record: HoldRecord): LedgerEntry => ({ _id: record._id, kind: "record", record });
	const erasureOf = (tenantId: string, messageId: string): LedgerEntry => ({
		_id: messageId,
		kind: "erasure",
		tenantId,
		messageId,
		at: engine.clock(),
	});

	it("holds on a tenant and a period are on every message before one of them is ended, erased or purged", async () => {
		const tenantId = engine.ids.random("tenant");
		const open = await engine.accept({ tenantId });
		const early = await engine.accept({ tenantId, acceptedAt: engine.clock() - 60_000 });
		const other = await engine.accept();
		for (const { _id } of [open, early, other]) {
			assert.ok(await engine.store.messages.transition(enqueue(await engine.read(_id), engine.clock())));
		}
		const onTenant = holdOn(tenantId, {});
		const onPeriod = holdOn(tenantId, { scope: "period", to: engine.clock() - 30_000 });
		const applied = await reapplyAll([onTenant, onPeriod].map(entryOf));
		assert.deepEqual([applied.records, applied.unknown], [2, 3]);
		for (const { _id } of [open, early]) {
			const held = await engine.read(_id);
			assert.equal(held.state, "unknown");
			assert.ok(held.content && held.address, "ended, and kept");
		}
		assert.deepEqual((await engine.read(open._id)).holds, [onTenant._id]);
		assert.deepEqual(new Set((await engine.read(early._id)).holds), new Set([onTenant._id, onPeriod._id]));
		assert.equal((await engine.read(other._id)).content, undefined, "nothing holds another tenant's");
		const cohortId = open.content?.cohortId as string;
		await engine.store.cohorts.endNow([cohortId], engine.clock());
		assert.equal(await engine.activities.closeCohort(cohortId), true);
		assert.deepEqual(await engine.activities.erasePage(cohortId), { count: 0 }, "not before the second pass either");
		assert.ok((await engine.read(open._id)).content);
	});

	it("a secure link that was not read is closed: since the copy it may have opened, and it opens once", async () => {
		const link: LinkRecord = {
			...{ hash: engine.ids.random("message"), channel: "AA", expiresAt: engine.clock() + 3600_000 },
			...{ pinRounds: 600_000, wrongPins: 4, state: "open" },
		};
		const states = ["open", "claimed", "read"] as const;
		const made = await Promise.all(
			states.map((state) => engine.accept({ link: { ...link, state }, contentAtFinal: false })),
		);
		const applied = await reapplyAll([]);
		const after = await Promise.all(made.map(async ({ _id }) => (await engine.read(_id)).link?.state));
		assert.deepEqual([applied.links, after], [2, ["closed", "closed", "read"]]);
		assert.equal((await reapplyAll([])).links, 0);
	});

	it("a one-time code that may be right is locked: since the copy it may have served, and it serves once", async () => {
		const { verifications } = engine.store;
		const made = (["pending", "approved", "locked"] as const).map((state) => codeIn(state));
		for (const record of made) assert.ok(await verifications.change(undefined, record));
		const applied = await reapplyAll([]);
		const after = await Promise.all(made.map(({ current }) => verifications.findByCode(current.id)));
		assert.deepEqual(
			[applied.codes, after.map((record) => record?.current.state)],
			[1, ["locked", "approved", "locked"]],
		);
		assert.ok(after.every((record) => record && !("mac" in record.current)));
		assert.equal((await reapplyAll([])).codes, 0);
	});

	/** What is on record of a number whose last code stands so. */
	function codeIn(state: Verification["current"]["state"]): Verification {
		const [id, now] = [engine.ids.random("verification"), engine.clock()];
		const mac = state === "pending" ? { mac: { version: 1, mac: "mac" } } : {};
		const current = { id, ...mac, digits: 6, createdAt: now, expiresAt: now + 600_000, attempts: 0, state };
		const _id = engine.ids.random("verificationNumber");
		const counts = { sends: [now], failures: [], revision: 1, nextCheckAt: current.expiresAt };
		return { _id, tenantId: engine.ids.random("tenant"), ids: [id], current, ...counts };
	}

	it("nothing is open afterwards, so nothing is sent, whatever is still on a queue", async () => {
		const message = await engine.accept();
		assert.ok(await engine.store.messages.transition(enqueue(message, engine.clock())));
		await reapplyAll([]);
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, { holdBack: async () => undefined });
		assert.ok(isFinal((await engine.read(message._id)).state));
		assert.equal(engine.carrier.calls.length, 0);
	});

	it("an erasure whose message a hold keeps now goes once it is released, and others go at once", async () => {
		const tenantId = engine.ids.random("tenant");
		const delivered = async () => {
			const message = await engine.accept({ tenantId, contentAtFinal: false, addressAtFinal: false });
			await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
			return message._id;
		};
		const [held, free] = [await delivered(), await delivered()];
		const hold = holdOn(tenantId, { scope: "message", subjects: [], messageId: held });
		const applied = await reapplyAll([entryOf(hold), erasureOf(tenantId, held), erasureOf(tenantId, free)]);
		assert.equal(applied.erasures, 2, "content and number of the one");
		assert.equal((await engine.read(free)).content, undefined);
		assert.ok((await engine.read(held)).content);
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key", source: "api" } as const;
		await engine.store.subjectRecords.end(hold._id, ended, { nextCheckAt: engine.clock() });
		for (let times = 0; times < 2; times++) {
			await engine.activities.sweepPage();
			engine.time.offsetMs += limits.driverPatienceMs * 2;
		}
		assert.equal((await engine.read(held)).content, undefined);
	});

	it("receipts that a request had erased are erased again, also of a message whose text and number had gone before", async () => {
		const tenantId = engine.ids.random("tenant");
		const receipt = { eventId: "event", receivedAt: engine.clock(), state: "delivered", effect: "moved" };
		const told = async () => {
			const message = await engine.accept({ tenantId });
			const ending = end(message, "delivered", engine.clock());
			const set = { ...ending.set, receipts: [receipt] };
			await engine.store.messages.transition({ ...ending, from: ["accepted"], set });
			return message._id;
		};
		const [free, held, later] = [await told(), await told(), await told()];
		assert.deepEqual([(await engine.read(free)).content, (await engine.read(free)).receipts.length], [undefined, 1]);
		const hold = holdOn(tenantId, { scope: "message", subjects: [], messageId: held });
		const dueAt = engine.clock() + 86_400_000;
		const ledger = [entryOf(hold), erasureOf(tenantId, free), erasureOf(tenantId, held)];
		const applied = await reapplyAll([...ledger, { ...erasureOf(tenantId, later), at: dueAt } as LedgerEntry]);
		assert.equal(applied.erasures, 1);
		const { receipts, retention, evidence } = await engine.read(free);
		assert.deepEqual([receipts, typeof retention.receipt?.erasedAt], [[], "number"]);
		assert.ok(evidence.some(({ type, code }) => type === "erased" && code === "receipt"));
		for (const id of [held, later]) assert.equal((await engine.read(id)).receipts.length, 1);
		const kept = (await engine.read(later)).retention.receipt;
		assert.deepEqual([kept?.eraseBy, kept?.goesBy], [dueAt, dueAt]);
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key", source: "api" } as const;
		await engine.store.subjectRecords.end(hold._id, ended, { nextCheckAt: engine.clock() });
		for (let times = 0; times < 3; times++) {
			await engine.activities.sweepPage();
			engine.time.offsetMs += limits.driverPatienceMs * 2;
		}
		assert.deepEqual((await engine.read(held)).receipts, []);
	});

	it("that a request had only receipts left to erase is entered, too: a ledger from a copy may not know it", async () => {
		const tenantId = engine.ids.random("tenant");
		const { _id } = await engine.accept({ tenantId });
		const message = await engine.read(_id);
		const ending = end(message, "delivered", engine.clock());
		const receipt = { ...message.retention.receipt, request: "dsr_a", eraseBy: engine.clock() };
		await engine.store.messages.transition({
			...ending,
			from: ["accepted"],
			set: { ...ending.set, "retention.receipt": receipt },
		});
		const entered: LedgerEntry[] = [];
		const put = async (entry: LedgerEntry) => void entered.push(entry);
		await reapply({ ...engine, stored: engine.store, ledger: { ...ledgerOf([]), put } } as unknown as Deps);
		assert.ok(entered.some((entry) => entry.kind === "erasure" && entry.messageId === _id));
	});

	it("an erasure that a law puts off goes on its day, and not before, though the copy knows nothing of it", async () => {
		const hour = 3600_000;
		const now = engine.clock();
		const shape = { contentAtFinal: false, addressAtFinal: false, deadlineAt: now + 2 * hour, closeAt: now + 3 * hour };
		const { _id, tenantId } = await engine.accept(shape);
		await engine.store.messages.transition({ id: _id, to: "delivered", from: ["accepted"] });
		const at = now + hour;
		const applied = await reapplyAll([{ ...erasureOf(tenantId, _id), at } as LedgerEntry]);
		assert.equal(applied.erasures, 0, "of nothing yet");
		const { content, address } = (await engine.read(_id)).retention;
		assert.deepEqual([content?.goesBy, address?.goesBy], [at, at], "which no other policies put off");
		const { entries, ledger } = ledgered();
		await reapply({ ...engine, stored: engine.store, ledger } as unknown as Deps);
		const entered = entries.find((entry) => entry.kind === "erasure" && entry.messageId === _id);
		assert.deepEqual(entered, { ...erasureOf(tenantId, _id), at }, "and a ledger from a copy knows it again");
		const sweepAt = async (time: number) => {
			engine.time.offsetMs += time - engine.clock();
			await engine.activities.sweepPage();
			const { content, address } = await engine.read(_id);
			return [content, address].filter(Boolean).length;
		};
		assert.equal(await sweepAt(now + limits.driverPatienceMs + 1_000), 2);
		assert.equal(await sweepAt(at - 1_000), 2);
		assert.equal(await sweepAt(at + 1_000), 0);
	});

	/** The store with a ledger that is an array, and what puts a document back as it was. */
	function ledgered() {
		const entries: LedgerEntry[] = [];
		const places = { main: placeOf(entries), clock: engine.clock, randomEpoch: () => engine.ids.random("epoch") };
		const { epochs: store, ledgerWaiting: waiting, tenants, subjectRecords } = engine.store;
		const ledger = createLedger({ ...places, store, waiting, tenants, subjectRecords });
		const back = async (collection: string, document: { _id: string }) => {
			const filter = { _id: document._id as never };
			await engine.connection.collection(collection).replaceOne(filter, document, { upsert: true });
		};
		return { entries, ledger, store: withLedger(engine.store, ledger, engine), back };
	}
	function placeOf(entries: LedgerEntry[]): LedgerPlace {
		const nothing = async () => undefined;
		return {
			name: "array",
			put: async (entry) => void entries.push(entry),
			forget: nothing,
			all: async () => entries,
			keys: async () => entries.map(keyOf),
			readEpoch: nothing,
			writeEpoch: nothing,
		};
	}
	const aboutTenant = () => tenantOf(engine.ids.random("tenant"), engine.clock());

	it("a message whose packed part nobody can read keeps no other waiting, and what the ledger erased of it goes", async () => {
		const tenantId = engine.ids.random("tenant");
		const [unread, other] = [await engine.accept({ tenantId }), await engine.accept({ tenantId })];
		for (const { _id } of [unread, other]) {
			await engine.store.messages.transition({ id: _id, to: "delivered", from: ["accepted"] });
		}
		await spoilArchive(engine.connection, await engine.read(unread._id));
		const applied = await reapplyAll([unread, other].map(({ _id }) => erasureOf(tenantId, _id)));
		assert.deepEqual([applied.unreadable, applied.erasures], [1, 4]);
		const kept = engine.connection.collection("messages").find({ tenantId });
		for await (const { content, address } of kept) assert.deepEqual([content, address], [undefined, undefined]);
		await engine.activities.sweepPage();
		const told = await engine.store.messages.findUnreadable(10);
		assert.deepEqual(
			told.map(({ _id }) => _id),
			[unread._id],
		);
		await engine.connection.collection<{ _id: string }>("messages").deleteOne({ _id: unread._id });
	});

	it("that the parts of a message that nobody can read are gone is entered: a ledger from a copy may not know it", async () => {
		const tenantId = engine.ids.random("tenant");
		const [whole, gone] = [await engine.accept({ tenantId }), await engine.accept({ tenantId })];
		for (const { _id } of [whole, gone]) {
			await engine.store.messages.transition({ id: _id, to: "delivered", from: ["accepted"] });
		}
		await engine.store.messages.transition({ id: gone._id, unset: ["content", "address"] });
		for (const { _id } of [whole, gone]) await spoilArchive(engine.connection, await engine.read(_id));
		const { entries, ledger } = ledgered();
		await reapply({ ...engine, stored: engine.store, ledger } as unknown as Deps);
		const entered = entries.flatMap((entry) => (entry.kind === "erasure" ? [[entry.messageId, entry.tenantId]] : []));
		assert.deepEqual(
			entered.filter(([, of]) => of === tenantId),
			[[gone._id, tenantId]],
		);
		await engine.connection.collection("messages").deleteMany({ tenantId });
	});

	it("what was taken from a person is taken again, and what they were given since is not taken by a later restore", async () => {
		const { entries, store, back } = ledgered();
		const passkey = { credentialId: "c", publicKey: "p", counter: 0, transports: [], addedAt: 1 };
		const id = engine.ids.random("person");
		await store.people.insert({
			...{
				_id: id,
				tenantId: engine.ids.random("tenant"),
				roles: ["admin", "sender"],
				createdAt: 1,
				createdBy: "admin",
			},
			...{
				password: { salt: "s", hash: "one", memoryKib: 1, passes: 1 },
				totp: { sealed: "x", step: 1 },
				sessionsFrom: 1,
			},
			...{ passkeys: ["a", "b"].map((name) => ({ ...passkey, id: name })), recoveryMacs: ["used", "left"] },
		});
		const copy = await store.people.find(id);
		assert.ok(copy);
		await store.people.change(id, (person) => ({ ...person, roles: ["sender"] }));
		await store.people.change(id, ({ passkeys, ...person }) => ({ ...person, passkeys: passkeys.slice(1) }));
		await store.people.change(id, (person) => ({ ...person, recoveryMacs: ["left"] }));
		const anew = { salt: "s", hash: "two", memoryKib: 1, passes: 1 };
		await store.people.change(id, (person) => ({ ...person, password: anew, sessionsFrom: 9 }));
		await back("people", copy);
		assert.equal((await reapplyAll(entries)).people, 1);
		const { roles, passkeys, password, recoveryMacs, sessionsFrom, totp } = (await store.people.find(id)) ?? {};
		assert.deepEqual([roles, passkeys?.map((one) => one.id)], [["sender"], ["b"]]);
		assert.deepEqual([password, recoveryMacs, sessionsFrom, totp?.step], [undefined, [], 9, 1]);

		await store.people.change(id, (person) => ({ ...person, roles: ["sender", "admin"] }));
		assert.equal((await reapplyAll(entries)).people, 0, "the copy that is put back now has all that was taken before");
		assert.deepEqual((await store.people.find(id))?.roles, ["sender", "admin"]);
	});

	it("a key's text that was rotated out ends when it was to end, and earlier ones at once", async () => {
		const { entries, store, back } = ledgered();
		const now = engine.clock();
		const about = { tenantId: engine.ids.random("tenant"), roles: [], name: "t", createdAt: now, createdBy: "admin" };
		const secret = (mac: string, createdAt: number) => ({ mac: `${about.tenantId}${mac}`, macVersion: 1, createdAt });
		const copy = {
			...about,
			_id: engine.ids.random("apiKey"),
			secrets: [secret("b", now - 10), { ...secret("a", now - 20), endsAt: now + 99 }],
		};
		await store.apiKeys.insert(copy);
		const macs = ["c", "d", "e", "f"];
		const issuing = createApiKeys({
			...{ store, clock: () => now, ids: engine.ids, randomBytes: (size) => new Uint8Array(size) },
			evidence: { append: async () => undefined },
			hmac: { mac: async () => ({ mac: `${about.tenantId}${macs.shift()}`, version: 1 }) },
		});
		const { document } = await issuing.rotate("admin", copy, 1_000);
		const before = document.secrets.map(({ endsAt }) => endsAt);
		assert.deepEqual(before, [undefined, now + 1_000, now]);
		await back("apiKeys", copy);
		assert.equal((await reapplyAll(entries)).rotations, 1);
		const ends = async () => (await store.apiKeys.find(copy._id))?.secrets.map(({ endsAt }) => endsAt);
		assert.deepEqual(await ends(), [now + 1_000, now]);
		// Rotated twice in one tick: the younger text is told from the one before.
		await issuing.rotate("admin", document, 0).catch(() => undefined);
		await back("apiKeys", document);
		await issuing.rotate("admin", document, 0);
		await back("apiKeys", document);
		assert.equal((await reapplyAll(entries)).rotations, 1);
		assert.deepEqual(
			(await ends())?.map((at) => (at as number) <= now + 1),
			[true, true, true],
			"no overlap, none left",
		);
	});

	it("an issuer is trusted no more as it was trusted before it was removed, or trusted otherwise", async () => {
		const { entries, store, back } = ledgered();
		const of = (createdAt: number) => ({
			...{ url: "https://issuer.example", tenantId: engine.ids.random("tenant"), audience: "a", claim: "scope" },
			...{ _id: engine.ids.derive("issuer", `${engine.name} ${createdAt}`), mapping: [], createdAt },
		});
		const [removed, narrowed, again] = [of(1), of(2), of(3)];
		for (const issuer of [removed, narrowed, again]) await store.issuers.put(issuer);
		await store.issuers.remove(removed._id);
		await store.issuers.put({ ...narrowed, audience: "b" });
		await store.issuers.remove(again._id);
		await store.issuers.put({ ...again, createdAt: engine.clock() + 1 });
		const provider = {
			...{ _id: engine.ids.random("identityProvider"), url: "https://p.example", tenantId: removed.tenantId },
			...{ clientId: "lethe", authentication: "client_secret_basic" as const, mfa: { acr: ["mfa"] }, createdAt: 4 },
		};
		await store.identityProviders.put(provider);
		await store.identityProviders.remove(provider._id);
		for (const issuer of [removed, narrowed]) await back("issuers", issuer);
		await back("identityProviders", provider);
		assert.equal((await reapplyAll(entries)).revocations, 3);
		assert.equal(await store.identityProviders.find(provider._id), undefined);
		const left = await Promise.all([removed, narrowed, again].map(({ _id }) => store.issuers.find(_id)));
		assert.deepEqual(
			left.map((found) => found !== undefined),
			[false, false, true],
		);
	});

	it("a webhook endpoint that was deleted hears of nothing again", async () => {
		const { entries, store, back } = ledgered();
		const endpoint = {
			...{
				_id: engine.ids.random("webhookEndpoint"),
				tenantId: engine.ids.random("tenant"),
				url: "https://example.com/",
			},
			...{ states: ["delivered" as const], isDefault: true, state: "enabled" as const, secrets: [] },
			...{ createdAt: engine.clock(), createdBy: "key_a" },
		};
		await store.webhookEndpoints.insert(endpoint);
		await store.webhookEndpoints.delete(endpoint._id);
		await back("webhookEndpoints", endpoint);
		assert.equal((await reapplyAll(entries)).revocations, 1);
		assert.equal(await store.webhookEndpoints.find(endpoint._id), undefined);
	});

	it("a tenant stands as it last stood, and one that had left has its keys and records destroyed once more", async () => {
		const { entries, store, back } = ledgered();
		const [leaver, resumed] = [aboutTenant(), aboutTenant()];
		for (const tenant of [leaver, resumed]) await store.tenants.put(tenant);
		const suspended = { state: "suspended", since: 1, open: "wait" } as const;
		const left = { state: "left", since: 2, certificateId: engine.ids.random("certificate") } as const;
		await store.tenants.setStanding(resumed._id, undefined, suspended);
		const copy = await store.tenants.find(resumed._id);
		assert.ok(copy);
		for (let times = 0; times < 3; times++) {
			await store.tenants.setStanding(resumed._id, suspended, undefined);
			await store.tenants.setStanding(resumed._id, undefined, suspended);
		}
		await store.tenants.setStanding(resumed._id, suspended, undefined);
		await store.tenants.setStanding(leaver._id, undefined, left);
		await back("tenants", leaver);
		await back("tenants", copy);
		assert.equal((await reapplyAll(entries)).tenants, 2);
		assert.equal((await store.tenants.find(resumed._id))?.standing, undefined);
		const again = (await store.tenants.find(leaver._id))?.standing;
		assert.deepEqual(again?.state === "leaving" && again.step, "destroying");

		assert.ok(await store.tenants.setStanding(resumed._id, undefined, suspended), "of the new life");
		await back("tenants", { ...resumed, standingRevision: 1 } as never);
		await reapplyAll(entries);
		assert.deepEqual((await store.tenants.find(resumed._id))?.standing, suspended, "and known to be of after");
	});

	it("two restores in a row: what a copy of Vault has forgotten is known again before a copy of the database needs it", async () => {
		const { entries, ledger, store, back } = ledgered();
		const now = engine.clock();
		const tenant = aboutTenant();
		await store.tenants.put(tenant);
		const of = { tenantId: tenant._id, recordedAt: now, recordedBy: "key", at: now };
		const consent: SubjectRecord = {
			...{ ...of, _id: engine.ids.random("consent"), kind: "consent", subjects: ["m"], type: "express", purposes: [] },
			...{ wording: "w", evidence: "e", keptAfterEnd: "P1Y" },
		};
		await store.subjectRecords.insert(consent);
		const by = { tenantId: tenant._id, createdAt: now, createdBy: "admin" };
		const apiKey = { ...by, _id: engine.ids.random("apiKey"), secrets: [], roles: [], name: "t" };
		await store.apiKeys.insert(apiKey);
		const person = { ...by, _id: engine.ids.random("person"), roles: ["admin", "sender"] as Role[] };
		await store.people.insert({ ...person, passkeys: [], recoveryMacs: [], sessionsFrom: 1 });
		const cohort: Cohort = {
			...{
				_id: engine.ids.random("cohort"),
				tenantId: tenant._id,
				region: "eu",
				retentionClass: "c",
				state: "closing",
			},
			...{ dueAt: now + 3600_000, holds: [], createdAt: now, keyMadeAt: now, certificates: [] },
		};
		await store.cohorts.open(cohort);
		const message = await engine.accept({ contentAtFinal: false, addressAtFinal: false });
		await store.messages.transition({ ...end(message, "delivered", now), from: ["accepted"] });
		const named = {
			...{ subjectRecords: consent, apiKeys: apiKey, people: person, cohorts: cohort, messages: message },
			tenants: tenant,
		};
		const copies = await Promise.all(
			Object.entries(named).map(async ([name, { _id }]) => {
				const found = await engine.connection.collection(name).findOne({ _id: _id as never });
				return { name, document: found as unknown as { _id: string } };
			}),
		);

		const optOut: SubjectRecord = {
			...{ ...of, _id: engine.ids.random("optOut"), kind: "opt_out", subjects: ["m"], scope: "all", source: "api" },
		};
		const hold = holdOn(tenant._id, { scope: "subject", subjects: ["n"] });
		for (const record of [optOut, hold]) await store.subjectRecords.insert(record);
		await store.subjectRecords.end(consent._id, { at: now, recordedAt: now, recordedBy: "key", source: "api" });
		await store.apiKeys.revoke(apiKey._id, now);
		await store.people.change(person._id, (known) => ({ ...known, roles: ["sender"] }));
		await store.cohorts.advance(cohort._id, "closing", "destroyed", { destroyedAt: now });
		await store.tenants.setStanding(tenant._id, undefined, { state: "suspended", since: now, open: "wait" });
		await ledger.put(erasureOf(message.tenantId, message._id));
		const erasing = planErasure(await engine.read(message._id), "req_a", now, false, now);
		assert.ok(erasing && (await store.messages.transition(erasing)));

		const restore = async () => {
			await reapply({ ...engine, stored: engine.store, ledger } as unknown as Deps);
			await ledger.begin();
		};
		entries.length = 0;
		await restore();
		for (const { name, document } of copies) await back(name, document);
		for (const { _id } of [optOut, hold]) await engine.store.subjectRecords.delete(_id);
		await restore();
		const [optedOut, held, consented] = await Promise.all(
			[optOut, hold, consent].map(({ _id }) => store.subjectRecords.find(_id)),
		);
		assert.deepEqual([optedOut?.kind, held?.kind], ["opt_out", "hold"]);
		assert.ok(consented?.kind === "consent" && consented.ended, "withdrawn");
		assert.ok((await store.apiKeys.find(apiKey._id))?.revokedAt);
		assert.deepEqual((await store.people.find(person._id))?.roles, ["sender"]);
		assert.ok(((await store.cohorts.find(cohort._id))?.dueAt ?? 0) <= engine.clock());
		assert.equal((await store.tenants.find(tenant._id))?.standing?.state, "suspended");
		assert.equal((await engine.read(message._id)).content, undefined);
	});

	it("a key that a copy of Vault has brought back goes again, of receipts that waited for their message too", async () => {
		const { entries, ledger } = ledgered();
		const tenant = aboutTenant();
		await engine.store.tenants.put(tenant);
		const dueAt = engine.clock() + 3600_000;
		const ids = await Promise.all(
			[tenant._id, parkingTenant].map((tenantId) =>
				engine.cohorts.ensure({ tenantId, region: "ZZ", retentionClass: "parked/PT72H", dueAt }),
			),
		);
		for (const id of ids) await engine.store.cohorts.advance(id, "open", "destroyed", { destroyedAt: engine.clock() });
		const applied = await reapply({ ...engine, stored: engine.store, ledger } as unknown as Deps);
		assert.equal(applied.keys, ids.length);
		for (const id of ids) {
			assert.equal(await engine.cohortKeys.exists(id), false);
			assert.ok(
				entries.some(({ kind, _id }) => kind === "cohort" && _id === id),
				"for the next copy of the database",
			);
		}
	});

	it("a hold that was released since is not put on again, and keeps nothing that comes later", async () => {
		const tenantId = engine.ids.random("tenant");
		const message = await engine.accept({ tenantId });
		const hold = holdOn(tenantId, {});
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		await reapplyAll([entryOf(hold), { _id: `${hold._id}-end`, kind: "ended", record: hold._id, ended }]);
		assert.deepEqual((await engine.read(message._id)).holds, []);
		const record = await engine.store.subjectRecords.find(hold._id);
		assert.deepEqual(record?.kind === "hold" && [record.ended, record.subjects], [ended, []]);
	});
});
