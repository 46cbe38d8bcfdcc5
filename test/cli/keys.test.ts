// `lethe keys` against real servers: an inventory, a rotation that the log tells of, and a rewrap that says how far it came.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import { createCohortKeys } from "../../adapters/vault/cohortKeys.ts";
import { credentialsOf, freshId, login } from "../adapters/vault/helper.ts";
import { bareEnvironment, root, run } from "../harness/programs.ts";

describe("lethe keys", () => {
	const database = `t${randomBytes(6).toString("hex")}`;
	const cohortId = freshId("cohort");
	let store: Store;
	before(async () => {
		const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
		const cohortKeys = createCohortKeys({ vault: await login("api") });
		await cohortKeys.createCohortKey(cohortId);
		const now = Date.now();
		const place = { tenantId: freshId("tenant"), region: "US", retentionClass: "content/P30D", dueAt: now + 3600_000 };
		const state = { state: "open" as const, holds: [], certificates: [], createdAt: now, keyMadeAt: now };
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

	it("lists signing and HMAC keys with their age and date, and cohorts' as sums; one past its period is exit 1", async () => {
		const { code, out, error } = await lethe(["list", "--json"]);
		assert.equal(code, 0, error);
		const { keys, cohorts } = JSON.parse(out);
		const certificate = keys.find(({ name }: { name: string }) => name === "certificate");
		assert.deepEqual([certificate.use, certificate.overdue], ["signing", false]);
		assert.ok(keys.some(({ name }: { name: string }) => name === "hmac-api-key"));
		assert.equal(cohorts.open, 1);
		assert.ok(cohorts.inVault >= 1);
		const late = await lethe(["list"], { LETHE_SIGNING_KEY_PERIOD_MS: "1" });
		assert.equal(late.code, 1);
		assert.match(late.out, /^certificate: .*OVERDUE since/m);
	});

	it("says what still needs a cohort's key", async () => {
		const { out } = await lethe(["list", "--json", "--cohort", cohortId]);
		const { state, inVault, needs } = JSON.parse(out);
		assert.deepEqual([state, inVault, needs], ["open", true, { sealedObjects: 0, parkedReceipts: 0, wrappingKeys: 2 }]);
	});

	it("rotates a key, enters that in the log, and wraps anew what the old version wraps, once", async () => {
		const rotated = await lethe(["rotate", "cohort", "--of", cohortId]);
		assert.deepEqual(JSON.parse(rotated.out), { key: `cohort-${cohortId}`, version: 2 });
		const [entry] = (await store.evidence.findAbout([cohortId])).flatMap(({ entries }) => entries);
		assert.equal(JSON.parse(entry ?? "{}").type, "key_rotated");
		assert.deepEqual(JSON.parse((await lethe(["rewrap", "--json"])).out), { cohorts: 1, rewrapped: 2, resting: 1 });
		const again = await lethe(["rewrap"]);
		assert.deepEqual(JSON.parse(again.out), { cohorts: 1, rewrapped: 0, resting: 1 });
		assert.match(again.error, /^1 cohorts, 0 keys wrapped anew$/m);
	});

	it("refuses a key that there is not, and one that is one of many", async () => {
		for (const args of [
			["rotate", "cohort", "--of", freshId("cohort")],
			["rotate", "subject"],
			["rotate", "master"],
		]) {
			const { code, out } = await lethe(args);
			assert.deepEqual([code, out], [2, ""]);
		}
	});
});
