// A tenant's suspension and leave: nothing is sent meanwhile, what waited goes on, and of one that left nothing can be read.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { endSpending } from "../../activities/endSpending.ts";
import { createOffboard } from "../../activities/offboard.ts";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { chargeOf, countersOf } from "../../domain/abuse.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { type Message, noEnd } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import type { TenantStanding } from "../../domain/tenancy.ts";
import { end, enqueue } from "../../domain/transition.ts";
import { createEngine, type Engine, tenantOf, until } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";

describe("a tenant that is taken out of service", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ sender: false });
	});
	after(() => engine.close());

	async function addTenant(standing?: TenantStanding): Promise<string> {
		const tenantId = engine.ids.random("tenant");
		const standingNow = standing ? { standing, nextCheckAt: engine.clock() } : {};
		await engine.store.tenants.put({ ...tenantOf(tenantId, engine.clock()), ...standingNow });
		return tenantId;
	}
	const suspended = (open: "wait" | "end"): TenantStanding => ({ state: "suspended", since: engine.clock(), open });
	async function queued(tenantId: string): Promise<Message> {
		const message = await engine.accept({ tenantId, deadlineAt: engine.clock() + 3_600_000 });
		assert.ok(await engine.store.messages.transition(enqueue(message, engine.clock())));
		return message;
	}
	const attempt = (messageId: string, number = 1) =>
		engine.send({ messageId, attempt: number, sendQueue: "queue" }, { holdBack: async () => undefined });
	const sweepLater = async (ms: number) => {
		engine.time.offsetMs += ms;
		await engine.activities.sweepPage();
		await engine.redact();
	};

	it("a job that was made before is not sent, and the message waits without further attempts", async () => {
		const tenantId = await addTenant(suspended("wait"));
		const message = await queued(tenantId);
		const before = engine.carrier.calls.length;
		await attempt(message._id);
		assert.equal(engine.carrier.calls.length, before);
		for (let times = 0; times < 3; times++) await sweepLater(limits.suspendedCheckMs + limits.driverPatienceMs);
		const waiting = await engine.read(message._id);
		assert.deepEqual([waiting.state, waiting.attempt], ["queued", 1]);
		assert.deepEqual(
			waiting.attempts.map(({ outcome, code }) => [outcome, code]),
			[["withheld", "tenant_suspended"]],
		);
	});

	it("once resumed, it is sent", async () => {
		const standing = suspended("wait");
		const tenantId = await addTenant(standing);
		const message = await queued(tenantId);
		await attempt(message._id);
		assert.ok(await engine.store.tenants.setStanding(tenantId, standing, undefined));
		await sweepLater(limits.tenantSendMs + limits.driverPatienceMs + limits.suspendedCheckMs);
		const before = engine.carrier.calls.length;
		await attempt(message._id, 2);
		assert.equal(engine.carrier.calls.length, before + 1);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("what waits still expires at its deadline", async () => {
		const message = await queued(await addTenant(suspended("wait")));
		await sweepLater(3_600_000 + limits.driverPatienceMs);
		assert.equal((await engine.read(message._id)).state, "expired");
	});

	it("open ones end when that is declared, those that came in late too; other tenants' do not", async () => {
		const tenantId = await addTenant(suspended("end"));
		const [message, other] = [await queued(tenantId), await queued(await addTenant())];
		await engine.activities.sweepPage();
		assert.equal((await engine.read(message._id)).state, "cancelled");
		const late = await queued(tenantId);
		await sweepLater(limits.tenantSettleMs);
		assert.equal((await engine.read(late._id)).state, "cancelled");
		assert.equal((await engine.store.tenants.find(tenantId))?.nextCheckAt, undefined);
		assert.equal((await engine.read(other._id)).state, "queued");
	});

	it("what was accepted two weeks ago to be sent a week later ends as well", async () => {
		const tenantId = await addTenant(suspended("end"));
		const acceptedAt = engine.clock() - limits.deadlineMsMax + 3_600_000;
		const deadlineAt = engine.clock() + 3_600_000;
		const message = await engine.accept({ tenantId, state: "deferred", acceptedAt, deadlineAt });
		await engine.activities.sweepPage();
		assert.equal((await engine.read(message._id)).state, "cancelled");
	});

	async function delivered(tenantId: string): Promise<Message> {
		const message = await engine.accept({ tenantId, contentAtFinal: false });
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		return engine.read(message._id);
	}
	async function standingOf(tenantId: string): Promise<TenantStanding> {
		return (await engine.store.tenants.find(tenantId))?.standing as TenantStanding;
	}
	async function addWebhook(tenantId: string): Promise<string> {
		const endpointId = engine.ids.random("webhookEndpoint");
		const now = engine.clock();
		await engine.store.webhookEndpoints.insert({
			...{ _id: endpointId, tenantId, url: "https://example.com/", states: ["delivered"], isDefault: true },
			...{ state: "enabled", secrets: [], createdAt: now, createdBy: "key_a" },
		});
		await engine.store.webhookDeliveries.insert([
			{
				...{ _id: engine.ids.random("webhookDelivery"), tenantId, endpointId, at: now, tryUntil: now },
				...{ state: "failed", failures: 1, tries: [], eraseBy: now + limits.webhookLogMs },
			},
		]);
		return endpointId;
	}
	async function leave(tenantId: string): Promise<void> {
		const since = engine.clock();
		await engine.store.tenants.setStanding(tenantId, undefined, { state: "leaving", since, step: "ending" }, since);
		await engine.activities.sweepPage();
		assert.deepEqual(await standingOf(tenantId), { state: "leaving", since, step: "ending" }, "not before it settles");
		await sweepLater(limits.tenantSettleMs);
		const exporting = { state: "leaving", since, step: "exporting" } as const;
		assert.deepEqual(await standingOf(tenantId), exporting);
		await sweepLater(limits.tenantSettleMs);
		assert.deepEqual(await standingOf(tenantId), exporting, "nothing is destroyed before its export");
		await engine.store.tenants.setStanding(tenantId, exporting, { ...exporting, step: "destroying" }, engine.clock());
		const late = await engine.store.tenants.setStanding(tenantId, exporting, exporting);
		assert.equal(late, false, "whoever read it before takes it back to nothing");
	}
	const sweepUntil = (isThere: () => Promise<unknown>, everyMs: number = limits.leavingCheckMs) =>
		until(async () => {
			await sweepLater(everyMs);
			return isThere();
		}, 60_000);

	it("one that leaves ends with no key, no record and a certificate that verifies", async () => {
		const tenantId = await addTenant();
		const [kept, open] = [await delivered(tenantId), await queued(tenantId)];
		const cohortIds = (await engine.store.cohorts.findByTenant(tenantId)).map(({ _id }) => _id);
		assert.ok(cohortIds.length > 0 && kept.content);
		const endpointId = await addWebhook(tenantId);
		await leave(tenantId);
		await sweepUntil(async () => (await standingOf(tenantId)).state === "left");
		for (const cohortId of cohortIds) assert.equal(await engine.memory.cohortKeys.exists(cohortId), false, cohortId);
		assert.ok(engine.memory.destroyedSubjectKeys.has(tenantId));
		for (const { _id } of [kept, open]) assert.equal(await engine.read(_id), undefined);
		assert.deepEqual(await engine.store.webhookEndpoints.findByTenant(tenantId), []);
		assert.deepEqual(await engine.store.webhookDeliveries.page(endpointId, 10), []);
		const { certificateId } = (await standingOf(tenantId)) as Extract<TenantStanding, { state: "left" }>;
		const certificate = await engine.store.certificates.find(certificateId);
		const jwk = { ...engine.memory.publicKey.export({ format: "jwk" }), kid: "certificate-1", use: "sig" };
		const result = await verifyCertificate(certificate?.jws ?? "", { keys: [jwk] }, { now: engine.clock() });
		assert.ok(result.valid);
		assert.deepEqual([result.certificate.kind, result.certificate.objects[0]?.object], ["tenant", "subject_key"]);
	});

	it("nothing is sent for a tenant that nobody knows", async () => {
		const message = await queued(engine.ids.random("tenant"));
		await engine.connection.collection("tenants").deleteOne({ _id: message.tenantId as never });
		const before = engine.carrier.calls.length;
		await attempt(message._id);
		assert.equal(engine.carrier.calls.length, before);
		assert.equal((await engine.read(message._id)).attempts[0]?.outcome, "withheld");
	});

	it("what a tenant spent in a month ends with its records of that month, or after thirteen months", async () => {
		const [brief, silent] = [await addTenant(), await addTenant()];
		const { retention: _, ...about } = (await engine.store.tenants.find(brief)) as TenantDocument;
		await engine.store.tenants.put({ ...about, retention: { decision_record: "P30D" } });
		const at = Date.UTC(2020, 1, 10);
		const spend = (tenantId: string) =>
			engine.store.spending.take({ tenantId, at, counters: countersOf(chargeOf(at, 1, 1), "DE") });
		for (const tenantId of [brief, silent]) assert.equal(await spend(tenantId), undefined);
		const isKept = async (tenantId: string) => Object.keys(await engine.store.spending.read(tenantId, at)).length > 0;
		const endAt = async (date: number) => endSpending({ ...engine, clock: () => date });
		await endAt(Date.UTC(2020, 2, 30));
		assert.deepEqual([await isKept(brief), await isKept(silent)], [true, true]);
		await endAt(Date.UTC(2020, 3, 1));
		assert.deepEqual([await isKept(brief), await isKept(silent)], [false, true]);
		for (const month of [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]) await endAt(Date.UTC(2020, month, 20));
		assert.equal(await isKept(silent), true);
		await endAt(Date.UTC(2021, 3, 2));
		assert.equal(await isKept(silent), false);
	});

	function requestOf(tenantId: string, more: Partial<SubjectRequest>): SubjectRequest {
		const at = engine.clock();
		return {
			_id: engine.ids.random("subjectRequest"),
			tenantId,
			kind: "access",
			state: "closed",
			subjects: ["mac-of-a-person"],
			receivedAt: at,
			recordedAt: at,
			recordedBy: "key",
			channel: "letter",
			reference: "case-seven",
			facts: { recipientCountry: "US" },
			decision: { allowed: true, reasons: [], citations: ["11 CCR 7101(a)"], packs: [], rules: [] },
			tasks: [],
			alerts: [],
			certificates: [],
			exports: [],
			log: [{ at, type: "recorded", by: "key" }],
			closed: { at, by: "key", outcome: "granted" },
			...more,
		};
	}

	it("its texts and keys go, its subjects' requests leave a log that leads to nobody, and the certificate says for how long", async () => {
		const tenantId = await addTenant();
		const at = engine.clock();
		const eraseBy = at + 365 * 86_400_000;
		const [kept, over] = [requestOf(tenantId, { eraseBy }), requestOf(tenantId, {})];
		for (const request of [kept, over]) await engine.store.subjectRequests.insert(request);
		const exportId = engine.ids.random("export");
		const job = { requestId: kept._id, report: "data", publicKey: {}, state: "ready", pageCount: 1 } as const;
		await engine.store.subjectExports.insert({ _id: exportId, tenantId, ...job, eraseBy: at + 10 * 86_400_000 });
		await engine.store.subjectExports.putPage({ _id: `${exportId}-0`, exportId, jwe: "sealed", eraseBy: at });
		const about = { tenantId, createdAt: at, createdBy: "key" };
		await engine.store.templates.insert({ ...about, _id: engine.ids.random("template"), name: "t" } as never);
		const secrets = [{ mac: tenantId, macVersion: 1, createdAt: at }];
		await engine.store.apiKeys.insert({ ...about, _id: engine.ids.random("apiKey"), roles: [], name: "t", secrets });
		const person = { ...about, _id: engine.ids.random("person"), roles: [], passkeys: [], recoveryMacs: [] };
		await engine.store.people.insert({ ...person, sessionsFrom: 0, createdBy: "admin" });
		await engine.store.people.putLogin(tenantId, "mac", person._id);
		const trust = { url: "https://i.example", audience: "a", claim: "scope", mapping: [], createdAt: at };
		const issuers = [tenantId, await addTenant()].map((of) => ({
			...trust,
			tenantId: of,
			_id: engine.ids.random("issuer"),
		}));
		for (const issuer of issuers) await engine.store.issuers.put(issuer);
		const provider = {
			_id: engine.ids.random("identityProvider"),
			tenantId,
			url: "https://p.example",
			clientId: "lethe",
		};
		const shown = { authentication: "client_secret_basic" as const, mfa: { acr: ["mfa"] }, createdAt: at };
		await engine.store.identityProviders.put({ ...provider, ...shown });
		const [key] = await engine.store.apiKeys.findByTenant(tenantId);
		const endpointId = await addWebhook(tenantId);
		await leave(tenantId);
		await sweepUntil(async () => (await standingOf(tenantId)).state === "left");

		const ended = [
			["api_key_revoked", key?._id],
			["issuer_removed", issuers[0]?._id],
			["identity_provider_removed", provider._id],
			["person_ended", person._id],
			["webhook_endpoint_deleted", endpointId],
		];
		for (const [type = "", about] of ended) {
			const found = await engine.store.evidence.findAbout([about as string]);
			assert.match(JSON.stringify(found.map(({ entries }) => entries)), new RegExp(type), type);
		}
		assert.deepEqual([...engine.memory.removedCredentials], [provider._id]);
		const trusted = await Promise.all(issuers.map(({ _id }) => engine.store.issuers.find(_id)));
		assert.deepEqual(
			trusted.map((issuer) => issuer !== undefined),
			[false, true],
		);

		assert.equal(await engine.store.subjectRequests.find(over._id), undefined, "no law has it kept");
		const log = await engine.store.subjectRequests.find(kept._id);
		assert.deepEqual([log?.kind, log?.closed?.outcome, log?.log.length], ["access", "granted", 1]);
		assert.doesNotMatch(JSON.stringify(log), /mac-of-a-person|case-seven/);
		assert.deepEqual(await engine.store.subjectExports.pages(exportId), []);
		assert.equal(await engine.store.subjectExports.find(exportId), undefined);
		assert.deepEqual(await engine.store.templates.page(tenantId, 10), []);
		assert.deepEqual(await engine.store.apiKeys.findByTenant(tenantId), []);
		assert.deepEqual(await engine.store.people.findByTenant(tenantId), []);
		assert.deepEqual(await engine.store.people.findByLogin(["mac"]), []);

		const { certificateId } = (await standingOf(tenantId)) as Extract<TenantStanding, { state: "left" }>;
		const certificate = await engine.store.certificates.find(certificateId);
		const jwk = { ...engine.memory.publicKey.export({ format: "jwk" }), kid: "certificate-1", use: "sig" };
		const result = await verifyCertificate(certificate?.jws ?? "", { keys: [jwk] }, { now: engine.clock() });
		assert.ok(result.valid);
		const told = new Map(result.certificate.kept?.map((one) => [one.object, one]));
		assert.deepEqual([...told.keys()].toSorted(), [
			...["certificate", "evidence", "idempotent_answer", "ledger", "subject_request", "tenant"],
		]);
		const requestLog = told.get("subject_request");
		assert.deepEqual(requestLog?.recordIds, [kept._id]);
		assert.deepEqual(requestLog?.citations, ["11 CCR 7101(a)"]);
		assert.equal(requestLog?.until, new Date(eraseBy).toISOString());

		engine.time.offsetMs += 366 * 86_400_000;
		await until(async () => {
			await engine.activities.sweepPage();
			return (await engine.store.subjectRequests.find(kept._id)) === undefined;
		});
	});

	it("a request that nobody has answered keeps it from going further, and the leave goes on once it is closed", async () => {
		const tenantId = await addTenant();
		const { closed: _, ...open } = requestOf(tenantId, { state: "ready" });
		await leave(tenantId);
		await engine.store.subjectRequests.insert(open);
		for (let times = 0; times < 3; times++) await sweepLater(limits.leavingCheckMs);
		assert.equal((await standingOf(tenantId)).state, "leaving");
		assert.equal(engine.memory.destroyedSubjectKeys.has(tenantId), false, "who asked can still be found");
		await engine.store.subjectRequests.change(open._id, (request) => ({
			...request,
			state: "closed",
			closed: { at: engine.clock(), by: "key", outcome: "withdrawn" },
		}));
		await sweepUntil(async () => (await standingOf(tenantId)).state === "left");
	});

	it("a hold that is placed meanwhile keeps what it holds, and the leave goes on once it is released", async () => {
		const tenantId = await addTenant();
		const [held, free] = [await delivered(tenantId), await delivered(tenantId)];
		await leave(tenantId);
		const now = engine.clock();
		const hold: HoldRecord = {
			_id: engine.ids.random("hold"),
			kind: "hold",
			tenantId,
			subjects: [],
			scope: "message",
			messageId: held._id,
			ground: "litigation",
			at: now,
			recordedAt: now,
			recordedBy: "key",
		};
		await engine.store.subjectRecords.insert(hold);
		await engine.store.messages.transition({ id: held._id, set: { holds: [hold._id] } });
		const cohorts = async () => {
			const found = await engine.store.cohorts.findByTenant(tenantId);
			return found.filter(({ state }) => state !== "destroyed");
		};
		await sweepUntil(async () => (await cohorts()).every(({ holdId }) => holdId !== undefined));
		const { startPurge } = engine.runs;
		const started: string[] = [];
		engine.runs.startPurge = async (of) => {
			started.push(of.cohortId);
			return startPurge(of);
		};
		for (let times = 0; times < 2; times++) {
			engine.time.offsetMs += limits.heldCohortCheckMs;
			// Whatever else it looks at, too.
			for (const { _id } of await cohorts()) await engine.store.cohorts.nextCheck(_id, undefined);
			await engine.activities.sweepPage();
		}
		engine.runs.startPurge = startPurge;
		const [key, ...more] = await cohorts();
		assert.deepEqual([key?.holdId, key?.dueAt, more.length], [hold._id, noEnd, 0]);
		assert.ok(!started.includes(key?._id as string), "its key ends with it, and not before");
		assert.equal((await standingOf(tenantId)).state, "leaving");
		assert.ok((await engine.read(held._id)).content);
		assert.equal((await engine.read(free._id)).content, undefined);
		const entries = (await engine.store.evidence.findAbout([held._id])).flatMap((bundle) => bundle.entries);
		assert.ok(!JSON.stringify(entries).includes("record_erased"), "what did not happen is not in the log");
		await engine.store.subjectRecords.end(hold._id, { at: now, recordedAt: now, recordedBy: "key", source: "api" });
		await engine.store.messages.transition({ id: held._id, set: { holds: [], nextCheckAt: engine.clock() } });
		await engine.store.cohorts.endHold(hold._id, engine.clock());
		await sweepUntil(async () => (await standingOf(tenantId)).state === "left", limits.heldCohortCheckMs);
	});

	/** Many of a tenant's messages, newer than what it has. */
	async function addMany(tenantId: string, count: number, shape: Partial<Message>): Promise<void> {
		const acceptedAt = engine.clock() + 1;
		const each = Array.from({ length: count }, () => {
			const { content: _, address: __, nextCheckAt: ___, ...message } = messageOf({ acceptedAt, tenantId });
			return { ...message, submissionId: engine.ids.random("submission"), ...shape, _id: engine.ids.random("message") };
		});
		await engine.connection.collection("messages").insertMany(each as never[]);
	}

	it("records that carriers keep waiting, however many, keep no older ones waiting", async () => {
		const tenantId = await addTenant();
		const older = await delivered(tenantId);
		const copy = { state: "due" as const, dueAt: 1, nextTryAt: Number.MAX_SAFE_INTEGER, tries: 1 };
		await addMany(tenantId, limits.tenantPageItems, { state: "delivered", carrierCopy: copy });
		const standing = { state: "leaving", since: engine.clock(), step: "destroying" } as const;
		await engine.store.tenants.setStanding(tenantId, undefined, standing, engine.clock());
		await sweepUntil(async () => (await engine.read(older._id)) === undefined);
		const left = { tenantId } as never;
		assert.equal(await engine.connection.collection("messages").countDocuments(left), limits.tenantPageItems);
		const tenant = await engine.store.tenants.find(tenantId);
		assert.equal(tenant?.standing?.state, "leaving");
		await engine.connection.collection("messages").deleteMany(left);
	});

	it("records that nobody can read, however many, keep no others", async () => {
		const tenantId = await addTenant();
		const older = await delivered(tenantId);
		const unreadable = { state: "delivered", archive: Buffer.from("none") } as const;
		await addMany(tenantId, limits.tenantPageItems, unreadable);
		const standing = { state: "leaving", since: engine.clock(), step: "destroying" } as const;
		await engine.store.tenants.setStanding(tenantId, undefined, standing, engine.clock());
		await sweepUntil(async () => (await engine.read(older._id)) === undefined);
		const left = { tenantId } as never;
		assert.equal(await engine.connection.collection("messages").countDocuments(left), limits.tenantPageItems);
		await engine.connection.collection("messages").deleteMany(left);
	});

	it("one with many messages is gone through by the page, and another's turn comes in between", async () => {
		const [large, small] = [await addTenant(suspended("end")), await addTenant(suspended("end"))];
		const oldest = await queued(large);
		await addMany(large, limits.tenantPageItems + 1, { state: "delivered" });
		const [newest, other] = [await queued(large), await queued(small)];
		const acceptedAt = engine.clock() + 2;
		await engine.store.messages.transition({ id: newest._id, set: { acceptedAt } });
		const first = await engine.activities.sweepPage();
		const states = async () =>
			(await Promise.all([newest, other, oldest].map(({ _id }) => engine.read(_id)))).map(({ state }) => state);
		assert.deepEqual([first.moreDue, await states()], [true, ["cancelled", "cancelled", "queued"]]);
		const second = await engine.activities.sweepPage();
		assert.deepEqual([second.moreDue, await states()], [false, ["cancelled", "cancelled", "cancelled"]]);
		await sweepLater(limits.tenantSettleMs);
		await engine.activities.sweepPage();
		const tenant = await engine.store.tenants.find(large);
		assert.deepEqual([tenant?.pass, tenant?.nextCheckAt], [undefined, undefined]);
		await engine.connection.collection("messages").deleteMany({ tenantId: large } as never);
	});

	it("one that can't be tended comes again later, and is not begun by what was read of it before it was resumed", async () => {
		const standing = suspended("end");
		const tenantId = await addTenant(standing);
		const message = await queued(tenantId);
		const { messages, tenants } = engine.store;
		const fails = async () => {
			throw new LetheError("store_unavailable");
		};
		const deleteRecord = async () => undefined;
		const failing = { ...engine.store, messages: { ...messages, outlinePage: fails } };
		await createOffboard({ ...engine, deleteRecord, store: failing })();
		const { nextCheckAt = 0 } = (await tenants.find(tenantId)) as TenantDocument;
		assert.ok(nextCheckAt > engine.clock());
		const findDue = async () => {
			const read = [(await tenants.find(tenantId)) as TenantDocument];
			await tenants.setStanding(tenantId, standing, undefined);
			return read;
		};
		const late = { ...engine.store, tenants: { ...tenants, findDue } };
		await createOffboard({ ...engine, deleteRecord, store: late })();
		assert.equal((await engine.read(message._id)).state, "queued");
	});

	it("what a carrier is still to forget keeps its record, and the leave goes on once it has", async () => {
		let forgets = false;
		engine.carrier.redact = async () => forgets;
		engine.carrier.readBack = async () => (forgets ? "gone" : "there");
		try {
			const tenantId = await addTenant();
			const { _id, submissionId } = await delivered(tenantId);
			const now = engine.clock();
			const handed = {
				number: 1,
				startedAt: now,
				leaseUntil: now,
				claim: "c",
				outcome: "accepted",
				carrierId: `c-${_id}`,
			};
			await engine.store.messages.transition({ id: _id, push: { attempts: { value: handed } } });
			await engine.activities.finalise(submissionId, false);
			await leave(tenantId);
			await sweepUntil(async () => {
				const cohorts = await engine.store.cohorts.findByTenant(tenantId);
				return cohorts.every(({ state }) => state === "destroyed");
			});
			for (let times = 0; times < 2; times++) await sweepLater(limits.leavingCheckMs);
			assert.equal((await engine.read(_id)).carrierCopy?.state, "due");
			assert.equal((await standingOf(tenantId)).state, "leaving");
			forgets = true;
			await sweepLater(limits.redactionRetryMaxMs);
			await sweepUntil(async () => (await standingOf(tenantId)).state === "left", limits.heldCohortCheckMs);
			assert.equal(await engine.read(_id), undefined);
		} finally {
			delete engine.carrier.redact;
			delete engine.carrier.readBack;
		}
	});

	it("a key server that is away delays the leave and loses nothing", async () => {
		const tenantId = await addTenant();
		await delivered(tenantId);
		await leave(tenantId);
		engine.memory.away.value = true;
		for (let times = 0; times < 2; times++) await sweepLater(limits.leavingCheckMs);
		assert.equal((await standingOf(tenantId)).state, "leaving");
		engine.memory.away.value = false;
		await sweepUntil(async () => (await standingOf(tenantId)).state === "left");
	});
});
