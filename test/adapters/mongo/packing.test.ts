// What the store packs comes out as it went in, whatever of it is packed, and for as long as anything is stored by this vocabulary.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { archiveOf, type StoredMessage, whole } from "../../../adapters/mongo/archive.ts";
import { readCertificate, storeCertificate } from "../../../adapters/mongo/certificates.ts";
import { readBundle, storeBundle } from "../../../adapters/mongo/evidence.ts";
import { pack, unpack, vocabulary } from "../../../adapters/mongo/packing.ts";
import type { Bundle } from "../../../domain/evidence.ts";
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
	const rest = Object.entries(message).filter(([name]) => !unset.includes(name));
	return { ...Object.fromEntries(rest), ...set } as StoredMessage;
}

test("a message at rest is read as it was, with what was added since", () => {
	const seen = { attempt: 1, carrierId: "carrier_a", seenEventId: "event_a" };
	const ended = { at: 7, type: "delivered" as const, attempt: 1 };
	const message: Message = { ...messageOf({ state: "delivered", ...seen }), evidence: [ended] };
	const { archived, ...read } = whole(stored(message));
	assert.deepEqual(read, message);
	assert.equal(archived, 1);
	assert.equal(stored(message).attempts[0]?.carrierId, "carrier_a", "it is found by it");
	const late = { at: 9, type: "receipt" as const, code: "late" };
	const later = whole({ ...stored(message), evidence: [late] });
	assert.deepEqual(later.evidence, [ended, late]);
	const again = whole(stored(later));
	assert.deepEqual([again.evidence, again.archived], [later.evidence, 2]);
	assert.deepEqual(whole({ ...stored(message), receipts: [] }).receipts, [], "what was erased since is gone");
});

test("a message that was never packed, or of which a part was read, is read as it is", () => {
	const message = messageOf();
	assert.deepEqual(whole(message), message);
	assert.deepEqual(whole({ _id: message._id, attempts: [] }), { _id: message._id, attempts: [] });
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
	const odd = [
		`${encode("a")}.${encode("b\nc")}.${signature}`,
		`${signed}=`,
		`${signed}.`,
		"a.b",
		"",
		`..${signature}`,
	];
	for (const jws of [signed, ...odd]) {
		assert.deepEqual(readCertificate(storeCertificate({ ...about, jws })), { ...about, jws });
		assert.deepEqual(readCertificate({ ...about, jws }), { ...about, jws });
	}
});
