// Encryption: only the right place, key and bytes decrypt; keys live within their bounds; and an outage loses nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { createCohortKeys } from "../../../adapters/vault/cohortKeys.ts";
import { createEncryption, type EncryptionPlace } from "../../../adapters/vault/encryption.ts";
import { LetheError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { Sealed } from "../../../domain/message.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { createCountedCohortKeys, createHeldTimers, createMemoryStore, freshId, login } from "./helper.ts";

const notAuthentic = { code: "internal", cause: { source: "encryption", reason: "not_authentic" } };
const text = "a text of no consequence";

const placeOf = (object = "content"): EncryptionPlace => ({
	tenantId: freshId("tenant"),
	messageId: freshId("message"),
	object,
});

/** Two processes over one Vault and one store, on a clock and timers in the test's hand. */
async function createBench(bounds: Partial<Record<keyof typeof limits, number>> = {}) {
	const keys = createCountedCohortKeys();
	const store = createMemoryStore();
	const timers = createHeldTimers();
	const time = { now: 1_000_000 };
	const deps = {
		cohortKeys: keys.cohortKeys,
		wrappingKeys: store,
		clock: () => time.now,
		randomBytes,
		schedule: timers.schedule,
		limits: { ...limits, ...bounds },
	};
	const newCohort = async () => {
		const cohortId = freshId("cohort");
		await keys.create(cohortId);
		return cohortId;
	};
	const cohortId = await newCohort();
	const api = createEncryption(deps);
	const encrypt = (place = placeOf(), cohort = cohortId) =>
		api.encrypt({ ...place, cohortId: cohort, plaintext: Plaintext.text(text) });
	return { keys, store, timers, time, cohortId, newCohort, api, sender: createEncryption(deps), encrypt, deps };
}

async function untilIdle(): Promise<void> {
	for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("any bytes come back as they were, in another process too", async () => {
	const { api, sender, cohortId } = await createBench();
	await fc.assert(
		fc.asyncProperty(fc.uint8Array({ maxLength: 4_000 }), async (bytes) => {
			const place = placeOf();
			const sealed = await api.encrypt({ ...place, cohortId, plaintext: Plaintext.of(bytes.slice()) });
			for (const process of [api, sender]) {
				const opened = await process.decrypt({ ...place, sealed });
				assert.deepEqual(new Uint8Array(opened.bytes()), bytes);
			}
		}),
		{ numRuns: 100 },
	);
});

test("nothing but the place it was encrypted for decrypts it", async () => {
	const { encrypt, sender } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	assert.equal((await sender.decrypt({ ...place, sealed })).reveal(), text);
	const elsewhere: EncryptionPlace[] = [
		{ ...place, tenantId: freshId("tenant") },
		{ ...place, messageId: freshId("message") },
		{ ...place, object: "address" },
		{ ...place, field: "other" },
		// The same characters, cut differently: only the length prefixes tell them apart.
		{ ...place, tenantId: place.tenantId + place.messageId[0], messageId: place.messageId.slice(1) },
		{ ...place, object: "contentv", field: "alue" },
	];
	for (const other of elsewhere) await assert.rejects(sender.decrypt({ ...other, sealed }), notAuthentic);
});

test("no character in an id can move the border between two parts", async () => {
	const { encrypt, sender } = await createBench();
	for (const border of ["\u0000", "/", ":", "\u0001"]) {
		const place = { tenantId: `a${border}b`, messageId: "c", object: "content" };
		const sealed = await encrypt(place);
		const moved = { ...place, tenantId: "a", messageId: `b${border}c` };
		await assert.rejects(sender.decrypt({ ...moved, sealed }), notAuthentic);
	}
});

test("parts of one object do not fit another: neither ciphertext, nor wrapped key, nor both", async () => {
	const { encrypt, sender } = await createBench();
	const [here, there] = [placeOf("content"), placeOf("address")];
	const [one, other] = [await encrypt(here), await encrypt(there)];
	const swapped: Sealed[] = [
		{ ...one, ciphertext: other.ciphertext },
		{ ...one, wrappedKey: other.wrappedKey },
		{ ...one, ciphertext: other.ciphertext, wrappedKey: other.wrappedKey },
	];
	for (const sealed of swapped) await assert.rejects(sender.decrypt({ ...here, sealed }), notAuthentic);
});

test("a change of any byte, anywhere, and nothing decrypts", async () => {
	const { encrypt, sender } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	for (const part of ["ciphertext", "wrappedKey"] as const) {
		for (let at = 0; at < sealed[part].length; at++) {
			const edited = Buffer.from(sealed[part]);
			edited[at] = (edited[at] as number) ^ (1 << (at % 8));
			await assert.rejects(sender.decrypt({ ...place, sealed: { ...sealed, [part]: edited } }), notAuthentic);
		}
	}
});

test("whatever else stands where a ciphertext or a wrapped key should, nothing decrypts", async () => {
	const { encrypt, sender } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	const anyBytes = (original: Uint8Array) =>
		fc
			.oneof(
				fc.uint8Array({ maxLength: 120 }),
				fc.nat(original.length).map((length) => original.slice(0, length)),
				fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => Buffer.concat([original, more])),
				fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => Buffer.concat([more, original])),
			)
			.filter((bytes) => Buffer.compare(bytes, original) !== 0);
	for (const part of ["ciphertext", "wrappedKey"] as const) {
		await fc.assert(
			fc.asyncProperty(anyBytes(sealed[part]), async (bytes) => {
				await assert.rejects(sender.decrypt({ ...place, sealed: { ...sealed, [part]: bytes } }), notAuthentic);
			}),
			{ numRuns: 200 },
		);
	}
});

test("another wrapping key or cohort named in the record decrypts nothing, cached or not", async () => {
	const { encrypt, api, sender, newCohort } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	const foreign = await encrypt(placeOf(), await newCohort());
	for (const process of [api, sender]) {
		for (const edit of [{ cohortId: foreign.cohortId }, { wrappingKeyId: foreign.wrappingKeyId }]) {
			await assert.rejects(process.decrypt({ ...place, sealed: { ...sealed, ...edit } }), notAuthentic);
		}
		const both = { cohortId: foreign.cohortId, wrappingKeyId: foreign.wrappingKeyId };
		await assert.rejects(process.decrypt({ ...place, sealed: { ...sealed, ...both } }), notAuthentic);
	}
});

test("ids that are not ASCII, or too long, are refused rather than confused", async () => {
	const { encrypt } = await createBench();
	for (const tenantId of ["ten_é", "\ud800", "t".repeat(256)]) {
		await assert.rejects(encrypt({ ...placeOf(), tenantId }), RangeError);
	}
});

test("each object has a data key and ivs of its own, and its bytes do not show", async () => {
	const { api, cohortId } = await createBench();
	const place = placeOf();
	const plain = Buffer.alloc(64, 7);
	const seen = new Set<string>();
	for (let times = 0; times < 300; times++) {
		const { ciphertext, wrappedKey } = await api.encrypt({ ...place, cohortId, plaintext: Plaintext.of(plain) });
		for (const bytes of [ciphertext, wrappedKey]) {
			seen.add(Buffer.from(bytes.subarray(1, 13)).toString("hex"));
			seen.add(Buffer.from(bytes.subarray(13, 45)).toString("hex"));
		}
		assert.equal(Buffer.from(ciphertext).indexOf(plain.subarray(0, 8)), -1);
	}
	assert.equal(seen.size, 4 * 300);
});

test("the wrapped copy of a key is durable before anything under it is returned", async () => {
	const { deps, cohortId } = await createBench();
	const events: string[] = [];
	const insert = async () => {
		await untilIdle();
		events.push("stored");
	};
	const slow = createEncryption({ ...deps, wrappingKeys: { insert, find: async () => undefined } });
	await slow.encrypt({ ...placeOf(), cohortId, plaintext: Plaintext.text(text) });
	events.push("returned");
	assert.deepEqual(events, ["stored", "returned"]);
});

test("a key whose wrapped copy could not be stored encrypts nothing", async () => {
	const { deps, keys, cohortId } = await createBench();
	const insert = () => Promise.reject(new LetheError("store_unavailable"));
	const broken = createEncryption({ ...deps, wrappingKeys: { insert, find: async () => undefined } });
	const attempt = () => broken.encrypt({ ...placeOf(), cohortId, plaintext: Plaintext.text(text) });
	await assert.rejects(attempt(), { code: "store_unavailable" });
	await assert.rejects(attempt(), { code: "store_unavailable" });
	for (const plain of keys.handedOut) assert.deepEqual(plain, Buffer.alloc(32));
});

test("many at once for one cohort cost one call to Vault on each side", async () => {
	const { encrypt, sender, keys } = await createBench();
	const place = placeOf();
	const all = await Promise.all(Array.from({ length: 100 }, () => encrypt(place)));
	await Promise.all(all.map((sealed) => sender.decrypt({ ...place, sealed })));
	assert.deepEqual(keys.counts, { draws: 1, unwraps: 1 });
});

test("the bytes of every plain wrapping key are zeroed once the key is held", async () => {
	const { encrypt, sender, keys } = await createBench();
	const place = placeOf();
	await sender.decrypt({ ...place, sealed: await encrypt(place) });
	assert.equal(keys.handedOut.length, 2);
	for (const plain of keys.handedOut) assert.deepEqual(plain, Buffer.alloc(32));
});

test("a key encrypts its number of uses and no more, under any concurrency", async () => {
	const { encrypt } = await createBench({ wrappingKeyUsesMax: 10 });
	const uses = new Map<string, number>();
	for (let batch = 0; batch < 3; batch++) {
		for (const { wrappingKeyId } of await Promise.all(Array.from({ length: 40 }, () => encrypt()))) {
			uses.set(wrappingKeyId, (uses.get(wrappingKeyId) ?? 0) + 1);
		}
	}
	for (const count of uses.values()) assert.ok(count <= 10, String(count));
});

test("a key is used for its age and not at its end, by the clock alone", async () => {
	const { encrypt, keys, time } = await createBench();
	const first = await encrypt();
	time.now += limits.wrappingKeyAgeMsMax * 0.79;
	assert.equal((await encrypt()).wrappingKeyId, first.wrappingKeyId);
	await untilIdle();
	assert.equal(keys.counts.draws, 1);
	time.now = 1_000_000 + limits.wrappingKeyAgeMsMax;
	assert.notEqual((await encrypt()).wrappingKeyId, first.wrappingKeyId);
});

test("an idle process forgets its keys at the end of their age, by timer", async () => {
	const { encrypt, sender, keys, timers } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	await sender.decrypt({ ...place, sealed });
	assert.deepEqual(timers.delays(), [limits.wrappingKeyAgeMsMax, limits.wrappingKeyAgeMsMax]);
	timers.runAll();
	keys.away.value = true;
	await assert.rejects(encrypt(place), { code: "keys_unavailable" });
	await assert.rejects(sender.decrypt({ ...place, sealed }), { code: "keys_unavailable" });
});

test("near the end of its age a key's successor is drawn in the background, once", async () => {
	const { encrypt, keys, time } = await createBench();
	const first = await encrypt();
	time.now += limits.wrappingKeyAgeMsMax * 0.9;
	const late = await Promise.all([encrypt(), encrypt()]);
	for (const { wrappingKeyId } of late) assert.equal(wrappingKeyId, first.wrappingKeyId);
	await untilIdle();
	assert.notEqual((await encrypt()).wrappingKeyId, first.wrappingKeyId);
	assert.equal(keys.counts.draws, 2);
});

test("Vault away: held cohorts go on to the end of the age and no longer, others wait, and it heals", async () => {
	const { encrypt, sender, newCohort, keys, time } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	await sender.decrypt({ ...place, sealed });
	const another = await newCohort();
	keys.away.value = true;
	time.now += limits.wrappingKeyAgeMsMax - 1;
	await encrypt(place);
	await untilIdle();
	assert.equal((await sender.decrypt({ ...place, sealed })).reveal(), text);
	await assert.rejects(encrypt(placeOf(), another), { code: "keys_unavailable" });
	time.now += 1;
	await assert.rejects(encrypt(place), { code: "keys_unavailable" });
	await assert.rejects(sender.decrypt({ ...place, sealed }), { code: "keys_unavailable" });
	keys.away.value = false;
	await encrypt(placeOf(), another);
	assert.equal((await sender.decrypt({ ...place, sealed })).reveal(), text);
});

test("a failed background draw is tried again, but not with every message", async () => {
	const { encrypt, keys, time } = await createBench();
	await encrypt();
	time.now += limits.wrappingKeyAgeMsMax * 0.9;
	keys.away.value = true;
	for (let times = 0; times < 10; times++) {
		await encrypt();
		await untilIdle();
	}
	assert.equal(keys.counts.draws, 2);
	keys.away.value = false;
	time.now += 5_000;
	await encrypt();
	await untilIdle();
	assert.equal(keys.counts.draws, 3);
});

test("a prepared cohort is encrypted for while Vault is away, and preparing it twice draws once", async () => {
	const { api, encrypt, cohortId, keys } = await createBench();
	await Promise.all([api.prepareCohort(cohortId), api.prepareCohort(cohortId)]);
	await api.prepareCohort(cohortId);
	assert.equal(keys.counts.draws, 1);
	keys.away.value = true;
	await encrypt();
});

test("the cache holds no more keys than its bound, and what was pushed out still decrypts", async () => {
	const { encrypt, sender, newCohort, timers } = await createBench({ wrappingKeysCachedMax: 3 });
	const sealed: { place: EncryptionPlace; sealed: Sealed }[] = [];
	for (let count = 0; count < 10; count++) {
		const place = placeOf();
		sealed.push({ place, sealed: await encrypt(place, await newCohort()) });
	}
	assert.equal(timers.delays().length, 3);
	for (const one of sealed) assert.equal((await sender.decrypt({ ...one.place, sealed: one.sealed })).reveal(), text);
	assert.equal(timers.delays().length, 6);
	await Promise.all(sealed.map((one) => sender.decrypt({ ...one.place, sealed: one.sealed })));
});

test("a forgotten cohort needs Vault again; others do not", async () => {
	const { api, encrypt, newCohort, cohortId, keys, timers } = await createBench();
	const [place, otherPlace, other] = [placeOf(), placeOf(), await newCohort()];
	const sealed = await encrypt(place);
	const sealedOther = await encrypt(otherPlace, other);
	api.forgetCohort(cohortId);
	assert.equal(timers.delays().length, 1);
	keys.away.value = true;
	await assert.rejects(api.decrypt({ ...place, sealed }), { code: "keys_unavailable" });
	await assert.rejects(encrypt(place), { code: "keys_unavailable" });
	assert.equal((await api.decrypt({ ...otherPlace, sealed: sealedOther })).reveal(), text);
});

test("a key on its way when its cohort is forgotten is not kept", async () => {
	const { api, cohortId, timers, keys } = await createBench();
	const drawing = api.prepareCohort(cohortId);
	api.forgetCohort(cohortId);
	await drawing;
	assert.deepEqual(timers.delays(), []);
	for (const plain of keys.handedOut) assert.deepEqual(plain, Buffer.alloc(32));
});

test("a closed process holds no key", async () => {
	const { api, encrypt, timers, keys } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	api.close();
	assert.deepEqual(timers.delays(), []);
	keys.away.value = true;
	await assert.rejects(api.decrypt({ ...place, sealed }), { code: "keys_unavailable" });
});

test("without its stored wrapping key a ciphertext is erased", async () => {
	const { encrypt, sender, store, cohortId } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	assert.equal(await store.deleteByCohort(cohortId), 1);
	await assert.rejects(sender.decrypt({ ...place, sealed }), { code: "content_erased" });
});

test("no error and no printed object shows the text", async () => {
	const { encrypt, sender, api, cohortId } = await createBench();
	const place = placeOf();
	const plaintext = Plaintext.text(text);
	const sealed = await encrypt(place);
	const error = await sender.decrypt({ ...place, object: "other", sealed }).catch((reason: unknown) => reason);
	const opened = await sender.decrypt({ ...place, sealed });
	const request = { ...place, cohortId, plaintext };
	for (const value of [error, opened, request, api]) {
		const printed = inspect(value, { depth: 20, showHidden: true }) + JSON.stringify(value);
		assert.ok(!printed.includes(text));
	}
});

test("on a real Vault: once the cohort's key is destroyed, put-back records decrypt nothing", async () => {
	const api = createCohortKeys({ vault: await login("api") });
	const sender = createCohortKeys({ vault: await login("sender") });
	const eraser = createCohortKeys({ vault: await login("eraser") });
	const cohortId = freshId("cohort");
	await api.createCohortKey(cohortId);
	const wrappingKeys = createMemoryStore();
	const cohortKeys = { drawWrappingKey: api.drawWrappingKey, unwrapWrappingKey: sender.unwrapWrappingKey };
	const openProcess = () => createEncryption({ cohortKeys, wrappingKeys, clock: Date.now, randomBytes });
	const encrypting = openProcess();
	const place = placeOf();
	const sealed = await encrypting.encrypt({ ...place, cohortId, plaintext: Plaintext.text(text) });
	assert.equal((await openProcess().decrypt({ ...place, sealed })).reveal(), text);

	await eraser.destroyCohortKey(cohortId);
	encrypting.forgetCohort(cohortId);
	// The records were never deleted here: this is the store as a backup would put it back.
	assert.equal(wrappingKeys.records.size, 1);
	for (const process of [encrypting, openProcess()]) {
		await assert.rejects(process.decrypt({ ...place, sealed }), { code: "content_erased" });
	}
	const again = encrypting.encrypt({ ...place, cohortId, plaintext: Plaintext.text(text) });
	await assert.rejects(again, { code: "content_erased" });
});

test("wrapped anew for another cohort, the same ciphertext opens under that cohort's key and no longer needs the old one", async () => {
	const { keys, encrypt, newCohort, api, sender, cohortId } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	const next = await newCohort();
	const moved = { ...sealed, ...(await sender.rewrap({ ...place, sealed, cohortId: next })) };
	assert.deepEqual([moved.cohortId, moved.ciphertext], [next, sealed.ciphertext]);
	assert.notEqual(moved.wrappingKeyId, sealed.wrappingKeyId);
	assert.notDeepEqual(moved.wrappedKey, sealed.wrappedKey);
	assert.equal((await api.decrypt({ ...place, sealed: moved })).reveal(), text);
	assert.equal((await api.decrypt({ ...place, sealed })).reveal(), text, "who has read it before can still send it");
	// Half of the one and half of the other opens nothing.
	for (const field of ["cohortId", "wrappingKeyId", "wrappedKey"] as const) {
		await assert.rejects(api.decrypt({ ...place, sealed: { ...moved, [field]: sealed[field] } }), notAuthentic);
	}
	keys.keys.delete(cohortId);
	api.forgetCohort(cohortId);
	await assert.rejects(api.decrypt({ ...place, sealed }), { code: "content_erased" });
	assert.equal((await api.decrypt({ ...place, sealed: moved })).reveal(), text);
});

test("what is not where it belongs, or was edited, is not wrapped anew", async () => {
	const { encrypt, newCohort, sender } = await createBench();
	const place = placeOf();
	const sealed = await encrypt(place);
	const cohortId = await newCohort();
	await assert.rejects(sender.rewrap({ ...place, tenantId: freshId("tenant"), sealed, cohortId }), notAuthentic);
	const wrappedKey = sealed.wrappedKey.slice();
	wrappedKey[20] = (wrappedKey[20] ?? 0) ^ 1;
	await assert.rejects(sender.rewrap({ ...place, sealed: { ...sealed, wrappedKey }, cohortId }), notAuthentic);
	await assert.rejects(sender.rewrap({ ...place, sealed, cohortId: freshId("cohort") }), { code: "content_erased" });
});

test("on a real Vault the worker opens by one role and wraps by another, and neither could do both", async () => {
	const [drawing, opening] = [
		createCohortKeys({ vault: await login("rewrapper") }),
		createCohortKeys({ vault: await login("sender") }),
	];
	const deps = { wrappingKeys: createMemoryStore(), clock: Date.now, randomBytes };
	const api = createEncryption({ ...deps, cohortKeys: createCohortKeys({ vault: await login("api") }) });
	const { createCohortKey, drawWrappingKey } = drawing;
	const { unwrapWrappingKey } = opening;
	const worker = createEncryption({ ...deps, cohortKeys: { drawWrappingKey, unwrapWrappingKey } });
	const [from, to] = [freshId("cohort"), freshId("cohort")];
	await createCohortKey(from);
	await createCohortKey(to);
	const place = placeOf();
	const sealed = await api.encrypt({ ...place, cohortId: from, plaintext: Plaintext.text(text) });
	const moved = { ...sealed, ...(await worker.rewrap({ ...place, sealed, cohortId: to })) };
	assert.equal((await worker.decrypt({ ...place, sealed: moved })).reveal(), text);
	for (const cohortKeys of [drawing, opening]) {
		const alone = createEncryption({ ...deps, cohortKeys });
		await assert.rejects(alone.rewrap({ ...place, sealed, cohortId: to }), { code: "internal" });
	}
});
