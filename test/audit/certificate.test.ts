// Certificates: what they say, and what makes one refused.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { test } from "node:test";
import canonicalize from "canonicalize";
import { type CertificateInput, certificateType, createCertificates } from "../../audit/certificate.ts";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";

const day = 24 * 3600_000;
const now = Date.UTC(2030, 0, 15);
const lifetimes = {
	oplogMs: 2 * day,
	journalMs: day,
	databaseBackupMs: 35 * day,
	vaultRaftLogMs: 3 * day,
	vaultSnapshotMs: 7 * day,
	logsMs: 30 * day,
	carrierMs: 30 * day,
	keyCacheMs: 15 * 60_000,
};

const id = (kind: IdKind, seed: number) => formatId(kind, new Uint8Array(16).fill(seed));

function keyPair(kid: string) {
	const { publicKey, privateKey } = generateKeyPairSync("ed25519");
	const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "EdDSA" };
	return { kid, privateKey, jwk, jwks: { keys: [jwk] } };
}

function signer(key: { kid: string; privateKey: KeyObject }) {
	return async (bytes: Uint8Array) => ({ signature: signBytes(null, bytes, key.privateKey), kid: key.kid });
}

/** Signs any header and payload, right or wrong. */
function forge(key: { privateKey: KeyObject }, header: unknown, payload: unknown): string {
	const encode = (value: unknown) =>
		Buffer.from(typeof value === "string" ? value : (canonicalize(value) as string)).toString("base64url");
	const input = `${encode(header)}.${encode(payload)}`;
	return `${input}.${signBytes(null, Buffer.from(input), key.privateKey).toString("base64url")}`;
}

const header = (kid: string) => ({ alg: "EdDSA", kid, typ: certificateType });

const input: CertificateInput = {
	id: id("certificate", 1),
	kind: "submission",
	tenantId: id("tenant", 2),
	objects: [
		{
			object: "content",
			messageId: id("message", 3),
			cohortId: id("cohort", 4),
			erasedAt: now - 1000,
			verified: true,
			keyDueAt: now + day,
		},
	],
	carrierCopies: [{ kind: "obligation", handedAt: now - 2000 }],
};

function issuer(key = keyPair("k1"), overrides: Partial<Parameters<typeof createCertificates>[0]> = {}) {
	return createCertificates({ sign: signer(key), clock: () => now, lifetimes, ...overrides });
}

const pinned = keyPair("k1");
const { jws, payload } = await issuer(pinned).issue(input);
const check = (text: string, jwks: unknown = pinned.jwks, at = now) => verifyCertificate(text, jwks, { now: at });
const reasonOf = async (text: string, jwks?: unknown, at?: number) => {
	const result = await check(text, jwks, at);
	return result.valid ? "valid" : result.reason;
};

test("an issued certificate verifies, and says when all is gone", async () => {
	const result = await check(jws);
	assert.ok(result.valid);
	assert.deepEqual(result.certificate, payload);
	assert.equal(payload.completeFrom, new Date(now - 1000 + 35 * day).toISOString());
	assert.equal(result.forgotten, false);
	const later = await check(jws, pinned.jwks, now + 36 * day);
	assert.ok(later.valid && later.forgotten);
});

test("those issued at once name the key that signed them: the first ones, and the first after a rotation", async () => {
	const keys = [keyPair("k1"), keyPair("k2")] as const;
	const jwks = { keys: keys.map(({ jwk }) => jwk) };
	let current: (typeof keys)[number] = keys[0];
	const { issue } = issuer(undefined, { sign: (bytes) => signer(current)(bytes) });
	for (const key of keys) {
		current = key;
		const issued = await Promise.all([1, 2, 3].map((seed) => issue({ ...input, id: id("certificate", seed) })));
		for (const { jws: text } of issued) {
			const result = await check(text, jwks);
			assert.equal(result.valid && result.kid, key.kid);
		}
	}
});

test("before the key is destroyed the database side gives the date; afterwards the earlier side does", async () => {
	const [object] = input.objects;
	assert.ok(object);
	const destroyed = { ...object, keyDestroyedAt: now - 500 };
	const after = await issuer().issue({ ...input, objects: [destroyed] });
	assert.equal(after.payload.completeFrom, new Date(now - 500 + 7 * day).toISOString());
	const mixed = await issuer().issue({ ...input, objects: [destroyed, object] });
	assert.equal(mixed.payload.completeFrom, new Date(now - 1000 + 35 * day).toISOString());
});

test("a destruction that is planned, or was due and has not happened, is named as planned", async () => {
	const statusOf = (name: string) => payload.copies.find((copy) => copy.copy === name);
	assert.equal(statusOf("vault cohort key")?.status, "planned");
	assert.equal(statusOf("vault cohort key")?.endsAt, new Date(now + day).toISOString());
	const overdue = input.objects.map((object) => ({ ...object, keyDueAt: now - 1 }));
	const late = await issuer().issue({ ...input, objects: overdue });
	assert.equal(late.payload.copies.find((copy) => copy.copy === "vault cohort key")?.endsAt, undefined);
});

test("an object that was not read back makes the certificate incomplete, and it still verifies", async () => {
	const objects = input.objects.map((object) => ({ ...object, verified: false }));
	const result = await check((await issuer(pinned).issue({ ...input, objects })).jws);
	assert.ok(result.valid);
	assert.equal(result.certificate.status, "incomplete");
	assert.deepEqual(result.certificate.reasons, ["copy_unverified"]);
	assert.equal(result.forgotten, false);
});

test("no end on the database side and a key that still stands is incomplete", async () => {
	const endless = issuer(pinned, { lifetimes: { ...lifetimes, oplogMs: null } });
	const { payload: incomplete } = await endless.issue(input);
	assert.deepEqual(incomplete.reasons, ["database_unbounded", "key_not_destroyed"]);
	assert.equal(incomplete.completeFrom, undefined);
});

test("500 messages of one cohort are one group", async () => {
	const objects = Array.from({ length: 500 }, (_, index) => ({
		object: "content" as const,
		messageId: formatId(
			"message",
			Uint8Array.from({ length: 16 }, (_, at) => (at < 2 ? index >> (8 * at) : 7)),
		),
		cohortId: id("cohort", 4),
		erasedAt: now - index,
		verified: true,
	}));
	const result = await issuer(pinned).issue({ ...input, objects });
	assert.equal(result.payload.objects.length, 1);
	assert.equal(result.payload.objects[0]?.messageIds?.length, 500);
	assert.equal(result.payload.objects[0]?.erasedAt, new Date(now).toISOString());
	assert.ok((await check(result.jws)).valid);
});

test("nothing but opaque ids is ever signed", async () => {
	const personal = input.objects.map((object) => ({ ...object, messageId: "+12025550142" }));
	await assert.rejects(issuer().issue({ ...input, objects: personal }), { name: "ZodError" });
	await assert.rejects(issuer().issue({ ...input, tenantId: "someone@example.com" }), { name: "ZodError" });
});

test("an erasure that is still to come is not certified, and neither is no erasure", async () => {
	const future = input.objects.map((object) => ({ ...object, erasedAt: now + day }));
	await assert.rejects(issuer().issue({ ...input, objects: future }), RangeError);
	const planned = input.objects.map((object) => ({ ...object, keyDestroyedAt: now + day }));
	await assert.rejects(issuer().issue({ ...input, objects: planned }), RangeError);
	await assert.rejects(issuer().issue({ ...input, objects: [] }), RangeError);
});

test("a signing key that rotates between two certificates is named rightly in each", async () => {
	const old = keyPair("k1");
	const fresh = keyPair("k2");
	let current = old;
	let signatures = 0;
	const certificates = issuer(old, {
		sign: (bytes) => {
			signatures++;
			return signer(current)(bytes);
		},
	});
	const jwks = { keys: [old.jwk, fresh.jwk] };
	const first = await check((await certificates.issue(input)).jws, jwks);
	assert.ok(first.valid && first.kid === "k1");
	const before = signatures;
	await certificates.issue(input);
	assert.equal(signatures, before + 1);
	current = fresh;
	const second = await check((await certificates.issue(input)).jws, jwks);
	assert.ok(second.valid && second.kid === "k2");
});

test("a signer that fails fails the issue", async () => {
	const failing = issuer(pinned, { sign: () => Promise.reject(new Error("away")) });
	await assert.rejects(failing.issue(input), { message: "away" });
});

test("a key that is not pinned counts for nothing, even under a pinned name or in the header", async () => {
	const stranger = keyPair("k1");
	assert.equal(await reasonOf(jws, stranger.jwks), "bad_signature");
	assert.equal(await reasonOf(jws, keyPair("k9").jwks), "key_not_pinned");
	const inHeader = forge(stranger, { ...header("k1"), jwk: stranger.jwk }, payload);
	assert.equal(await reasonOf(inHeader), "malformed");
	assert.equal(await reasonOf(forge(stranger, header("k1"), payload)), "bad_signature");
});

test("a pinned set without a usable key is an error, not an answer", async () => {
	const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" });
	const secret = { kty: "oct", k: "c2VjcmV0", kid: "k1" };
	for (const jwks of [null, {}, { keys: [] }, { keys: [{ ...rsa, kid: "k1" }] }, { keys: [secret] }]) {
		await assert.rejects(check(jws, jwks), TypeError);
	}
});

test("two pinned keys of one name both count", async () => {
	const other = keyPair("k1");
	assert.equal(await reasonOf(jws, { keys: [other.jwk, pinned.jwk] }), "valid");
});

test("every edited character is refused", async () => {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= ";
	const places = [0, 5, jws.indexOf("."), jws.indexOf(".") + 9, jws.lastIndexOf(".") + 1, jws.length - 1];
	for (const place of places) {
		for (const letter of alphabet) {
			if (jws[place] === letter) continue;
			const edited = jws.slice(0, place) + letter + jws.slice(place + 1);
			assert.notEqual(await reasonOf(edited), "valid", `place ${place}, ${letter}`);
		}
	}
	for (const broken of ["", ".", "..", `${jws}\n`, jws.replace(/\./g, ""), "é.é.é"]) {
		assert.equal(await reasonOf(broken), "malformed");
	}
	for (const broken of [jws.slice(0, -1), `${jws}A`, `${jws}AA`]) assert.notEqual(await reasonOf(broken), "valid");
});

test("another algorithm or type is refused before any key is tried", async () => {
	for (const wrong of [{ alg: "none" }, { alg: "HS256" }, { alg: "Ed25519" }, { typ: "JWT" }]) {
		assert.equal(await reasonOf(forge(pinned, { ...header("k1"), ...wrong }, payload)), "wrong_type");
	}
	assert.equal(await reasonOf(forge(pinned, { ...header("k1"), crit: ["b64"], b64: false }, payload)), "malformed");
});

test("a rightly signed payload outside the schema is refused", async () => {
	const { copies, ...rest } = payload;
	const wrong = [
		{ ...payload, note: "all is well" },
		{ ...payload, schema: "lethe/erasure-certificate/v2" },
		{ ...rest, copies: copies.slice(1) },
		[],
		null,
	];
	for (const body of wrong) assert.equal(await reasonOf(forge(pinned, header("k1"), body)), "schema");
	assert.equal(await reasonOf(forge(pinned, header("k1"), JSON.stringify(payload, null, 1))), "not_canonical");
	const doubled = (canonicalize(payload) as string).replace('"id":', '"id":"x","id":');
	assert.equal(await reasonOf(forge(pinned, header("k1"), doubled)), "not_canonical");
});

test("a rightly signed certificate that claims more than its copies bear out is refused", async () => {
	const withCopy = (name: string, change: object) => ({
		...payload,
		copies: payload.copies.map((copy) => (copy.copy === name ? { ...copy, ...change } : copy)),
	});
	const wrong = [
		{ ...payload, completeFrom: new Date(now).toISOString() },
		{ ...payload, status: "incomplete", reasons: ["copy_unverified"], completeFrom: undefined },
		{ ...payload, reasons: ["copy_unverified"] },
		withCopy("redis", { status: "unverified" }),
		withCopy("database backups", { status: "unbounded", endsAt: undefined }),
		withCopy("process key caches", { endsAt: new Date(now - day).toISOString() }),
		withCopy("database document", { at: new Date(now - day).toISOString() }),
		withCopy("database oplog", { endsAt: new Date(now - day).toISOString() }),
		withCopy("redis", { copy: "logs" }),
	];
	for (const [index, body] of wrong.entries()) {
		assert.equal(await reasonOf(forge(pinned, header("k1"), body)), "inconsistent", `case ${index}`);
	}
});

test("a record of a recipient has no key to destroy, and nothing that had one may say so", async () => {
	const objects = [{ object: "consent", recordId: id("consent", 5), erasedAt: now - 1000, verified: true }] as const;
	const record = await issuer(pinned).issue({ ...input, kind: "record", objects, carrierCopies: [] });
	assert.equal(await reasonOf(record.jws), "valid");
	assert.equal(record.payload.completeFrom, new Date(now - 1000 + 35 * day).toISOString());
	assert.deepEqual(record.payload.objects[0]?.recordIds, [id("consent", 5)]);
	const keyless = record.payload.copies.filter(({ status }) => status === "holds_none").map(({ copy }) => copy);
	for (const copy of ["vault cohort key", "process key caches", "carrier"] as const) assert.ok(keyless.includes(copy));
	const { copies, status, reasons, completeFrom } = record.payload;
	const lie = { ...payload, copies, status, reasons, completeFrom };
	assert.equal(await reasonOf(forge(pinned, header("k1"), lie)), "inconsistent");
	const recordIds = [id("message", 3)];
	const wrong = { ...record.payload, objects: [{ object: "consent", recordIds, erasedAt: payload.issuedAt }] };
	assert.equal(await reasonOf(forge(pinned, header("k1"), wrong)), "schema");
});

test("receipts, which had no key, are not dated by the key of the content beside them, in issuing or in verifying", async () => {
	const [object] = input.objects;
	assert.ok(object);
	const content = { ...object, keyDestroyedAt: now - 500 };
	const receipt = { object: "receipt", messageId: id("message", 3), erasedAt: now - 1000, verified: true } as const;
	const request = { id: id("subjectRequest", 6), kept: [] };
	const unbounded = { ...lifetimes, databaseBackupMs: null, vaultSnapshotMs: day, vaultRaftLogMs: day };
	for (const [lives, status, completeFrom] of [
		[lifetimes, "complete", new Date(now - 1000 + 35 * day).toISOString()],
		[unbounded, "incomplete", undefined],
	] as const) {
		const about = { ...input, kind: "request", request } as const;
		const issue = (objects: CertificateInput["objects"]) =>
			issuer(pinned, { lifetimes: lives }).issue({ ...about, objects });
		const mixed = await issue([content, receipt]);
		assert.equal(await reasonOf(mixed.jws), "valid");
		assert.deepEqual([mixed.payload.status, mixed.payload.completeFrom], [status, completeFrom]);
		const { payload: sealed } = await issue([content]);
		assert.equal(sealed.status, "complete");
		const tooEarly = { ...sealed, objects: mixed.payload.objects };
		assert.equal(await reasonOf(forge(pinned, header("k1"), tooEarly)), "inconsistent");
	}
});

test("a tenant's own keys may be held by processes for a day while Vault is away, and its certificate says so", async () => {
	const erasedAt = now - 1000;
	const objects = [{ object: "subject_key", erasedAt, keyDestroyedAt: erasedAt, verified: true }] as const;
	const left = await issuer(pinned).issue({ ...input, kind: "tenant", objects, kept: [], carrierCopies: [] });
	assert.equal(await reasonOf(left.jws), "valid");
	const caches = ({ copies }: typeof payload) => copies.find(({ copy }) => copy === "process key caches")?.endsAt;
	assert.equal(caches(left.payload), new Date(erasedAt + day).toISOString());
	assert.equal(caches(payload), new Date(erasedAt + 15 * 60_000).toISOString());
});

test("the carriers' copies are as the worst of them: an obligation with its date, then a plan, then what is forgotten", async () => {
	const at = (offset: number) => new Date(now + offset).toISOString();
	const none = { kind: "none" } as const;
	const shown = { kind: "redacted", at: now - 3000, readBack: true } as const;
	const told = { kind: "redacted", at: now - 2000, readBack: false } as const;
	const planned = { kind: "planned", handedAt: now - 1000 } as const;
	const bound = { kind: "obligation", handedAt: now - 5000 } as const;
	const [redaction, agreement] = ["carrier_redaction", "processor_agreement"];
	const fates: [CertificateInput["carrierCopies"], object][] = [
		[[], { method: "opaque_ids_only", status: "holds_none", proof: "by_design" }],
		[[none], { method: "opaque_ids_only", status: "holds_none", proof: "by_design" }],
		[[none, shown], { method: redaction, status: "erased", proof: "read_back", at: at(-3000) }],
		[[shown, told], { method: redaction, status: "erased", proof: "confirmed", at: at(-2000) }],
		[[shown, planned], { method: redaction, status: "planned", proof: "declared", endsAt: at(30 * day - 1000) }],
		[
			[told, planned, bound],
			{ method: agreement, status: "obligation", proof: "declared", endsAt: at(30 * day - 1000) },
		],
	];
	for (const [carrierCopies, fate] of fates) {
		const issued = await issuer(pinned).issue({ ...input, carrierCopies });
		assert.equal(await reasonOf(issued.jws), "valid");
		assert.deepEqual(issued.payload.copies.at(-1), { copy: "carrier", ...fate });
	}
	const unbounded = issuer(pinned, { lifetimes: { ...lifetimes, carrierMs: null } });
	const { payload: dateless } = await unbounded.issue({ ...input, carrierCopies: [bound] });
	assert.deepEqual([dateless.copies.at(-1)?.status, dateless.copies.at(-1)?.endsAt], ["obligation", undefined]);
});

test("a certificate from the future is refused beyond the clock skew; age does not matter", async () => {
	assert.equal(await reasonOf(jws, pinned.jwks, now - 10_000), "valid");
	assert.equal(await reasonOf(jws, pinned.jwks, now - 3600_000), "issued_in_future");
	assert.equal(await reasonOf(jws, pinned.jwks, now + 3650 * day), "valid");
});
