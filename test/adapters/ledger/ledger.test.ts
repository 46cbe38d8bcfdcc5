// The ledger on a real Vault, a folder and a real store: no restore goes unseen, and what was written down comes back.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFileLedger } from "../../../adapters/ledger/fileLedger.ts";
import { createLedger, type LedgerPlace } from "../../../adapters/ledger/ledger.ts";
import { createQuarantine } from "../../../adapters/ledger/quarantine.ts";
import { createVaultLedger } from "../../../adapters/ledger/vaultLedger.ts";
import { withLedger } from "../../../adapters/ledger/withLedger.ts";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { LetheError } from "../../../domain/errors.ts";
import { compareEpochs, type Epoch, type LedgerEntry, mayFollow, newestStandings } from "../../../domain/ledger.ts";
import { limits } from "../../../domain/limits.ts";
import { type Person, withoutCredentials } from "../../../domain/person.ts";
import type { HoldRecord, OptOutRecord, SubjectRecord } from "../../../domain/subject.ts";
import { until } from "../../harness/until.ts";
import { watchSyncs } from "../../harness/watchSyncs.ts";
import { freshId, login, type VaultClient } from "../vault/helper.ts";

const epochOf = (beat: number, epoch = "epo_a", at = beat): Epoch => ({ epoch, beat, at });

describe("how a store stands to the ledger", () => {
	it("is new where nothing was written, and current up to one beat ahead", () => {
		const nothing = { main: undefined, witness: undefined };
		assert.equal(compareEpochs(undefined, nothing), "new");
		assert.equal(compareEpochs(epochOf(1), nothing), "new", "died between the store's first beat and the ledger's");
		assert.equal(compareEpochs(epochOf(7), { main: epochOf(7), witness: epochOf(7) }), "current");
		assert.equal(compareEpochs(epochOf(8), { main: epochOf(7), witness: epochOf(3) }), "current");
	});

	it("is behind when it is empty, of an earlier beat or of an earlier life, whichever place knows", () => {
		assert.equal(compareEpochs(undefined, { main: epochOf(1), witness: undefined }), "store_behind");
		assert.equal(compareEpochs(epochOf(6), { main: epochOf(7), witness: undefined }), "store_behind");
		assert.equal(compareEpochs(epochOf(6), { main: epochOf(6), witness: epochOf(7) }), "store_behind");
		const reborn = { main: epochOf(1, "epo_b", 99), witness: epochOf(1, "epo_b", 99) };
		assert.equal(compareEpochs(epochOf(90), reborn), "store_behind");
	});

	it("shows a ledger that is older than the store, or gone", () => {
		assert.equal(compareEpochs(epochOf(9), { main: epochOf(7), witness: undefined }), "ledger_behind");
		assert.equal(compareEpochs(epochOf(9), { main: undefined, witness: undefined }), "ledger_behind");
		assert.equal(compareEpochs(epochOf(9), { main: epochOf(7), witness: epochOf(9) }), "ledger_behind");
	});
});

describe("the ledger", () => {
	const database = `t${randomBytes(6).toString("hex")}`;
	let connection: MongoConnection;
	let store: Store;
	let folder: string;
	let clients: Record<"api" | "eraser" | "admin" | "sender", VaultClient>;
	before(async () => {
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
		folder = mkdtempSync(join(tmpdir(), "lethe-ledger-"));
		const [api, eraser, admin, sender] = await Promise.all(
			(["api", "eraser", "admin", "sender"] as const).map((role) => login(role)),
		);
		clients = { api, eraser, admin, sender } as typeof clients;
	});
	after(async () => {
		await connection.dropDatabase();
		await store.close();
		rmSync(folder, { recursive: true });
	});

	let clockMs = Date.now();
	const ledgerAs = (role: keyof typeof clients) =>
		createLedger({
			store: store.epochs,
			waiting: store.ledgerWaiting,
			tenants: store.tenants,
			subjectRecords: store.subjectRecords,
			main: createVaultLedger({ vault: clients[role], name: database }),
			witness: createFileLedger(join(folder, database)),
			clock: () => clockMs++,
			randomEpoch: () => freshId("epoch"),
		});
	const optOutOf = (): OptOutRecord => ({
		_id: freshId("optOut"),
		kind: "opt_out",
		tenantId: freshId("tenant"),
		subjects: ["mac"],
		scope: "all",
		source: "api",
		at: 1,
		recordedAt: 1,
		recordedBy: "key",
		facts: { recipientCountry: "DE" },
	});
	const quiet = { clock: () => clockMs, log: { warn: () => undefined } };
	const idsIn = (entries: LedgerEntry[]) => entries.map(({ _id }) => _id);

	it("keeps an entry in both places before the act, once, and without the message that it came in", async () => {
		const stored = withLedger(store, ledgerAs("api"), quiet);
		const record = optOutOf();
		assert.equal(await stored.subjectRecords.insert(record), true);
		assert.equal(await stored.subjectRecords.insert({ ...record, scope: "marketing" }), false);
		const kept = (await ledgerAs("admin").all()).filter(({ _id }) => _id === record._id);
		const { facts: _, ...without } = record;
		assert.deepEqual(kept, [{ _id: record._id, kind: "record", record: without }], "the first one stands");
		const file = join(folder, database, "record", `${record._id}.json`);
		assert.equal(statSync(file).mode & 0o077, 0);
	});

	it("an ending, a destroyed key, a revocation and a tenant's standing are kept; the latest standing counts", async () => {
		const stored = withLedger(store, ledgerAs("eraser"), quiet);
		const [consentId, cohortId, keyId, tenantId] = [
			freshId("consent"),
			freshId("cohort"),
			freshId("apiKey"),
			freshId("tenant"),
		];
		await stored.subjectRecords.end(consentId, { at: 5, recordedAt: 5, recordedBy: "key", source: "api" });
		await stored.cohorts.advance(cohortId, "closing", "destroyed", { destroyedAt: 7 });
		await stored.apiKeys.revoke(keyId, 9);
		const personId = freshId("person");
		await stored.people.end(personId, 11);
		await addTenant(tenantId);
		await stored.tenants.setStanding(tenantId, undefined, suspended);
		assert.deepEqual((await standingIn(tenantId))?.standing, suspended);
		await stored.tenants.setStanding(tenantId, suspended, undefined);
		const entries = await ledgerAs("admin").all();
		const find = (kind: LedgerEntry["kind"], id: string) =>
			entries.find((entry) => entry.kind === kind && entry._id === id);
		assert.deepEqual(find("ended", `${consentId}-end`)?.kind, "ended");
		assert.deepEqual(find("cohort", cohortId), { _id: cohortId, kind: "cohort", at: 7 });
		assert.deepEqual(find("revoked", keyId), { _id: keyId, kind: "revoked", at: 9 });
		assert.deepEqual(find("revoked", personId), { _id: personId, kind: "revoked", at: 11 });
		assert.deepEqual([(await standingIn(tenantId))?.standing, await store.ledgerWaiting.oldest(10)], [undefined, []]);
	});

	const suspended = { state: "suspended", since: 3, open: "wait" } as const;
	const addTenant = (_id: string) => {
		const about = { name: "T", establishment: "DE", destinations: ["*"], sendQueues: [], retention: {}, createdAt: 1 };
		return store.tenants.put({ _id, ...about });
	};
	/** What a restore would go by. */
	const standingIn = async (tenantId: string) => {
		const entries = (await ledgerAs("admin").all()).filter((entry) => entry.kind === "tenant");
		return newestStandings(entries).find((entry) => entry.tenantId === tenantId);
	};
	const killed = () => Promise.reject(new Error("killed"));
	const later = async () => {
		clockMs += 2 * limits.driverPatienceMs;
		assert.equal(await ledgerAs("eraser").beat(), "current");
		assert.deepEqual(await store.ledgerWaiting.oldest(10), []);
	};

	it("a suspension is in the ledger first, and what was about to be and is not is put right by the sweep", async () => {
		const tenantId = freshId("tenant");
		await addTenant(tenantId);
		const dying = { ...store, tenants: { ...store.tenants, setStanding: killed } };
		const stored = withLedger(dying, ledgerAs("admin"), quiet);
		await assert.rejects(stored.tenants.setStanding(tenantId, undefined, suspended), /killed/);
		const outside = await createFileLedger(join(folder, database)).all();
		assert.ok(outside.some((entry) => entry.kind === "tenant" && entry.tenantId === tenantId && entry.standing));
		const worker = ledgerAs("eraser");
		const before = (await store.epochs.read())?.beat;
		await worker.beat();
		assert.equal((await store.epochs.read())?.beat, before, "whoever suspends it may be at it still");
		await later();
		assert.deepEqual(
			[(await standingIn(tenantId))?.standing, (await standingIn(tenantId))?.intended],
			[undefined, undefined],
		);
	});

	it("a standing that was changed as its process died is told by the sweep, and until then the stricter one counts", async () => {
		const tenantId = freshId("tenant");
		await addTenant(tenantId);
		await withLedger(store, ledgerAs("admin"), quiet).tenants.setStanding(tenantId, undefined, suspended);
		const { put, putWhole, forget } = ledgerAs("admin");
		const dying = withLedger(store, { put, putWhole, forget, putStanding: killed }, quiet);
		await assert.rejects(dying.tenants.setStanding(tenantId, suspended, undefined), /killed/);
		assert.equal((await store.tenants.find(tenantId))?.standing, undefined);
		assert.deepEqual((await standingIn(tenantId))?.standing, suspended);
		await later();
		const told = await standingIn(tenantId);
		assert.deepEqual([told?.standing, told?.intended], [undefined, undefined]);
	});

	it("whatever takes something away is in the ledger first, whoever does it, and what only gives is not in it", async () => {
		const entered: LedgerEntry[] = [];
		const put = async (entry: LedgerEntry) => void entered.push(entry);
		const nothing = async () => undefined;
		const ledger = { put, putWhole: put, putStanding: nothing, forget: nothing };
		const { apiKeys, people, issuers, webhookEndpoints } = store;
		const dying = {
			...store,
			apiKeys: { ...apiKeys, replaceSecrets: killed },
			issuers: { ...issuers, put: killed, remove: killed },
			webhookEndpoints: { ...webhookEndpoints, delete: killed },
		};
		const stored = withLedger(dying, ledger, quiet);
		const [keyId, issuerId, endpointId] = [freshId("apiKey"), freshId("issuer"), freshId("webhookEndpoint")];
		const secretOf = (createdAt: number, more = {}) => ({ mac: `mac${createdAt}`, macVersion: 1, createdAt, ...more });
		const rotated = [secretOf(30), secretOf(20, { endsAt: 50 }), secretOf(10, { endsAt: 25 })];
		await assert.rejects(stored.apiKeys.replaceSecrets(keyId, "mac20", { secrets: rotated }), /killed/);
		const trust = { url: "https://i.example", tenantId: "t", audience: "a", claim: "scope", mapping: [] };
		await assert.rejects(stored.issuers.put({ ...trust, _id: issuerId, createdAt: 5 }), /killed/);
		assert.equal(entered.length, 1, "the first trust takes nothing");
		await issuers.put({ ...trust, _id: issuerId, createdAt: 5 });
		await assert.rejects(stored.issuers.put({ ...trust, _id: issuerId, createdAt: 9 }), /killed/);
		await assert.rejects(stored.issuers.remove(issuerId), /killed/);
		await assert.rejects(stored.webhookEndpoints.delete(endpointId), /killed/);
		const told = entered.map(({ _id, ...entry }) => ({ ...entry, of: _id.split("-")[0] }));
		const ends = [
			{ createdAt: 20, endsAt: 50 },
			{ createdAt: 10, endsAt: 25 },
		];
		assert.deepEqual(told.slice(0, 2), [
			{ kind: "rotated", apiKeyId: keyId, at: 30, ends, of: keyId },
			{ kind: "distrusted", issuerId, at: 5, of: issuerId },
		]);
		assert.deepEqual(
			told.slice(2).map(({ kind, of }) => [kind, of]),
			[
				["distrusted", issuerId],
				["revoked", endpointId],
			],
		);

		const personId = freshId("person");
		const passkey = { credentialId: "c", publicKey: "p", counter: 0, transports: [], addedAt: 1 };
		const password = { salt: "s", hash: "one", memoryKib: 1, passes: 1 };
		await people.insert({
			...{ _id: personId, tenantId: "t", roles: ["admin", "sender"], createdAt: 1, createdBy: "admin" },
			...{ enrolment: { mac: "m", expiresAt: 9 }, password, totp: { sealed: "x", step: 1 }, sessionsFrom: 1 },
			...{
				passkeys: [
					{ ...passkey, id: "psk_a" },
					{ ...passkey, id: "psk_b" },
				],
				recoveryMacs: ["r1", "r2"],
			},
		});
		const changed = async (decide: (person: Person) => Partial<Person>) => {
			entered.length = 0;
			await stored.people.change(personId, (person) => ({ ...person, ...decide(person) }));
			return entered.map((entry) => entry.kind === "taken" && entry.taking);
		};
		assert.deepEqual(await changed(({ roles }) => ({ roles: [...roles, "auditor"] })), []);
		assert.deepEqual(
			await changed(({ passkeys }) => ({ passkeys: passkeys.map((one) => ({ ...one, counter: 7 })) })),
			[],
		);
		assert.deepEqual(await changed(() => ({ totp: { sealed: "x", step: 2 } })), [], "no sign-in asks the ledger");
		assert.deepEqual(await changed(() => ({ roles: ["sender"] })), [{ roles: ["admin", "auditor"] }]);
		assert.deepEqual(await changed(() => ({ passkeys: [{ ...passkey, id: "psk_b" }] })), [{ passkeys: ["psk_a"] }]);
		assert.deepEqual(await changed(() => ({ recoveryMacs: ["r2"] })), [{ credentials: ["recovery"] }]);
		assert.deepEqual(await changed(() => ({ sso: { providerId: "idp", mac: "one" } })), []);
		assert.deepEqual(await changed(() => ({ sso: { providerId: "idp", mac: "two" } })), [{ credentials: ["sso"] }]);
		const anew = { password: { ...password, hash: "two" }, sessionsFrom: 8 };
		assert.deepEqual(await changed(() => anew), [{ credentials: ["password"], sessionsFrom: 8 }]);
		assert.equal(entered[0]?.kind === "taken" && entered[0].revision, (await people.find(personId))?.revision);
		assert.deepEqual(await changed(withoutCredentials), [{ passkeys: ["psk_b"], credentials: ["recovery"] }]);
	});

	it("so are opt-outs, withdrawals, releases, destroyed keys, revocations and the end of a person", async () => {
		const entered: string[] = [];
		const put = async ({ kind, _id }: LedgerEntry) => void entered.push(`${kind}/${_id}`);
		const nothing = async () => undefined;
		const dying = {
			...store,
			subjectRecords: { ...store.subjectRecords, insert: killed, end: killed },
			cohorts: { ...store.cohorts, advance: killed },
			apiKeys: { ...store.apiKeys, revoke: killed },
			people: { ...store.people, end: killed },
		};
		const ledger = { put, putWhole: put, putStanding: nothing, forget: nothing };
		const { subjectRecords, cohorts, apiKeys, people } = withLedger(dying, ledger, quiet);
		const [optOut, ended] = [optOutOf(), { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const];
		const [consentId, holdId, cohortId] = [freshId("consent"), freshId("hold"), freshId("cohort")];
		const [keyId, personId] = [freshId("apiKey"), freshId("person")];
		const destroyed = { destroyedAt: 7 };
		const acts: [entry: string, act: () => Promise<unknown>][] = [
			[`record/${optOut._id}`, () => subjectRecords.insert(optOut)],
			[`ended/${consentId}-end`, () => subjectRecords.end(consentId, ended)],
			[`ended/${holdId}-end`, () => subjectRecords.end(holdId, ended)],
			[`cohort/${cohortId}`, () => cohorts.advance(cohortId, "condemned", "destroyed", destroyed)],
			[`revoked/${keyId}`, () => apiKeys.revoke(keyId, 9)],
			[`revoked/${personId}`, () => people.end(personId, 11)],
		];
		for (const [entry, act] of acts) {
			await assert.rejects(act(), /killed/);
			assert.equal(entered.at(-1), entry);
		}
		assert.equal(entered.length, acts.length);
		await store.ledgerWaiting.remove(`ended/${holdId}-end`);
	});

	it("a release that died once the ledger had it is done in the store by the sweep, and what it let go then", async () => {
		const held = (scope: HoldRecord["scope"]) => {
			const [_id, tenantId] = [freshId("hold"), freshId("tenant")];
			const about = { kind: "hold" as const, tenantId, subjects: [tenantId], scope, ground: "audit" };
			return { _id, ...about, at: 1, recordedAt: 1, recordedBy: "key" } satisfies HoldRecord;
		};
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		for (const scope of ["message", "tenant"] as const) {
			const record = held(scope);
			await store.subjectRecords.insert(record);
			const dying = { ...store, subjectRecords: { ...store.subjectRecords, end: killed } };
			const { subjectRecords } = withLedger(dying, ledgerAs("api"), quiet);
			await assert.rejects(subjectRecords.end(record._id, ended, { eraseBy: 99, nextCheckAt: 1 }), /killed/);
			const find = async () => (await store.subjectRecords.find(record._id)) as HoldRecord;
			await ledgerAs("eraser").beat();
			assert.equal((await find()).ended, undefined, "whoever does it may still be at it");
			clockMs += limits.driverPatienceMs;
			await ledgerAs("eraser").beat();
			const released = await find();
			assert.deepEqual([released.ended, released.eraseBy], [ended, 99]);
			assert.deepEqual(released.subjects, scope === "tenant" ? [] : record.subjects);
			assert.ok((released.nextCheckAt ?? Infinity) <= clockMs, "the sweep sees to what it kept");
			assert.equal(await store.ledgerWaiting.has(`ended/${record._id}-end`), false);
			assert.ok(idsIn(await ledgerAs("admin").all()).includes(`${record._id}-end`));
		}
	});

	it("a release that the ledger refuses is none, then and later", async () => {
		const _id = freshId("hold");
		const refusing = { ...ledgerAs("api"), putWhole: async () => Promise.reject(new LetheError("keys_unavailable")) };
		const { subjectRecords } = withLedger(store, refusing, quiet);
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		await assert.rejects(subjectRecords.end(_id, ended), { code: "keys_unavailable" });
		assert.equal(await store.ledgerWaiting.has(`ended/${_id}-end`), false);
	});

	it("a release that was about to be done when a copy was made is done by a restore only where a place of the ledger has it", async () => {
		const [refused, done] = [freshId("hold"), freshId("hold")];
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		for (const record of [refused, done]) {
			const entry = { _id: `${record}-end`, kind: "ended", record, ended } as const;
			await store.ledgerWaiting.add({ _id: `ended/${entry._id}`, entry, at: clockMs });
			if (record === done) await ledgerAs("api").put(entry);
		}
		const ids = idsIn(await ledgerAs("admin").all());
		assert.deepEqual([ids.includes(`${refused}-end`), ids.includes(`${done}-end`)], [false, true]);
		await ledgerAs("admin").begin();
		clockMs += limits.driverPatienceMs;
		await ledgerAs("eraser").beat();
		assert.ok(!idsIn(await ledgerAs("admin").all()).includes(`${refused}-end`));
		assert.equal(await store.ledgerWaiting.has(`ended/${refused}-end`), false);
	});

	it("an opt-out that is said again while it is lifted is lifted by no restore: it stands, and the ledger says so", async () => {
		const { subjectRecords } = withLedger(store, ledgerAs("api"), quiet);
		const record = optOutOf();
		await subjectRecords.insert(record);
		await subjectRecords.repeat(record._id, 7);
		const lift = (at: number) =>
			subjectRecords.end(record._id, { at, recordedAt: at, recordedBy: "engine", source: "keyword" });
		const endings = async () =>
			(await ledgerAs("admin").all()).flatMap((one) =>
				one.kind === "ended" && one.record === record._id ? [one.ended.at] : [],
			);
		assert.deepEqual([await lift(5), await endings()], [false, []]);
		assert.deepEqual([await lift(9), await endings()], [true, [9]]);
	});

	it("that a recipient's key has ended is known for good, also when its record has gone, and the key itself never", async () => {
		const stored = withLedger(store, ledgerAs("api"), quiet);
		const _id = freshId("recipientKey");
		const record: SubjectRecord = {
			...{ _id, kind: "recipient_key", tenantId: freshId("tenant"), subjects: ["m"], x: "x", version: "lethe1" },
			...{ at: 1, recordedAt: 1, recordedBy: "key" },
		};
		await stored.subjectRecords.insert(record);
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		await stored.subjectRecords.end(_id, ended, { eraseBy: 9, nextCheckAt: 9 });
		assert.equal(await stored.subjectRecords.erase({ ...record, eraseBy: 9 }), true);
		const about = (await ledgerAs("admin").all()).filter((entry) => JSON.stringify(entry).includes(_id));
		assert.deepEqual(about, [{ _id: `${_id}-end`, kind: "ended", record: _id, ended, eraseBy: 9 }]);
	});

	it("a folder takes the same entry and epoch from many at once: one stands, whole, and nothing is left beside it", async () => {
		const place = createFileLedger(join(folder, "many"));
		const cohort = (at: number) => ({ _id: "coh_a", kind: "cohort", at }) as const;
		const times = Array.from({ length: 20 }, (_, index) => index + 1);
		await Promise.all(times.map((at) => place.put(cohort(at))));
		const [first] = await place.all();
		await place.put(cohort(99));
		assert.deepEqual(await place.all(), [first]);
		await Promise.all(times.map((beat) => write(place, epochOf(beat))));
		assert.equal((await place.readEpoch())?.beat, 20, "the furthest, whoever came last");
		await write(place, epochOf(21));
		const epochs = readdirSync(join(folder, "many")).filter((name) => name.startsWith("epoch"));
		assert.deepEqual([epochs.length, readdirSync(join(folder, "many", "cohort"))], [1, ["coh_a.json"]]);
	});

	const write = (place: LedgerPlace, next: Epoch, known: Epoch[] = [next]) =>
		place.writeEpoch(next, (standing) => mayFollow(next, standing, known));
	const placesOf = (name: string): LedgerPlace[] => [
		createVaultLedger({ vault: clients.eraser, name: `${database}${name}` }),
		createFileLedger(join(folder, name)),
	];

	it("an entry in a folder is on the disk when it answers, with every folder that was made for it", async (t) => {
		const disk = await watchSyncs(t);
		const base = join(folder, "mounted");
		const place = createFileLedger(join(base, "lethe", "ledger"));
		mkdirSync(base);
		await place.put({ _id: freshId("cohort"), kind: "cohort", at: 1 });
		const made = ["lethe/ledger/cohort", "lethe/ledger", "lethe", "."].map((path) => join(base, path));
		assert.deepEqual(
			made.filter((path) => !disk.isSynced(path)),
			[],
		);
	});

	it("an entry that a folder forgets is gone from the disk when it answers, and what is not there is forgotten too", async (t) => {
		const base = join(folder, "forgetful");
		const place = createFileLedger(base);
		await place.forget("cohort", "coh_a");
		await place.put({ _id: "coh_a", kind: "cohort", at: 1 });
		const disk = await watchSyncs(t);
		await place.forget("cohort", "coh_a");
		assert.ok(disk.isSynced(join(base, "cohort")));
		assert.deepEqual(await place.all(), []);
	});

	it("what a process that was killed has left of an entry goes with a later beat, and what is being written stays", async (t) => {
		const base = join(folder, "killed");
		const place = createFileLedger(base);
		await write(place, epochOf(1));
		const halves = () => readdirSync(base, { recursive: true }).filter((name) => String(name).endsWith(".next"));
		const disk = await watchSyncs(t);
		const goOn = disk.stop();
		const writing = place.put({ _id: "coh_a", kind: "cohort", at: 1 });
		await until(() => halves().length === 1);
		await write(place, epochOf(2));
		assert.equal(halves().length, 1);
		const longAgo = Date.now() / 1000 - 3600;
		utimesSync(join(base, String(halves()[0])), longAgo, longAgo);
		await write(place, epochOf(3));
		assert.deepEqual(halves(), []);
		goOn();
		await assert.rejects(writing, { code: "store_unavailable" });
	});

	it("an epoch that is written late takes no place back, to an earlier beat or to an earlier life", async () => {
		for (const place of placesOf("late")) {
			await Promise.all([1, 4, 2, 3].map((beat) => write(place, epochOf(beat))));
			await write(place, epochOf(3, "epo_a", 99));
			assert.deepEqual(await place.readEpoch(), epochOf(4), place.name);
			await write(place, epochOf(1, "epo_b"), [epochOf(4)]);
			await write(place, epochOf(5, "epo_a", 99));
			assert.deepEqual(await place.readEpoch(), epochOf(1, "epo_b"), place.name);
		}
	});

	it("an epoch of which another was written between its look and its write is judged by that one", async () => {
		for (const place of placesOf("between")) {
			await write(place, epochOf(1));
			const seen: (number | undefined)[] = [];
			let others: Promise<void> | undefined;
			const follows = (standing: Epoch | undefined) => {
				seen.push(standing?.beat);
				others ??= write(place, epochOf(9));
				return mayFollow(epochOf(2), standing, []);
			};
			await place.writeEpoch(epochOf(2), follows);
			await others;
			assert.equal((await place.readEpoch())?.beat, 9, place.name);
		}
	});

	it("a folder of before epochs had numbers goes on, and the number that a late writer was about to take wins nothing", async () => {
		const path = join(folder, "former");
		mkdirSync(path);
		writeFileSync(join(path, "epoch.json"), JSON.stringify(epochOf(4)));
		const place = createFileLedger(path);
		assert.deepEqual(await place.readEpoch(), epochOf(4));
		for (const beat of [5, 6, 7]) await write(place, epochOf(beat));
		writeFileSync(join(path, "epoch.1.json"), JSON.stringify(epochOf(5, "epo_a", 99)));
		assert.deepEqual(await place.readEpoch(), epochOf(7));
		await write(place, epochOf(8));
		assert.deepEqual(readdirSync(path), ["epoch.4.json"]);
	});

	it("a worker that was frozen between the store's beat and the ledger's leaves the ledger as the others brought it on", async () => {
		await ledgerAs("admin").begin();
		let thaw: () => void = () => undefined;
		const frozen = new Promise<void>((resolve) => {
			thaw = resolve;
		});
		const main = createVaultLedger({ vault: clients.eraser, name: database });
		const late = createLedger({
			store: store.epochs,
			waiting: store.ledgerWaiting,
			tenants: store.tenants,
			subjectRecords: store.subjectRecords,
			main: { ...main, writeEpoch: (...given) => frozen.then(() => main.writeEpoch(...given)) },
			clock: () => clockMs++,
			randomEpoch: () => freshId("epoch"),
		});
		const beating = late.beat();
		const beat = 1;
		while ((await store.epochs.read())?.beat === beat) await new Promise((resolve) => setTimeout(resolve, 5));
		for (let turn = 0; turn < 3; turn++) assert.equal(await ledgerAs("eraser").beat(), "current");
		thaw();
		await beating;
		assert.equal((await ledgerAs("eraser").life()).standing, "current");
		assert.equal((await main.readEpoch())?.beat, beat + 4);
	});

	it("an entry that Vault refuses for another reason than that it stands was not put", async () => {
		const refusing = (isOther: boolean) => {
			const cause = { source: "vault", operation: "write", path: "", status: 400, keyMissing: false, isOther };
			const write = () => Promise.reject(new LetheError("internal", { cause }));
			return createVaultLedger({ vault: { ...clients.api, write }, name: database });
		};
		const entry = { _id: freshId("cohort"), kind: "cohort", at: 1 } as const;
		await refusing(true).put(entry);
		await assert.rejects(refusing(false).put(entry), { code: "internal" });
	});

	it("forgets in both places what the store erases at its time", async () => {
		const stored = withLedger(store, ledgerAs("eraser"), quiet);
		const record = { ...optOutOf(), eraseBy: 2 };
		await stored.subjectRecords.insert(record);
		assert.equal(await stored.subjectRecords.erase(record), true);
		assert.ok(!idsIn(await ledgerAs("admin").all()).includes(record._id));
		assert.ok(!readdirSync(join(folder, database, "record")).includes(`${record._id}.json`));
	});

	it("forgets what goes with its tenant", async () => {
		const stored = withLedger(store, ledgerAs("eraser"), quiet);
		const record = optOutOf();
		await stored.subjectRecords.insert(record);
		await stored.subjectRecords.delete(record._id);
		assert.ok(!idsIn(await ledgerAs("admin").all()).includes(record._id));
	});

	describe("while Vault is away", () => {
		const warned: unknown[] = [];
		const log = { warn: (fields: object) => void warned.push(fields) };
		const refuse = () => Promise.reject(new LetheError("keys_unavailable"));
		const away: LedgerPlace = {
			name: "vault",
			put: refuse,
			forget: refuse,
			all: refuse,
			keys: refuse,
			readEpoch: refuse,
			writeEpoch: refuse,
		};
		const storedAway = (witness?: LedgerPlace) => {
			const places = { main: away, witness };
			const stores = { store: store.epochs, waiting: store.ledgerWaiting, tenants: store.tenants };
			const { subjectRecords } = store;
			const about = { ...stores, subjectRecords, clock: Date.now, randomEpoch: () => "epo" };
			return withLedger(store, createLedger({ ...about, ...places }), { clock: () => clockMs, log });
		};

		it("what forbids or keeps is in force at once and waits, durably, until the sweep enters it", async () => {
			const record = optOutOf();
			const [consentId, keyId] = [freshId("consent"), freshId("apiKey")];
			const stored = storedAway();
			assert.equal(await stored.subjectRecords.insert(record), true);
			assert.ok(await store.subjectRecords.find(record._id), "it blocks from here on");
			await stored.subjectRecords.end(consentId, { at: 5, recordedAt: 5, recordedBy: "key", source: "api" });
			await stored.apiKeys.revoke(keyId, 9);
			assert.equal(warned.length, 3, "and nobody is left to think that all is well");
			const ids = [record._id, `${consentId}-end`, keyId];
			assert.equal(await ledgerAs("eraser").beat(), "current");
			const entries = idsIn(await ledgerAs("admin").all());
			for (const id of ids) assert.ok(entries.includes(id), id);
			assert.deepEqual(await store.ledgerWaiting.oldest(10), []);
		});

		it("nothing is forgotten while it waits: whoever enters it just then would have the ledger know it again", async () => {
			const record = { ...optOutOf(), eraseBy: 2 };
			await storedAway().subjectRecords.insert(record);
			const stored = withLedger(store, ledgerAs("eraser"), quiet);
			await assert.rejects(stored.subjectRecords.delete(record._id), { code: "keys_unavailable" });
			assert.ok(await store.subjectRecords.find(record._id), "and whoever tries again finds it");
			await ledgerAs("eraser").beat();
			await stored.subjectRecords.delete(record._id);
			assert.equal(await store.subjectRecords.find(record._id), undefined);
			assert.ok(!idsIn(await ledgerAs("admin").all()).includes(record._id));
		});

		it("a tenant is suspended at once, and the ledger is told later", async () => {
			const tenantId = freshId("tenant");
			await addTenant(tenantId);
			assert.equal(await storedAway().tenants.setStanding(tenantId, undefined, suspended), true);
			assert.deepEqual((await store.tenants.find(tenantId))?.standing, suspended);
			await later();
			assert.deepEqual((await standingIn(tenantId))?.standing, suspended);
		});

		it("what permits or forgets waits for it", async () => {
			const record = optOutOf();
			await store.subjectRecords.insert(record);
			const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
			const witness = createFileLedger(join(folder, database));
			const { subjectRecords, cohorts } = storedAway(witness);
			await assert.rejects(subjectRecords.end(record._id, ended), { code: "keys_unavailable" });
			await assert.rejects(cohorts.advance(freshId("cohort"), "closing", "destroyed"), { code: "keys_unavailable" });
			assert.ok(!idsIn(await witness.all()).includes(`${record._id}-end`), "no restore ends what still blocks");
			const found = await store.subjectRecords.find(record._id);
			assert.equal(found?.kind === "opt_out" && found.ended, undefined);
			assert.deepEqual(await store.ledgerWaiting.oldest(10), []);
		});

		it("a Vault that does not answer delays what blocks by no more than the patience for it", async () => {
			const never = () => new Promise<void>(() => undefined);
			const hanging = { put: never, putWhole: never, putStanding: never, forget: async () => undefined };
			const before = performance.now();
			await withLedger(store, hanging, { clock: () => clockMs, log }).subjectRecords.insert(optOutOf());
			assert.ok(performance.now() - before < 5 * limits.ledgerPatienceMs);
			assert.equal((await store.ledgerWaiting.oldest(10)).length, 1);
			await ledgerAs("eraser").beat();
		});

		it("a folder on another disk has the entry at once, so that a lost store does not lose it", async () => {
			const record = optOutOf();
			const witness = createFileLedger(join(folder, database));
			await storedAway(witness).subjectRecords.insert(record);
			assert.ok(idsIn(await witness.all()).includes(record._id));
			assert.equal((await store.ledgerWaiting.oldest(10)).length, 1, "and Vault still has to be told");
			await ledgerAs("eraser").beat();
		});

		it("no beat says that the ledger is complete while something waits, and a restore finds what does", async () => {
			const worker = ledgerAs("eraser");
			await worker.beat();
			const before = (await worker.knownUntil()) as number;
			const entry = { _id: "not an id", kind: "cohort", at: 1 } as const;
			await store.ledgerWaiting.add({ _id: "cohort/not an id", entry, at: 0 });
			await assert.rejects(worker.beat());
			assert.equal(await worker.knownUntil(), before);
			assert.ok(idsIn(await ledgerAs("admin").all()).includes("not an id"));
			await store.ledgerWaiting.remove("cohort/not an id");
			await worker.beat();
			assert.ok(((await worker.knownUntil()) as number) > before);
		});
	});

	it("a store that is put back to an earlier beat is in quarantine, in every process, until a new life begins", async () => {
		const worker = ledgerAs("eraser");
		assert.equal(await worker.beat(), "current");
		const copy = await store.epochs.read();
		for (let beats = 0; beats < 3; beats++) assert.equal(await worker.beat(), "current");
		const quarantine = createQuarantine({
			...{ life: ledgerAs("sender").life, stored: store.epochs.read, forget: () => undefined },
			log: { error: () => undefined },
		});
		assert.throws(quarantine.check, { code: "quarantined" }, "not before it was compared");
		await quarantine.refresh();
		quarantine.check();

		await connection.collection("epochs").replaceOne({ _id: "store" as never }, copy as never);
		assert.equal(await worker.beat(), "store_behind", "and no beat covers it up");
		await quarantine.refresh();
		assert.throws(quarantine.check, { code: "quarantined" });

		await ledgerAs("admin").begin();
		await quarantine.refresh();
		quarantine.check();
		await connection.collection("epochs").replaceOne({ _id: "store" as never }, copy as never);
		assert.equal(
			(await ledgerAs("api").life()).standing,
			"store_behind",
			"the same copy again is known to be of before",
		);
		await connection.collection("epochs").deleteOne({ _id: "store" as never });
		assert.equal((await ledgerAs("api").life()).standing, "store_behind", "so is an empty store");
	});

	it("tells of a place that beats do not reach, before it lacks anything", async () => {
		await ledgerAs("admin").begin();
		for (let beat = 0; beat < 3; beat++) await ledgerAs("eraser").beat();
		assert.deepEqual(await ledgerAs("admin").unreached(), []);
		const elsewhere = createLedger({
			store: store.epochs,
			waiting: store.ledgerWaiting,
			tenants: store.tenants,
			subjectRecords: store.subjectRecords,
			main: createVaultLedger({ vault: clients.admin, name: database }),
			// As one that is not there, and can't be made.
			witness: createFileLedger(join(folder, "absent")),
			clock: () => clockMs++,
			randomEpoch: () => freshId("epoch"),
		});
		assert.deepEqual(await elsewhere.unreached(), ["file"]);
		// Of a ledger from a copy quarantine tells, in which no worker beats.
		await connection.collection("epochs").updateOne({ _id: "store" as never }, { $inc: { beat: 50 } });
		assert.equal((await elsewhere.life()).standing, "ledger_behind");
		assert.deepEqual(await elsewhere.unreached(), []);
		await connection.collection("epochs").updateOne({ _id: "store" as never }, { $inc: { beat: -50 } });
	});

	it("a place that is from a copy, or new, has after a restore what another has, and until then it is told which lacks it", async () => {
		const ledger = ledgerAs("admin");
		await ledger.fill();
		const [inFolder, inVault] = [1, 2].map((at) => ({ _id: freshId("cohort"), kind: "cohort", at }) as const);
		assert.ok(inFolder && inVault);
		const places = {
			file: createFileLedger(join(folder, database)),
			vault: createVaultLedger({ vault: clients.admin, name: database }),
		};
		await places.file.put(inFolder);
		await places.vault.put(inVault);
		const lacking = [
			{ name: "vault", count: 1 },
			{ name: "file", count: 1 },
		];
		assert.deepEqual(await ledger.lacking(), lacking);
		await ledger.begin();
		for (const { all } of [places.file, places.vault]) {
			const ids = idsIn(await all());
			assert.ok(ids.includes(inFolder._id) && ids.includes(inVault._id));
		}
		rmSync(join(folder, database), { recursive: true });
		assert.ok((await ledger.fill()) > 2, "the whole of it");
		assert.deepEqual(idsIn(await places.file.all()).toSorted(), idsIn(await places.vault.all()).toSorted());
	});
});
