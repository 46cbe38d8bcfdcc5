// /v1/alerts: each cause is told with its mend while it lasts, and no longer; what can't be looked at is never called well.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Failing } from "../../../adapters/redis/health.ts";
import { type Alert, findAlerts } from "../../../audit/alerts.ts";
import { redactionKey } from "../../../domain/carrierCopy.ts";
import type { Standing } from "../../../domain/evidence.ts";
import { limits } from "../../../domain/limits.ts";
import type { CarrierCopyRecord } from "../../../domain/message.ts";
import type { Role } from "../../../domain/roles.ts";
import type { SubjectRequest } from "../../../domain/subjectRequest.ts";
import { createTestApi, type TestApi } from "../harness.ts";

const hour = 3600_000;

describe("/v1/alerts", () => {
	let api: TestApi;
	let tenantId: string;
	let operator: string;
	/** As `lethe doctor` asks. */
	let findEverybodys: () => Promise<Alert[]>;
	const state = {
		madeAt: 0,
		makesFrom: 1,
		keysAway: false,
		vaultAway: false,
		policiesAway: false,
		standing: "equal" as Standing,
		tlsEndsAt: (): number | undefined => undefined,
		vaultTlsEndsAt: async () => Number.MAX_SAFE_INTEGER,
		witnessed: 0,
		failing: [] as [string, Failing][],
		workersSeen: [5],
		senders: 1,
	};
	before(async () => {
		api = await createTestApi((deps) => {
			const given = {
				keyVersions: {
					async read(name: string) {
						if (state.keysAway) throw new Error("away");
						if (name !== "certificate") return undefined;
						const versions = [1, 2].map((version) => ({ version, madeAt: state.madeAt + version - 2 }));
						return { name, newest: 2, keptFrom: 1, makesFrom: state.makesFrom, madeAt: state.madeAt, versions };
					},
				},
				limits: { purgeLagMsMax: hour, keyPeriods: { signingPeriodMs: 1_000 * hour, hmacPeriodMs: 1 } },
				checkpoints: { standing: async () => ({ standing: state.standing, size: 1, witnessed: state.witnessed }) },
				sendQueues: {
					...deps.sendQueues,
					senderCount: async () => state.senders,
					failing: async (names: readonly string[]) => new Map(state.failing.filter(([id]) => names.includes(id))),
				},
				checks: {
					vault: async () => {
						if (state.vaultAway) throw new Error("away");
					},
					policies: async () => {
						if (state.policiesAway) throw new Error("not what was published");
					},
				},
				runs: { ...deps.runs, workersSeen: async () => state.workersSeen },
				tlsCertificateEndsAt: () => state.tlsEndsAt(),
				serverCertificateEnds: { vault: () => state.vaultTlsEndsAt() },
				clock: deps.clock,
			};
			findEverybodys = () => findAlerts({ ...deps, ...given });
			return given;
		});
		state.madeAt = api.clock();
		({ tenantId } = await api.addTenant({ sendQueue: "own" }));
		operator = (await api.addKey(tenantId, ["operator"])).key;
	});
	after(() => api.close());

	const list = async (): Promise<
		{ code: string; severity: string; about?: string; reason?: string; since?: string; mend: string }[]
	> => (await api.request(operator, "GET", "/v1/alerts")).json.items;
	const codes = async () => (await list()).map(({ code, about }) => (about ? `${code} ${about}` : code));

	it("tells nothing where all is well, and that only to who can end a cause: operators, and who answers for compliance", async () => {
		assert.deepEqual(await list(), []);
		const statusOf = async (role: Role) =>
			(await api.request((await api.addKey(tenantId, [role])).key, "GET", "/v1/alerts")).status;
		for (const role of ["compliance", "operator", "admin"] as const) assert.equal(await statusOf(role), 200, role);
		for (const role of ["sender", "auditor"] as const) assert.equal(await statusOf(role), 403, role);
	});

	it("a certificate of TLS that ends within fourteen days, and one that has ended; not when it can't be read", async () => {
		const endsAt = Math.floor((api.clock() + 15 * 24 * hour) / 1_000) * 1_000;
		state.tlsEndsAt = () => endsAt;
		assert.deepEqual(await codes(), []);
		api.time.offsetMs += 24 * hour + 1_000;
		const [soon] = await list();
		assert.deepEqual([soon?.code, soon?.severity], ["tls_certificate_expiring", "warning"]);
		assert.equal(soon?.since, new Date(endsAt - 14 * 24 * hour).toISOString());
		api.time.offsetMs += 14 * 24 * hour;
		const [over] = await list();
		assert.deepEqual(
			[over?.code, over?.severity, over?.since],
			["tls_certificate_expired", "critical", new Date(endsAt).toISOString()],
		);
		state.tlsEndsAt = () => {
			throw new Error("ENOENT");
		};
		assert.deepEqual(await codes(), ["not_looked_at tls"]);
		state.tlsEndsAt = () => undefined;
	});

	it("a server's certificate that ends within fourteen days, or has, by the server's name; not when it can't be read", async () => {
		const endsAt = api.clock() + 15 * 24 * hour;
		state.vaultTlsEndsAt = async () => endsAt;
		assert.deepEqual(await codes(), []);
		api.time.offsetMs += 24 * hour + 1_000;
		const [soon] = await list();
		assert.deepEqual([soon?.code, soon?.about], ["tls_certificate_expiring", "vault"]);
		assert.match(soon?.mend ?? "", /at the server that `about` names/);
		assert.ok((await findEverybodys()).some(({ about }) => about === "vault"));
		api.time.offsetMs += 14 * 24 * hour;
		assert.deepEqual(await codes(), ["tls_certificate_expired vault"]);
		state.vaultTlsEndsAt = () => Promise.reject(new Error("no handshake"));
		assert.deepEqual(await codes(), ["not_looked_at tls vault"]);
		state.vaultTlsEndsAt = async () => Number.MAX_SAFE_INTEGER;
	});

	it("that no worker, or no sender of an own queue, is at work while its servers are well; of a paused one nothing", async () => {
		state.workersSeen = [];
		assert.deepEqual(await codes(), ["worker_absent"]);
		state.workersSeen = [61_000];
		state.senders = 0;
		const [absent] = await list();
		assert.deepEqual([absent?.code, absent?.severity, absent?.about], ["sender_absent", "critical", "own"]);
		await api.addTenant({ sendQueue: "others" });
		assert.deepEqual(await codes(), ["sender_absent own"]);
		const everybodys = (await findEverybodys()).map(({ code, about }) => `${code} ${about}`);
		assert.deepEqual(everybodys.toSorted(), ["sender_absent others", "sender_absent own"]);
		await api.store.sendQueues.setFlow("own", { paused: true, draining: false });
		assert.deepEqual(await codes(), ["queue_paused own"]);
		await api.store.sendQueues.setFlow("own", { paused: false, draining: false });
		state.senders = 1;
		assert.deepEqual(await codes(), []);
	});

	it("a purge that is late, since when, until the cohort is gone", async () => {
		const place = { tenantId, region: "US", retentionClass: "content/PT1H" };
		const cohortId = await api.cohorts.ensure({ ...place, dueAt: api.clock() + 1 });
		const dueAt = (await api.store.cohorts.find(cohortId))?.dueAt as number;
		api.time.offsetMs += hour / 2;
		assert.deepEqual(await codes(), []);
		api.time.offsetMs += hour;
		const [alert] = await list();
		assert.deepEqual([alert?.code, alert?.severity], ["purge_late", "critical"]);
		assert.equal(alert?.since, new Date(dueAt + hour).toISOString());
		assert.equal(alert?.about, undefined, "whose it is concerns no other tenant");
		const [everybodys] = await findEverybodys();
		assert.deepEqual([everybodys?.code, everybodys?.about], ["purge_late", cohortId], "for `lethe keys list --cohort`");
		await api.store.cohorts.advance(cohortId, "open", "closing");
		await api.store.cohorts.advance(cohortId, "closing", "destroyed");
		assert.deepEqual(await codes(), []);
	});

	it("a message that nobody can read, by its id, to its own tenant and to whoever looks at all", async () => {
		const { json } = await api.post((await api.addKey(tenantId, ["sender"])).key);
		const raw = api.connection.collection<{ _id: string }>("messages");
		const unset = { unintegratedSince: 1 } as const;
		await raw.updateOne({ _id: json.id }, { $set: { archive: Buffer.from("none"), nextCheckAt: 0 }, $unset: unset });
		assert.deepEqual(await codes(), []);
		await api.store.messages.findDue(api.clock(), 500);
		const [alert] = await list();
		assert.deepEqual([alert?.code, alert?.about, alert?.severity], ["message_unreadable", json.id, "critical"]);
		assert.ok((await findEverybodys()).some(({ about }) => about === json.id));
		const other = await api.addTenant({ roles: ["operator"] });
		assert.deepEqual((await api.request(other.key, "GET", "/v1/alerts")).json.items, []);
		const { body } = await api.app.inject("/metrics");
		assert.match(body, /^lethe_messages_unreadable 1$/m);
		await raw.deleteOne({ _id: json.id });
		assert.deepEqual(await codes(), []);
	});

	it("what the ledger was not told, evidence that is not published, not in the log, or not as witnessed", async () => {
		const at = api.clock();
		await api.store.ledgerWaiting.add({ _id: "revoked/x", entry: { _id: "x", kind: "revoked", at }, at });
		const { json } = await api.post((await api.addKey(tenantId, ["sender"])).key);
		await api.evidence.append([{ type: "process_started", code: "api", by: "engine" }]);
		state.standing = "ahead";
		state.witnessed = ((await api.store.evidence.head())?.end ?? 0) - 1;
		assert.deepEqual(await codes(), [], "each is given its time");
		api.time.offsetMs += limits.ledgerLateMs + limits.checkpointLateMs + 1_000;
		const all = ["ledger_late", "evidence_unpublished", "evidence_unintegrated"];
		assert.deepEqual((await codes()).toSorted(), all.toSorted());
		state.standing = "behind";
		assert.ok((await codes()).includes("evidence_not_as_witnessed behind"));
		state.standing = "equal";
		await api.store.ledgerWaiting.remove("revoked/x");
		await api.store.messages.transition({ id: json.id, unset: ["unintegratedSince"] });
		assert.deepEqual(await codes(), []);
	});

	it("a queue of its own that was stopped, and a key that may have leaked; another tenant's are none of its matter", async () => {
		const other = await api.addTenant({ sendQueue: "other" });
		for (const id of ["own", "other"]) await api.store.sendQueues.setFlow(id, { paused: true, draining: false });
		let suspect = "";
		for (const owner of [tenantId, other.tenantId]) {
			const { keyId: about } = await api.addKey(owner, ["sender"]);
			const act = { type: "credential_alert", code: "new_address", tenantId: owner, about, by: about } as const;
			await api.evidence.append([act, act]);
			if (owner === tenantId) suspect = about;
		}
		// However much else is entered of the tenant meanwhile.
		for (let count = 0; count < 70; count++) {
			await api.evidence.append([{ type: "tenant_changed", code: "codes", tenantId, about: tenantId, by: "admin" }]);
		}
		assert.deepEqual(
			(await list()).map(({ code, severity }) => [code, severity]),
			[
				["credential_suspect", "warning"],
				["queue_paused", "info"],
			],
		);
		assert.deepEqual((await list())[0]?.reason, "new_address");
		assert.match((await list())[0]?.mend ?? "", /rotate or revoke/);
		const everybodys = await findEverybodys();
		assert.equal(everybodys.filter(({ code }) => code === "credential_suspect").length, 2, "of every tenant");
		await api.store.apiKeys.revoke(suspect, api.clock());
		const act = { type: "credential_alert", code: "revoked", tenantId, about: suspect, by: suspect } as const;
		await api.evidence.append([act]);
		const ended = (await list()).filter(({ about }) => about === suspect);
		assert.deepEqual(ended.map(({ reason }) => reason).toSorted(), ["new_address", "revoked"]);
		for (const { mend } of ended) assert.doesNotMatch(mend, /revoke/, "there is nothing left to end");
		await api.store.sendQueues.setFlow("own", { paused: false, draining: true });
		api.time.offsetMs += 25 * hour;
		const later = (await codes()).filter((code) => code !== "purge_late");
		assert.deepEqual(later, ["queue_draining own"], "a day later the key's is history");
		await api.store.sendQueues.setFlow("own", { paused: false, draining: false });
	});

	it("reads what the log has of a tenant's keys one after the other, and of none that ended long ago", async () => {
		const keys: string[] = [];
		for (let count = 0; count < 5; count++) keys.push((await api.addKey(tenantId, ["sender"])).keyId);
		const [long = "", lately = ""] = keys;
		await api.store.apiKeys.revoke(long, api.clock() - limits.apiKeyEndedMs);
		await api.store.apiKeys.revoke(lately, api.clock() - limits.apiKeyEndedMs + hour);
		const { evidence } = api.store;
		const { pageOf } = evidence;
		const read: string[] = [];
		let [now, most] = [0, 0];
		evidence.pageOf = async (of, ...rest) => {
			if ("about" in of) read.push(of.about);
			most = Math.max(most, ++now);
			return pageOf(of, ...rest).finally(() => now--);
		};
		await list();
		evidence.pageOf = pageOf;
		assert.equal(most, 1);
		assert.deepEqual(
			[read.includes(long), ...keys.slice(1).map((key) => read.includes(key))],
			[false, true, true, true, true],
		);
	});

	it("a queue of its own whose carrier fails, and one that its carrier refuses, with the code", async () => {
		state.failing = [
			["own", { code: "credentials_refused", since: 1_000 }],
			["other", {}],
		];
		const tell = async () =>
			(await list())
				.filter(({ about }) => about === "own" || about === "other")
				.map(({ code, severity, reason, since }) => [code, severity, reason, since]);
		assert.deepEqual(await tell(), [["queue_unusable", "critical", "credentials_refused", "1970-01-01T00:00:01.000Z"]]);
		state.failing = [["own", {}]];
		assert.deepEqual(await tell(), [["carrier_failing", "warning", undefined, undefined]]);
		state.failing = [];
		assert.deepEqual(await tell(), []);
	});

	it("a carrier that was to forget and has not, of its own queue, until it has", async () => {
		const line = async (sendQueue: string, dueAt: number) => {
			const { json } = await api.post((await api.addKey(tenantId, ["sender"])).key);
			const carrierCopy: CarrierCopyRecord = { state: "due", dueAt, nextTryAt: dueAt, tries: 1 };
			const set = { carrierCopy, redaction: redactionKey(sendQueue, dueAt) };
			await api.store.messages.transition({ id: json.id, set });
			return json.id as string;
		};
		const tell = async () =>
			(await list()).filter(({ code }) => code === "redactions_late").map(({ about, since }) => [about, since]);
		const dueAt = api.clock();
		const id = await line("own", dueAt);
		await line("other", dueAt);
		// From when it was due, however long it took to write that down.
		api.time.offsetMs += dueAt + limits.redactionLateMs - 1_000 - api.clock();
		assert.deepEqual(await tell(), [], "it is given its time");
		api.time.offsetMs += 2_000;
		assert.deepEqual(await tell(), [["own", undefined]]);
		const everybodys = (await findEverybodys()).filter(({ code }) => code === "redactions_late");
		assert.deepEqual(
			everybodys.map(({ about, since }) => [about, since === dueAt]).toSorted(),
			[
				["other", true],
				["own", true],
			].toSorted(),
		);
		const later = redactionKey("own", api.clock() + 24 * hour);
		await api.store.messages.transition({ id, set: { redaction: later } });
		assert.deepEqual(await tell(), [["own", undefined]], "asked again is not forgotten");
		await api.store.messages.transition({ id, set: { "carrierCopy.state": "confirmed" } });
		assert.deepEqual(await tell(), [], "what only waits for its certificate is forgotten");
	});

	it("an endpoint that failed, or that somebody disabled, until it is enabled; another tenant's is none of its matter", async () => {
		const other = await api.addTenant({ sendQueue: "other" });
		const disabled = async (owner: string, disabledFor: "command" | "gone") => {
			const _id = api.ids.random("webhookEndpoint");
			const about = { tenantId: owner, url: "https://a.example", states: [], isDefault: false, secrets: [] };
			const at = { createdAt: 1, createdBy: "key_a", disabledAt: 1_000, disabledFor };
			await api.store.webhookEndpoints.insert({ _id, ...about, ...at, state: "disabled" });
			return _id;
		};
		const [failed, stopped] = [await disabled(tenantId, "gone"), await disabled(tenantId, "command")];
		await disabled(other.tenantId, "gone");
		const found = (await list()).filter(({ code }) => code.startsWith("webhook"));
		assert.deepEqual(
			found.map(({ code, severity, about, since }) => [code, severity, about, since]),
			[
				["webhook_endpoint_failed", "warning", failed, "1970-01-01T00:00:01.000Z"],
				["webhook_endpoint_disabled", "info", stopped, "1970-01-01T00:00:01.000Z"],
			],
		);
		for (const id of [failed, stopped]) {
			await api.store.webhookEndpoints.change(id, ["disabled"], { set: { state: "enabled" } });
		}
		assert.ok((await codes()).every((code) => !code.startsWith("webhook")));
	});

	it("a hold that its approver has said nothing to for a day, until they do", async () => {
		const mine = (code: string) => code.startsWith("hold");
		const { key } = await api.addKey(tenantId, ["compliance"]);
		const approver = await api.addPerson(tenantId, ["approver"]);
		const body = { scope: "tenant", ground: "audit", reviewAt: "2099-01-01T00:00:00Z", approvedBy: approver.personId };
		const { json } = await api.request(key, "POST", "/v1/holds", body);
		assert.deepEqual((await codes()).filter(mine), []);
		api.time.offsetMs += 24 * hour;
		assert.deepEqual((await codes()).filter(mine), [`hold_unapproved ${json.id}`]);
		await api.store.subjectRecords.approve(json.id, api.clock());
		assert.deepEqual((await codes()).filter(mine), []);
	});

	it("a hold from the day of its review until it is released", async () => {
		const mine = async () => (await list()).filter(({ code }) => code === "hold_review_due");
		const { key } = await api.addKey(tenantId, ["compliance"]);
		const { key: others } = await api.addKey((await api.addTenant()).tenantId, ["compliance"]);
		const reviewAt = new Date(api.clock() + 24 * hour).toISOString();
		const body = { scope: "subject", number: "+4915112345678", ground: "litigation", reviewAt };
		await api.request(others, "POST", "/v1/holds", body);
		const { json } = await api.request(key, "POST", "/v1/holds", body);
		assert.deepEqual(await mine(), []);
		api.time.offsetMs += 24 * hour;
		assert.deepEqual(
			(await mine()).map(({ about, severity, since }) => [about, severity, since]),
			[[json.id, "warning", reviewAt]],
		);
		await api.request(key, "POST", `/v1/holds/${json.id}/release`, {});
		assert.deepEqual(await mine(), []);
	});

	it("a request whose day is near, then past, and one that waits for a person, until each is done; another tenant's never", async () => {
		const mine = async () =>
			(await list())
				.filter(({ code }) => code.startsWith("request"))
				.map(({ code, severity, about, reason, since }) => [code, severity, about, reason, since]);
		const at = api.clock();
		const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
		const midnight = (day: string) => Date.parse(`${day}T00:00:00Z`) + 24 * hour;
		const [ackBy, respondBy] = [dayOf(at + 5 * 24 * hour), dayOf(at + 20 * 24 * hour)];
		const add = async (_id: string, owner: string, more: object = {}) => {
			const given = {
				kind: "access",
				state: "received",
				subjects: [],
				receivedAt: at,
				recordedAt: at,
				recordedBy: "key_a",
			};
			const rest = { channel: "letter", facts: {}, decision: {}, alerts: [], certificates: [], exports: [], log: [] };
			const request = { _id, tenantId: owner, ...given, ...rest, ackBy, respondBy, tasks: [], ...more };
			await api.store.subjectRequests.insert(request as unknown as SubjectRequest);
		};
		const task = { name: "conflict", reasons: [], citations: [], messageIds: [], raisedAt: at };
		await add("dsr_a", tenantId);
		await add("dsr_b", (await api.addTenant()).tenantId);
		assert.deepEqual(await mine(), []);
		await add("dsr_c", tenantId, { state: "deciding", ackBy: undefined, respondBy: undefined, tasks: [task] });
		const iso = (ms: number) => new Date(ms).toISOString();
		assert.deepEqual(await mine(), [["request_decision_due", "warning", "dsr_c", undefined, iso(at)]]);
		const decided = { at, by: "key_a", verdict: "keep" as const, ground: "claim" };
		await api.store.subjectRequests.change("dsr_c", (one) => ({ ...one, tasks: [{ ...task, decided }] }));
		api.time.offsetMs += 4 * 24 * hour;
		const soon = iso(midnight(ackBy) - 2 * 24 * hour);
		assert.deepEqual(await mine(), [["request_due", "warning", "dsr_a", "acknowledge", soon]]);
		api.time.offsetMs += 2 * 24 * hour;
		const late = iso(midnight(ackBy));
		assert.deepEqual(await mine(), [["request_late", "critical", "dsr_a", "acknowledge", late]], "once, as the worse");
		await api.store.subjectRequests.change("dsr_a", (one) => ({ ...one, acknowledgedAt: api.clock() }));
		assert.deepEqual(await mine(), []);
		api.time.offsetMs += 15 * 24 * hour;
		assert.deepEqual(await mine(), [["request_late", "critical", "dsr_a", "answer", iso(midnight(respondBy))]]);
		const everybodys = (await findEverybodys()).filter(({ code }) => code.startsWith("request"));
		assert.deepEqual(everybodys.map(({ about, reason }) => `${about} ${reason}`).toSorted(), [
			"dsr_a answer",
			"dsr_b acknowledge",
			"dsr_b answer",
		]);
		const closed = { at, by: "key_a", outcome: "granted" as const };
		await api.store.subjectRequests.change("dsr_a", (one) => ({ ...one, state: "closed", closed }));
		assert.deepEqual(await mine(), []);
	});

	it("a key past its period, a server that is away, and what can't be looked at", async () => {
		api.time.offsetMs += 1_000 * hour;
		const overdue = await codes();
		for (const one of ["key_overdue certificate", "key_version_unneeded certificate"])
			assert.ok(overdue.includes(one), one);
		state.makesFrom = 2;
		assert.ok(!(await codes()).includes("key_version_unneeded certificate"), "it was ended");
		state.vaultAway = true;
		state.keysAway = true;
		const found = await codes();
		for (const one of ["not_looked_at keys", "server_away vault"]) assert.ok(found.includes(one), one);
		assert.ok(!found.includes("key_overdue certificate"), "nor guessed");
		for (const { mend } of await list()) assert.ok(mend.length > 10);
		state.vaultAway = false;
		state.keysAway = false;
	});

	it("published policies that can't be used, by their own name: they are no server", async () => {
		state.policiesAway = true;
		const [alert, ...others] = (await list()).filter(({ about, code }) => [about, code].join().includes("polic"));
		assert.deepEqual([alert?.code, alert?.severity, others], ["policies_unavailable", "critical", []]);
		assert.match(alert?.mend ?? "", /nothing is accepted or sent/);
		state.policiesAway = false;
		assert.ok((await codes()).every((code) => !code.includes("polic")));
	});

	it("receipts of messages that nobody knows once there are many, with what tells whose they are", async () => {
		const parked = api.connection.collection<{ _id: string }>("parkedReceipts");
		const ids = Array.from({ length: limits.receiptsParkedMax + 1 }, (_, index) => ({ _id: `r${index}` }));
		await parked.insertMany(ids);
		const [alert] = (await list()).filter(({ code }) => code === "receipts_parked");
		assert.equal(alert?.severity, "warning");
		assert.match(alert?.mend ?? "", /`lethe_callbacks_total`.*`parked`/);
		await parked.deleteMany({});
		assert.ok(!(await codes()).includes("receipts_parked"));
	});
});
