// `lethe keys` against real servers: an inventory, a rotation that the log tells of, and a rewrap that says how far it came.

import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createBatcher } from "../../adapters/batcher.ts";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import { createCohortKeys } from "../../adapters/vault/cohortKeys.ts";
import { createHmacKeys } from "../../adapters/vault/hmacKeys.ts";
import { createKeyVersions, type KeyVersions } from "../../adapters/vault/keyVersions.ts";
import { createSigner } from "../../adapters/vault/signer.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { retire } from "../../cli/keys/retire.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import { limits } from "../../domain/limits.ts";
import { credentialsOf, freshId, login, statusOf } from "../adapters/vault/helper.ts";
import { messageOf } from "../harness/message.ts";
import { bareEnvironment, root, run } from "../harness/programs.ts";

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("lethe keys", () => {
	const database = `t${randomBytes(6).toString("hex")}`;
	const cohortId = freshId("cohort");
	const cohortTenantId = freshId("tenant");
	let store: Store;
	before(async () => {
		const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
		const cohortKeys = createCohortKeys({ vault: await login("api") });
		await cohortKeys.createCohortKey(cohortId);
		const now = Date.now();
		const place = { tenantId: cohortTenantId, region: "US", retentionClass: "content/P30D", dueAt: now + 3600_000 };
		const state = { state: "open" as const, certificates: [], createdAt: now, keyMadeAt: now };
		await store.cohorts.open({ _id: cohortId, ...place, ...state });
		for (let drawn = 0; drawn < 2; drawn++) {
			const { plain, wrapped } = await cohortKeys.drawWrappingKey(cohortId);
			plain.fill(0);
			await store.wrappingKeys.insert({ _id: freshId("wrappingKey"), cohortId, wrapped, createdAt: now });
		}
	});
	after(async () => {
		await createCohortKeys({ vault: await login("eraser") }).destroyCohortKey(cohortId);
		await store.close();
	});

	async function lethe(args: string[], more: Record<string, string> = {}) {
		const { roleId, wrappedSecretId } = await credentialsOf("admin");
		const names = ["TEMPORAL_ADDRESS", "VAULT_ADDR", "MONGODB_URL", "REDIS_URL"] as const;
		const addresses = Object.fromEntries(names.map((name) => [name, process.env[name] as string]));
		const credentials = { LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId };
		const env = { ...addresses, ...credentials, LETHE_DATABASE: database, LETHE_LOG_LEVEL: "silent", ...more };
		return run(process.execPath, ["cli/lethe.ts", "keys", ...args], { cwd: root, env: bareEnvironment(env) });
	}

	// As the command has them, at another time.
	function depsAt(clock: () => number, keyVersions: KeyVersions) {
		const ids = {
			random: freshId,
			derive: (kind: IdKind, text: string) => formatId(kind, Buffer.from(hash("sha256", text), "hex")),
		};
		const evidence = createEvidence({ clock, ids, store: store.evidence, gather: createBatcher });
		return { clock, keyVersions, evidence, store, sessionLimits: { lifeMs: 1 } };
	}

	it("lists signing and HMAC keys with their age and date, and cohorts' as sums; one past its period is exit 1", async () => {
		const { code, out, error } = await lethe(["list", "--json"]);
		assert.equal(code, 0, error);
		const { keys, cohorts } = JSON.parse(out);
		const certificate = keys.find(({ name }: { name: string }) => name === "certificate");
		assert.deepEqual([certificate.use, certificate.overdue], ["signing", false]);
		assert.match(certificate.madeAt, rfc3339);
		assert.match(certificate.rotateBy, rfc3339);
		assert.ok(keys.some(({ name }: { name: string }) => name === "hmac-api-key"));
		assert.equal(cohorts.open, 1);
		assert.ok(cohorts.inVault >= 1);
		const late = await lethe(["list"], { LETHE_SIGNING_KEY_PERIOD_MS: "1" });
		assert.equal(late.code, 1);
		assert.match(late.out, /^certificate: .*OVERDUE since/m);
		const lateCohort = await lethe(["list"], { LETHE_COHORT_KEY_PERIOD_MS: "1" });
		assert.equal(lateCohort.code, 1);
		assert.match(lateCohort.out, /^cohorts: .*, OVERDUE\b/m);
	});

	it("says what still needs a cohort's key", async () => {
		const { out } = await lethe(["list", "--json", "--cohort", cohortId]);
		const { state, dueAt, keyMadeAt, inVault, needs } = JSON.parse(out);
		assert.match(dueAt, rfc3339);
		assert.match(keyMadeAt, rfc3339);
		assert.deepEqual([state, inVault, needs], ["open", true, { sealedObjects: 0, parkedReceipts: 0, wrappingKeys: 2 }]);
	});

	it("rotates a key, enters that in the log, and wraps anew what the old version wraps, once", async () => {
		const rotated = await lethe(["rotate", "cohort", "--of", cohortId]);
		assert.deepEqual(JSON.parse(rotated.out), { key: `cohort-${cohortId}`, version: 2 });
		const [entry] = (await store.evidence.findAbout([cohortId])).flatMap(({ entries }) => entries);
		const { type, tenantId } = JSON.parse(entry ?? "{}");
		assert.deepEqual([type, tenantId], ["key_rotated", cohortTenantId], "no other tenant is told of it");
		assert.deepEqual(JSON.parse((await lethe(["rewrap", "--json"])).out), { cohorts: 1, rewrapped: 2, resting: 1 });
		const again = await lethe(["rewrap"]);
		assert.deepEqual(JSON.parse(again.out), { cohorts: 1, rewrapped: 0, resting: 1 });
		assert.match(again.error, /^1 cohorts, 0 keys wrapped anew$/m);
	});

	it("does not call a cohort rewrapped whose key is not there", async () => {
		const lost = freshId("cohort");
		const unknown = await lethe(["rewrap", "--cohort", lost]);
		assert.deepEqual([unknown.code, unknown.out], [2, ""]);
		assert.match(unknown.error, new RegExp(`^lethe: there is no key cohort-${lost}\\.`));
		const now = Date.now();
		const place = { tenantId: cohortTenantId, region: "US", retentionClass: "content/P30D", dueAt: now + 3600_000 };
		await store.cohorts.open({
			...{ _id: lost, ...place, state: "open", certificates: [], createdAt: now, keyMadeAt: now },
		});
		const { code, out, error } = await lethe(["rewrap", "--json"]);
		assert.deepEqual([code, JSON.parse(out).cohorts], [1, 1]);
		assert.match(error, new RegExp(`cohort-${lost}`));
		// One whose key goes just then is done.
		await store.cohorts.advance(lost, "open", "condemned");
		const ending = await lethe(["rewrap", "--json"]);
		assert.deepEqual([ending.code, JSON.parse(ending.out).cohorts, ending.error], [0, 1, ""]);
		// With it the inventory of other tests would differ.
		await store.cohorts.advance(lost, "condemned", "destroyed");
	});

	it("ends no version of a pseudonym key that a message needs, says which, and ends it for good once that is gone", async () => {
		const tenantId = freshId("tenant");
		const admin = await login("admin");
		const clock = () => Date.now() + time.offsetMs;
		const time = { offsetMs: 0 };
		const hmac = createHmacKeys({ vault: admin, clock });
		await hmac.createKey("subject", tenantId);
		const version1 = createHmacKeys({ vault: await login("api"), clock: Date.now });
		const { version, mac } = await version1.mac("subject", tenantId, "+999000000000");
		const messageId = freshId("message");
		const message = messageOf({ id: messageId, tenantId, state: "delivered" });
		await store.messages.insert({ ...message, subject: { version, mac }, acceptedAt: Date.now() });

		const rotated = await lethe(["rotate", "subject", "--of", tenantId]);
		assert.deepEqual(JSON.parse(rotated.out), { key: `hmac-subject-${tenantId}`, version: 2 });
		const refused = await lethe(["retire", "subject", "--of", tenantId]);
		assert.equal(refused.code, 1);
		assert.equal(refused.out, `hmac-subject-${tenantId}: no version has ended\n`);
		const asJson = await lethe(["retire", "subject", "--of", tenantId, "--json"]);
		const { ended: none, needed } = JSON.parse(asJson.out);
		assert.deepEqual(none, []);
		assert.match(needed[0].madeAt, rfc3339);
		assert.match(needed[0].needs.find((need: object) => "until" in need).until, rfc3339);
		assert.match(refused.error, new RegExp(`version 1 stays: .* until .*; 1 messages \\(${messageId}\\)`));
		assert.match(
			(await lethe(["list"])).out,
			new RegExp(`hmac-subject-${tenantId}.*\n  version 1, 0 days old: needed by`),
		);

		const keyVersions = createKeyVersions({ vault: admin });
		const deps = depsAt(clock, keyVersions);
		time.offsetMs = 3 * 24 * 3600_000;
		assert.deepEqual((await retire(deps, "subject", { of: tenantId })).ended, [], "it waits for the message alone");
		await store.messages.transition({ id: messageId, unset: ["content", "address", "unintegratedSince"] });
		await store.messages.deleteRecord(messageId);
		assert.deepEqual((await retire(deps, "subject", { of: tenantId })).ended, [1]);
		const told = (await store.evidence.findAbout([tenantId])).flatMap(({ entries }) =>
			entries.map((one) => JSON.parse(one)),
		);
		assert.deepEqual(
			told.map(({ type, code }) => `${type} ${code}`),
			["key_rotated subject", "key_version_ended subject.v1"],
		);
		assert.ok(
			told.every((entry) => entry.tenantId === tenantId),
			"no other tenant is told of it",
		);
		assert.equal((await keyVersions.read(`hmac-subject-${tenantId}`))?.keptFrom, 2);
		assert.deepEqual((await retire(deps, "subject", { of: tenantId })).ended, [], "once");
	});

	it("ends that Vault signs by an old version; its public key stays for what it has signed", async () => {
		const admin = await login("admin");
		const signer = await login("signer");
		const keyVersions = createKeyVersions({ vault: admin });
		await keyVersions.rotate("certificate");
		const [waiting] = (await retire(depsAt(Date.now, keyVersions), "certificate", {})).needed;
		assert.ok(waiting?.needs.some((need) => "until" in need && need.by === "processes"));
		const version = waiting?.version ?? 0;
		const clock = () => Date.now() + limits.keyRestMs + 2_000;
		const { ended } = await retire(depsAt(clock, keyVersions), "certificate", {});
		// The first where nobody has ended one before; servers may have been used.
		assert.ok(ended.includes(version), `${version} is not among ${ended}`);
		const sign = (more: object) => statusOf(() => signer.write("transit/sign/certificate", { input: "AAAA", ...more }));
		assert.equal(await sign({}), 200);
		assert.notEqual(await sign({ key_version: version }), 200);
		const batch = { batch_input: [{ input: "AAAA" }], key_version: version };
		const answer = await signer.write("transit/sign/certificate", batch).catch(() => undefined);
		assert.ok(!JSON.stringify(answer?.data ?? {}).includes(`vault:v${version}:`));
		const { keys } = await createSigner({ vault: await login("api"), clock: Date.now }).publicJwks();
		assert.ok(keys.length >= 2);
	});

	it("refuses a key that there is not, and one that is one of many", async () => {
		for (const args of [
			["rotate", "cohort", "--of", freshId("cohort")],
			["rotate", "subject"],
			["rotate", "master"],
			["retire", "subject"],
		]) {
			const { code, out } = await lethe(args);
			assert.deepEqual([code, out], [2, ""]);
		}
	});
});
