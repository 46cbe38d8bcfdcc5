// Database files of before the purge, put back: all ciphertexts and wrapped keys are there again, and nothing opens them. What was
// erased while its cohort's key lives on opens from them, and its certificate has said so, with the day on which that ends.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createCertify } from "../../activities/certify.ts";
import { createPurge } from "../../activities/purge.ts";
import { createBatcher } from "../../adapters/batcher.ts";
import { createCohorts } from "../../adapters/cohorts.ts";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import { createCohortKeys } from "../../adapters/vault/cohortKeys.ts";
import { createEncryption } from "../../adapters/vault/encryption.ts";
import { type Role, roles } from "../../adapters/vault/policies.ts";
import { createSigner } from "../../adapters/vault/signer.ts";
import { createCertificates } from "../../audit/certificate.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { type VerifyResult, verifyCertificate } from "../../audit/verifyCertificate.ts";
import { LetheError } from "../../domain/errors.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import { limits } from "../../domain/limits.ts";
import { type Message, type SealedObjectName, sealedObjects } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import { eraseObjects } from "../../domain/transition.ts";
import { freshId, login } from "../adapters/vault/helper.ts";
import { messageOf } from "../harness/message.ts";
import { createOwnMongodb, type OwnMongodb } from "../harness/ownMongodb.ts";

const hour = 3600_000;
const plain = { content: "Your results are back.", address: "+12025550142" };
const tenantId = freshId("tenant");
const lifetimeNames = [
	"oplogMs",
	"journalMs",
	"databaseBackupMs",
	"vaultRaftLogMs",
	"vaultSnapshotMs",
	"logsMs",
	"carrierMs",
] as const;
const lifetimes = {
	...(Object.fromEntries(lifetimeNames.map((name) => [name, hour])) as Record<(typeof lifetimeNames)[number], number>),
	databaseBackupMs: 30 * 24 * hour,
};

describe("database files of before the purge, put back", () => {
	const time = { offsetMs: 0 };
	const clock = () => Date.now() + time.offsetMs;
	const derive = (kind: IdKind, text: string) =>
		formatId(kind, createHash("sha256").update(`${kind}\n${text}`).digest());
	const ids = { random: freshId, derive };
	const folder = mkdtempSync(join(tmpdir(), "lethe-put-back-"));
	const dirs = { live: join(folder, "live"), backup: join(folder, "backup"), second: join(folder, "second") };
	const servers: OwnMongodb[] = [];
	const stores: Store[] = [];
	let purged: Message[];
	let kept: Message;
	let alone: Message;
	let residue: Extract<VerifyResult, { valid: true }>;
	let held: Message;
	let holdId: string;
	let control: Message[];
	let store: Store;
	let controlTexts: string[];
	let heldText: string;

	const serve = async (name: "live" | "second") => {
		const server = await createOwnMongodb({ name, dataDir: dirs[name], runDir: join(folder, "run") });
		servers.push(server);
		return server;
	};
	const open = async ({ url }: OwnMongodb): Promise<Store> => {
		const connection = await connectMongo({ url, database: "lethe" });
		const opened = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
		stores.push(opened);
		return opened;
	};
	/** A process that has just started and logged in: no key in its memory. */
	const freshProcess = async (role: Role, from: Store) => {
		const cohortKeys = createCohortKeys({ vault: await login(role) });
		return { cohortKeys, ...createEncryption({ cohortKeys, wrappingKeys: from.wrappingKeys, clock, randomBytes }) };
	};
	type Process = Awaited<ReturnType<typeof freshProcess>>;
	const decrypt = async (by: Process, message: Message, object: SealedObjectName) => {
		const sealed = message[object];
		assert.ok(sealed, `${object} has its ciphertext`);
		return (await by.decrypt({ tenantId, messageId: message._id, object, sealed })).reveal();
	};

	async function accept(api: Process, dueInMs: number): Promise<Message> {
		const closeAt = clock() + dueInMs;
		const message = messageOf({
			id: freshId("message"),
			submissionId: freshId("submission"),
			tenantId,
			state: "delivered",
		});
		const cohorts = createCohorts({ cohorts: store.cohorts, cohortKeys: api.cohortKeys, ids, clock });
		for (const object of sealedObjects) {
			const place = {
				tenantId,
				region: "US",
				retentionClass: `${object}/PT1H`,
				dueAt: Math.ceil(closeAt / hour) * hour,
			};
			const cohortId = await cohorts.ensure(place);
			const plaintext = Plaintext.text(plain[object]);
			message[object] = await api.encrypt({ tenantId, messageId: message._id, object, cohortId, plaintext });
			message.retention[object] = { eraseBy: place.dueAt, atFinal: false, cohortId };
		}
		await store.messages.insert(message);
		return message;
	}

	/** What a worker moves held members with: opens by the one role, and makes keys by the other. */
	async function worker() {
		const opening = createCohortKeys({ vault: await login("sender") });
		const making = createCohortKeys({ vault: await login("rewrapper") });
		const { createCohortKey, drawWrappingKey } = making;
		const cohortKeys = { createCohortKey, drawWrappingKey, unwrapWrappingKey: opening.unwrapWrappingKey };
		const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
		return {
			log,
			cohorts: createCohorts({ cohorts: store.cohorts, cohortKeys, ids, clock }),
			encryption: createEncryption({ cohortKeys, wrappingKeys: store.wrappingKeys, clock, randomBytes }),
		};
	}

	async function purge(cohortId: string): Promise<string> {
		const signer = createSigner({ vault: await login("signer"), clock });
		const keeping = await worker();
		const { closeCohort, erasePage, destroyCohort } = createPurge({
			clock,
			ids,
			store,
			evidence: createEvidence({ clock, ids, store: store.evidence, gather: createBatcher }),
			certificates: createCertificates({ sign: signer.sign, clock, lifetimes: { ...lifetimes, keyCacheMs: 0 } }),
			cohortKeys: createCohortKeys({ vault: await login("eraser") }),
			runs: { settleSoon: () => undefined },
			...keeping,
		});
		assert.equal(await closeCohort(cohortId), true);
		while ((await erasePage(cohortId)).count > 0);
		return (await destroyCohort(cohortId)).outcome;
	}
	/** Erases one message, whose cohorts stand, and has that certified; answers what the certificate says, checked offline. */
	async function eraseAlone(): Promise<typeof residue> {
		const signer = createSigner({ vault: await login("signer"), clock });
		const certify = createCertify({
			...{ clock, ids, store, log: (await worker()).log },
			evidence: createEvidence({ clock, ids, store: store.evidence, gather: createBatcher }),
			certificates: createCertificates({ sign: signer.sign, clock, lifetimes: { ...lifetimes, keyCacheMs: 0 } }),
			carriers: { sender: async () => undefined, redacts: async () => false },
		});
		assert.ok(await store.messages.transition(eraseObjects(alone, [...sealedObjects], clock(), {})));
		await certify(await readAll(store, [alone]));
		const [document] = await store.certificates.page(tenantId, alone.submissionId, 2);
		const checked = await verifyCertificate(document?.jws as string, await signer.publicJwks(), { now: clock() });
		assert.ok(checked.valid);
		return checked;
	}
	/** Purges the held message's cohorts, due before all others, so that the copy has it under the hold's key. */
	async function moveUnderHold(): Promise<string> {
		time.offsetMs = 52 * hour;
		for (const cohortId of cohortsOf([held])) assert.equal(await purge(cohortId), "destroyed");
		time.offsetMs = 0;
		[held] = (await readAll(store, [held])) as [Message];
		return decrypt(await freshProcess("sender", store), held, "content");
	}

	/** Releases the hold, and lets its key's rest pass. */
	async function releaseHold(): Promise<void> {
		const at = clock();
		const record = await store.subjectRecords.find(holdId);
		await store.subjectRecords.end(holdId, { at, recordedAt: at, recordedBy: "key_a", source: "api" });
		await store.subjectMessages.release(record as HoldRecord, at);
		for (const cohortId of cohortsOf([held])) {
			assert.equal(await purge(cohortId), "waiting");
			time.offsetMs += limits.cohortRetireMs + 1;
			assert.equal(await purge(cohortId), "destroyed");
		}
	}
	const cohortsOf = (messages: Message[]) =>
		new Set(
			messages.flatMap((message) => sealedObjects.map((object) => message.retention[object]?.cohortId as string)),
		);
	const readAll = (from: Store, messages: Message[]) =>
		Promise.all(messages.map(async ({ _id }) => (await from.messages.find(_id)) as Message));
	const wrappedKeysOf = (from: Store, messages: Message[]) => {
		const keys = messages.flatMap((message) => sealedObjects.map((object) => message[object]?.wrappingKeyId as string));
		return Promise.all([...new Set(keys)].map((id) => from.wrappingKeys.find(id)));
	};

	before(async () => {
		const server = await serve("live");
		await server.start();
		store = await open(server);
		await store.prepare();
		const api = await freshProcess("api", store);
		purged = [];
		for (let count = 0; count < 10; count++) purged.push(await accept(api, hour));
		kept = await accept(api, 1000 * hour);
		alone = await accept(api, 1000 * hour);
		held = await accept(api, 50 * hour);
		holdId = freshId("hold");
		const at = clock();
		const record = { at, recordedAt: at, recordedBy: "key_a", tenantId, subjects: [], ground: "litigation" };
		const hold = { ...record, _id: holdId, kind: "hold" as const, scope: "message" as const, messageId: held._id };
		await store.subjectRecords.insert(hold);
		await store.subjectMessages.hold(hold);
		heldText = await moveUnderHold();
		// The copy, taken from a server that is stopped.
		await server.stop();
		cpSync(dirs.live, dirs.backup, { recursive: true });
		cpSync(dirs.live, dirs.second, { recursive: true });
		// The control: the copied files, served beside, before anything is purged.
		const beside = await serve("second");
		await beside.start();
		const copy = await open(beside);
		control = await readAll(copy, purged);
		const sender = await freshProcess("sender", copy);
		controlTexts = [];
		for (const message of control) {
			for (const object of sealedObjects) controlTexts.push(await decrypt(sender, message, object));
		}
		await beside.stop();
		// The purge of every cohort that is due.
		await server.start();
		time.offsetMs = 3 * hour;
		for (const cohortId of cohortsOf(purged)) assert.equal(await purge(cohortId), "destroyed");
		residue = await eraseAlone();
		await releaseHold();
	});
	after(async () => {
		for (const opened of stores) await opened.close();
		for (const server of servers) await server.stop();
		rmSync(folder, { recursive: true, force: true });
	});

	it("control: before the purge the very same copy opened, each content and each address", () => {
		assert.deepEqual(
			controlTexts,
			purged.flatMap(() => [plain.content, plain.address]),
		);
	});

	it("the purge left neither ciphertext nor wrapped key", async () => {
		for (const message of await readAll(store, purged)) {
			assert.deepEqual([message.content, message.address], [undefined, undefined]);
		}
		assert.ok((await wrappedKeysOf(store, purged)).every((key) => key === undefined));
	});

	it("of a message that was erased while its cohort's key stands, the certificate names the copies, and until when", async () => {
		const [gone] = (await readAll(store, [alone])) as [Message];
		assert.deepEqual([gone.content, gone.address], [undefined, undefined]);
		const { certificate } = residue;
		const [erasedAt] = certificate.objects.map((object) => Date.parse(object.erasedAt));
		const copyOf = (name: string) => certificate.copies.find(({ copy }) => copy === name);
		const endsAt = new Date((erasedAt as number) + lifetimes.databaseBackupMs).toISOString();
		const { status, endsAt: until } = copyOf("database backups") ?? {};
		assert.deepEqual([status, until], ["expires", endsAt]);
		assert.deepEqual([copyOf("database document")?.status, copyOf("vault cohort key")?.status], ["erased", "planned"]);
		assert.deepEqual([certificate.completeFrom, residue.forgotten], [endsAt, false], "and no sooner is it forgotten");
	});

	describe("once they are back", () => {
		before(async () => {
			const [server] = servers as [OwnMongodb];
			await server.stop();
			rmSync(dirs.live, { recursive: true });
			cpSync(dirs.backup, dirs.live, { recursive: true });
			await server.start();
		});

		it("every ciphertext and wrapped key is there again, byte for byte", async () => {
			const restored = await readAll(store, purged);
			assert.deepEqual(restored, control);
			assert.ok((await wrappedKeysOf(store, restored)).every((key) => key !== undefined));
		});

		it("no role opens any of it: to the sender, freshly logged in, content and address are erased", async () => {
			const restored = await readAll(store, purged);
			for (const role of roles) {
				const process = await freshProcess(role, store);
				for (const message of restored) {
					for (const object of sealedObjects) {
						await assert.rejects(decrypt(process, message, object), (error) => {
							assert.ok(error instanceof LetheError, String(error));
							if (role === "sender") assert.equal(error.code, "content_erased");
							return true;
						});
					}
				}
			}
		});

		it("nor, since its release, what a hold kept under a key of its own, though it opened while it was held", async () => {
			assert.equal(heldText, plain.content);
			const [restored] = (await readAll(store, [held])) as [Message];
			assert.deepEqual(restored.holds, [holdId]);
			assert.ok(restored.content?.wrappedKey.length);
			const sender = await freshProcess("sender", store);
			for (const object of sealedObjects) {
				await assert.rejects(
					decrypt(sender, restored, object),
					(error) => (error as LetheError).code === "content_erased",
				);
			}
		});

		it("what was erased while its cohort's key stands opens, as the certificate's residue said it would until then", async () => {
			const [restored] = (await readAll(store, [alone])) as [Message];
			const sender = await freshProcess("sender", store);
			for (const object of sealedObjects) assert.equal(await decrypt(sender, restored, object), plain[object]);
			assert.ok(clock() < Date.parse(residue.certificate.completeFrom as string));
		});

		it("control: what was not due opens from the same files", async () => {
			const sender = await freshProcess("sender", store);
			const [message] = (await readAll(store, [kept])) as [Message];
			assert.equal(await decrypt(sender, message, "content"), plain.content);
			assert.equal(await decrypt(sender, message, "address"), plain.address);
		});

		it("nor does a key made anew under each cohort's name", async () => {
			const api = createCohortKeys({ vault: await login("api") });
			const eraser = createCohortKeys({ vault: await login("eraser") });
			for (const cohortId of cohortsOf(purged)) await api.createCohortKey(cohortId);
			const sender = await freshProcess("sender", store);
			for (const message of await readAll(store, purged)) {
				for (const object of sealedObjects) await assert.rejects(decrypt(sender, message, object), LetheError);
			}
			for (const cohortId of cohortsOf(purged)) await eraser.destroyCohortKey(cohortId);
		});

		it("the purge, due again, erases them again", async () => {
			for (const cohortId of cohortsOf(purged)) assert.equal(await purge(cohortId), "destroyed");
			for (const message of await readAll(store, purged)) {
				assert.deepEqual([message.content, message.address], [undefined, undefined]);
			}
		});
	});
});
