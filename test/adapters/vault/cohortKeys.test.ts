// Cohort keys on a real Vault: drawn by one role, unwrapped by another, destroyed by a third, and then gone.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type CohortKeys, createCohortKeys } from "../../../adapters/vault/cohortKeys.ts";
import { freshId, login } from "./helper.ts";

let api: CohortKeys;
let sender: CohortKeys;
let eraser: CohortKeys;

before(async () => {
	api = createCohortKeys({ vault: await login("api") });
	sender = createCohortKeys({ vault: await login("sender") });
	eraser = createCohortKeys({ vault: await login("eraser") });
});

test("what the api draws the sender unwraps to the same 256 bits", async () => {
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	const first = await api.drawWrappingKey(cohortId);
	const second = await api.drawWrappingKey(cohortId);
	assert.equal(first.plain.length, 32);
	assert.notDeepEqual(first.plain, second.plain);
	assert.deepEqual(await sender.unwrapWrappingKey(cohortId, first.wrapped), first.plain);
});

test("a cohort key is made once: making it again keeps it", async () => {
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	const { plain, wrapped } = await api.drawWrappingKey(cohortId);
	await api.createCohortKey(cohortId);
	assert.deepEqual(await sender.unwrapWrappingKey(cohortId, wrapped), plain);
});

test("another cohort's key unwraps nothing", async () => {
	const [one, other] = [freshId("cohort"), freshId("cohort")];
	await api.createCohortKey(one);
	await api.createCohortKey(other);
	const { wrapped } = await api.drawWrappingKey(one);
	await assert.rejects(sender.unwrapWrappingKey(other, wrapped), { code: "internal" });
});

test("a destroyed cohort key draws and unwraps nothing, and destroying it again changes nothing", async () => {
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	const { wrapped } = await api.drawWrappingKey(cohortId);
	assert.equal(await eraser.exists(cohortId), true);
	await eraser.destroyCohortKey(cohortId);
	assert.equal(await eraser.exists(cohortId), false);
	await assert.rejects(sender.unwrapWrappingKey(cohortId, wrapped), { code: "content_erased" });
	await assert.rejects(api.drawWrappingKey(cohortId), { code: "content_erased" });
	await eraser.destroyCohortKey(cohortId);
});

test("a key of the same name made anew does not open what the destroyed one wrapped", async () => {
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	const { wrapped } = await api.drawWrappingKey(cohortId);
	await eraser.destroyCohortKey(cohortId);
	await api.createCohortKey(cohortId);
	await assert.rejects(sender.unwrapWrappingKey(cohortId, wrapped), { code: "internal" });
	await eraser.destroyCohortKey(cohortId);
});

test("several erasers at once destroy the key, and none of them fails", async () => {
	const vaults = [await login("eraser"), await login("eraser"), await login("eraser")];
	for (let round = 0; round < 10; round++) {
		const cohortId = freshId("cohort");
		await api.createCohortKey(cohortId);
		const erasers = [...vaults, ...vaults].map((vault) => createCohortKeys({ vault }));
		await Promise.all(erasers.map((one) => one.destroyCohortKey(cohortId)));
		assert.equal(await eraser.exists(cohortId), false);
	}
});

test("an erasure that was cut off between permission and deletion is finished by the next", async () => {
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	await (await login("eraser")).write(`transit/keys/cohort-${cohortId}/config`, { deletion_allowed: true });
	assert.equal(await eraser.exists(cohortId), true);
	await eraser.destroyCohortKey(cohortId);
	assert.equal(await eraser.exists(cohortId), false);
});

test("a key that Vault would not delete is not reported as destroyed", async () => {
	const cohortId = freshId("cohort");
	const vault = { read: async () => ({ data: {} }), write: async () => ({}), remove: async () => ({}) };
	await assert.rejects(createCohortKeys({ vault }).destroyCohortKey(cohortId), { code: "internal" });
});

test("a cohort id that would reach another key is refused", async () => {
	await assert.rejects(api.createCohortKey("x/../../certificate"), RangeError);
});
