// What the store packs comes out as it went in, whatever of it is packed, and for as long as anything is stored by this vocabulary.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { deriveId } from "../../../adapters/deriveId.ts";
import { archiveOf, type StoredMessage, whole } from "../../../adapters/mongo/archive.ts";
import { lengthenEntries, shortenEntries } from "../../../adapters/mongo/bundleEntries.ts";
import { readCertificate, storeCertificate } from "../../../adapters/mongo/certificates.ts";
import { readBundle, storeBundle } from "../../../adapters/mongo/evidence.ts";
import { bytesOf, type Packed, pack, unpack, vocabulary } from "../../../adapters/mongo/packing.ts";
import { formatEntry } from "../../../audit/entry.ts";
import { type Act, actTypes, type Bundle, saidOf } from "../../../domain/evidence.ts";
import type { Message } from "../../../domain/message.ts";
import { messageOf } from "../../harness/message.ts";

test("the vocabulary is the one that stored documents were packed by", () => {
	assert.equal(
		createHash("sha256").update(vocabulary).digest("hex"),
		"5ecfe63caf4b141a9d3bef74816af53550855579250669014f386f09cd5f72ab",
	);
	const packed = Buffer.from("ePnRHQSmq8ZMaQBCXwa2", "base64");
	assert.equal(unpack(packed), '{"type":"accepted"}');
});

test("any text comes out as it went in, and bytes that are no such text are refused", () => {
	fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => unpack(pack(text)) === text));
	const packed = pack("text");
	assert.throws(() => unpack(packed.subarray(0, -1)));
	assert.throws(() => unpack(Buffer.from(packed).fill(0, 8)));
});

/** As the store has it after that update. */
function stored(message: Message): StoredMessage {
	const { set, unset } = archiveOf(message);
	const without = (of: object, prefix: string) =>
		Object.fromEntries(Object.entries(of).filter(([name]) => !unset.includes(prefix + name)));
	return { ...without(message, ""), retention: without(message.retention, "retention."), ...set } as StoredMessage;
}

test("a message at rest is read as it was, with what was added since", () => {
	const seen = { attempt: 1, carrierId: "carrier_a", seenEventId: "event_a" };
	const ended = { at: 7, type: "delivered" as const, attempt: 1 };
	const message: Message = { ...messageOf({ state: "delivered", ...seen }), evidence: [ended] };
	const { archived, ...read } = whole(stored(message));
	assert.deepEqual(read, { ...message, integrated: 1 });
	assert.deepEqual([archived, stored(message).integrated], [1, undefined]);
	assert.equal(stored(message).attempts[0]?.carrierId, "carrier_a", "it is found by it");
	const late = { at: 9, type: "receipt" as const, code: "late" };
	const later = whole({ ...stored(message), evidence: [late] });
	assert.deepEqual(later.evidence, [ended, late]);
	const again = whole(stored(later));
	assert.deepEqual([again.evidence, again.archived], [later.evidence, 2]);
	assert.deepEqual(whole({ ...stored(message), receipts: [] }).receipts, [], "what was erased since is gone");
	assert.equal(whole({ ...stored(message), closeAt: 7 }).closeAt, 7, "what was set since counts");
});

test("a message that was never packed, or of which a part was read, is read as it is", () => {
	const message = messageOf();
	assert.deepEqual(whole(message), message);
	assert.deepEqual(whole({ _id: message._id, attempts: [] }), { _id: message._id, attempts: [] });
});

test("when something was erased, and under which keys it was, is packed once that is proven, and read as it was", () => {
	const record = { eraseBy: 9, atFinal: true, cohortId: "coh_a", keyDueAt: 8, erasedAt: 5 };
	const proven = { ...record, verifiedAt: 6 };
	const receipt = { eraseBy: 9, atFinal: false, erasedAt: 5, verifiedAt: 6 };
	const { content: _, address: __, ...erased } = messageOf({ state: "delivered" });
	const message: Message = { ...erased, retention: { content: proven, address: record, receipt } };
	assert.deepEqual(stored(message).retention, { address: record, receipt }, "what is still to be read back stays");
	assert.deepEqual(whole(stored(message)).retention, message.retention);
	const byPage: Message = { ...message, retention: { content: { ...proven, certificateId: "crt_a" } } };
	assert.deepEqual(stored(byPage).retention, byPage.retention, "what a page erased is found by its certificate");
	assert.deepEqual(whole(stored(whole(stored(message)))).retention, message.retention, "packed once more");

	const since = (content: object) => whole({ ...stored(message), retention: { content } as Message["retention"] });
	assert.deepEqual(since({ verifiedAt: 7 }).retention.content, { ...proven, verifiedAt: 7 }, "read back once more");
	assert.deepEqual(
		since({ erasedAt: 7 }).retention.content,
		{ ...record, erasedAt: 7 },
		"erased once more: not proven",
	);
	const reopened = archiveOf({ ...since({ erasedAt: 7 }), archived: 1 });
	const stands = Object.entries({ ...record, erasedAt: 7 }).map(([field, value]) => [
		`retention.content.${field}`,
		value,
	]);
	assert.deepEqual(
		Object.entries(reopened.set).filter(([path]) => path.startsWith("retention.")),
		stands,
		"and stands where it was",
	);
	const backAgain = { ...messageOf({ state: "delivered" }), retention: { content: proven } };
	assert.deepEqual(stored(backAgain).retention, { content: proven }, "what came back is not packed");
});

const idOf = (act: Act, at: number, place: number) => deriveId("evidence", saidOf(act, at, place));

const acts = fc.record(
	{
		...{ type: fc.constantFrom(...actTypes), code: fc.constantFrom("us-tcpa.consent", "x", "to:1.4.0@a+b") },
		...{ about: fc.constantFrom("message", "apiKey"), attempt: fc.nat(999_999), at: fc.nat(4_000_000_000_000) },
		...{ by: fc.constantFrom("engine", deriveId("apiKey", "k")), tenant: fc.nat(2), place: fc.nat(70) },
	},
	{ requiredKeys: ["type", "at", "place"] },
);

test("entries come out as they were hashed, in whatever order, and a message's stand without their ids", () => {
	const tenants = [0, 1].map((at) => deriveId("tenant", `${at}`));
	const law = fc.property(fc.array(acts), fc.boolean(), fc.nat(), (list, isDerived, filedAt) => {
		const entries = list.map(({ at, place, tenant, about, ...said }, index) => {
			const whose = tenant === undefined ? {} : { tenantId: deriveId("tenant", `${tenant}`) };
			const act: Act = { ...said, ...whose, ...(about ? { about: deriveId(about as "message", `${at % 3}`) } : {}) };
			return formatEntry(isDerived ? idOf(act, at, place) : deriveId("evidence", `${index}`), at, act);
		});
		const about = entries.flatMap((text) => JSON.parse(text).about ?? []);
		const filed = { about: [...new Set<string>(about)], tenants, at: filedAt };
		assert.deepEqual(lengthenEntries(shortenEntries(entries, filed), filed), entries);
		assert.deepEqual(lengthenEntries(entries, filed), entries, "as bundles of before have them");
	});
	fc.assert(law);

	const [tenantId, about] = [tenants[0] as string, deriveId("message", "m")];
	const filed = { tenants, about: [about], at: 1_000 };
	const carried = (["decided", "queued", "certified"] as const).map((type, place) => {
		const act: Act = { type, about, tenantId, ...(place === 0 ? { code: "us-tcpa.consent" } : { attempt: place }) };
		return formatEntry(idOf(act, 900 + place, place), 900 + place, act);
	});
	// A message's later entries, in a bundle of their own, begin where they stand on its document.
	assert.deepEqual(shortenEntries(carried, filed), [
		"0 0 -100 0 decided us-tcpa.consent  ",
		"0 0 1 1 queued  1 ",
		"0 0 1 2 certified  2 ",
	]);
	assert.deepEqual(shortenEntries(carried.slice(1), filed)[0], "0 0 -99 1 queued  1 ");
	const [first = ""] = carried;
	const odd = [
		"{}",
		'{"type":"a"}',
		first.replace("00Z", "0Z"),
		first.replace("ev_", "ev_a"),
		first.replace("01-01", "02-31"),
	];
	assert.deepEqual(shortenEntries(odd, filed), odd, "what is none of these stands as it is");
});

test("ids that follow from a text are those of before: stored entries are read by them", () => {
	assert.equal(deriveId("evidence", "msg_a\n0\n1\naccepted\n\n\n"), "ev_rqvsEvafsymwbapoyegyBorvdn");
});

const bundle: Bundle = {
	...{ _id: "0000000000000003", entries: ['{"type":"a"}', '{"type":"b\\n"}'] },
	...{ about: [], tenants: [], frontier: Buffer.alloc(32), at: 1 },
};

test("a bundle's entries are read as they were hashed; one of before, and one that is damaged, as it stands", () => {
	assert.deepEqual(readBundle(storeBundle(bundle)), { ...bundle, start: 3 });
	assert.deepEqual(readBundle({ ...bundle, start: 3 }), { ...bundle, start: 3 });
	const { packed: _, ...about } = storeBundle(bundle);
	assert.deepEqual(readBundle({ ...about, packed: Buffer.from("none") }).entries, []);
});

test("a certificate is given out as the very text that was signed, of whatever form that is", () => {
	const about = { _id: "crt_a", tenantId: "ten_a", kind: "submission" as const, about: "sub_a", issuedAt: 1 };
	const encode = (text: string | Buffer) => Buffer.from(text).toString("base64url");
	const signature = encode(Buffer.alloc(64, 7));
	const signed = `${encode('{"alg":"EdDSA"}')}.${encode('{"schema":"lethe/erasure-certificate/v1"}')}.${signature}`;
	assert.equal(storeCertificate({ ...about, jws: signed }).jws, undefined);
	const said = `{"id":"crt_a","issuedAt":"1970-01-01T00:00:00.001Z","kind":"submission","tenantId":"ten_a"}`;
	const full = `${encode("{}")}.${encode(said)}.${signature}`;
	const { packed } = storeCertificate({ ...about, jws: full });
	const short = '{"id":null,"issuedAt":null,"kind":"submission","tenantId":null}';
	assert.equal(unpack(bytesOf(packed as Packed).subarray(64)), `{}\n${short}`, "what its document says is not there");
	const before = Buffer.concat([Buffer.alloc(64, 7), pack(`{}\n${said}`)]);
	assert.equal(readCertificate({ ...about, packed: before }).jws, full, "as those of before have it");
	const payloads = [short, said.replace("crt_a", "crt_b"), `${said} `, '{"b":1,"1":null}', "[null]", '"a"', "null"];
	const odd = [
		...payloads.map((payload) => `${encode("{}")}.${encode(payload)}.${signature}`),
		`${encode("a")}.${encode("b\nc")}.${signature}`,
		`${signed}=`,
		`${signed}.`,
		"a.b",
		"",
		`..${signature}`,
	];
	for (const jws of [signed, full, ...odd]) {
		assert.deepEqual(readCertificate(storeCertificate({ ...about, jws })), { ...about, jws });
		assert.deepEqual(readCertificate({ ...about, jws }), { ...about, jws });
	}
});
