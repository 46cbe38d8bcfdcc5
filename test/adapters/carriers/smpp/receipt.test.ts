// What an SMSC tells of a message, and the text in a short message: parameters first, text second, esm_class decides.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describe } from "../../../../adapters/carriers/smpp/describe.ts";
import type { Pdu } from "../../../../adapters/carriers/smpp/pdu.ts";
import { idForms, readReceipt } from "../../../../adapters/carriers/smpp/receipt.ts";
import { decodeText } from "../../../../adapters/carriers/smpp/text.ts";

const written =
	"id:0059113978 sub:001 dlvrd:001 submit date:3001020304 done date:3001020305 stat:DELIVRD err:000 text:id:7 stat:UNDELIV";
const deliver = (text: string, esm_class = 4, tlvs: [number, string][] = []): Pdu => ({
	...{ command: "deliver_sm", command_status: 0, sequence_number: 1 },
	fields: { esm_class, data_coding: 0, short_message: Buffer.from(text, "latin1") },
	tlvs: tlvs.map(([tag, hex]) => ({ tag, value: Buffer.from(hex, "hex") })),
});

test("each word and each number of a state means one of ours; what is unknown is neither", () => {
	const expected = {
		...{ ENROUTE: "submitted", ACCEPTD: "submitted", DELIVRD: "delivered", EXPIRED: "expired" },
		...{ DELETED: "undelivered", UNDELIV: "undelivered", REJECTD: "rejected", UNKNOWN: "pending" },
	};
	for (const [word, state] of Object.entries(expected)) {
		assert.equal(readReceipt(deliver(written.replace("DELIVRD", word)))?.state, state, word);
	}
	const numbers = {
		1: "submitted",
		2: "delivered",
		3: "expired",
		4: "undelivered",
		5: "undelivered",
		6: "submitted",
		7: "pending",
		8: "rejected",
	};
	for (const [number, state] of Object.entries(numbers)) {
		assert.equal(
			readReceipt(
				deliver("", 4, [
					[0x1e, "6d00"],
					[0x427, `0${number}`],
				]),
			)?.state,
			state,
			number,
		);
	}
});

test("parameters beat the text, and the text fills in what they leave out", () => {
	const tlvs: [number, string][] = [
		[0x001e, "3338363031666100"],
		[0x0427, "05"],
		[0x0423, "030005"],
	];
	assert.deepEqual(readReceipt(deliver(written, 4, tlvs)), { messageId: "38601fa", state: "undelivered", error: "5" });
	assert.deepEqual(readReceipt(deliver(written, 4, [[0x0427, "03"]])), {
		...{ messageId: "0059113978", state: "expired", error: "000" },
	});
	const payload = Buffer.from(written, "latin1").toString("hex");
	assert.equal(readReceipt(deliver("", 4, [[0x0424, payload]]))?.messageId, "0059113978");
});

test("what stands after text: is the message's own", () => {
	assert.deepEqual(readReceipt(deliver(written)), { messageId: "0059113978", state: "delivered", error: "000" });
	assert.equal(readReceipt(deliver("id:1 sub:001 text:stat:DELIVRD")), undefined);
	assert.equal(readReceipt(deliver("id:1 stat:NONSENSE text:")), undefined);
	assert.equal(readReceipt(deliver("text: id:1 stat:DELIVRD")), undefined);
});

test("an id in the text is read as far as an answer may have it", () => {
	for (const id of ["4.1-77", "uH9+a/b==", "smsc1:00a7", "{a}@b", "m_1"]) {
		for (const after of [" ", ",", ";", "\r\n"]) {
			const told = readReceipt(deliver(`id:${id}${after}sub:001 stat:DELIVRD err:000 text:`));
			assert.deepEqual(told, { messageId: id, state: "delivered", error: "000" }, `${id}${after}`);
		}
	}
});

test("only esm_class makes a receipt: a handset can send text that looks alike", () => {
	for (const esmClass of [0, 0x01, 0x03, 0x08, 0x10, 0x18, 0x40, 0x80]) {
		assert.equal(readReceipt(deliver(written, esmClass)), undefined, String(esmClass));
		assert.equal(describe(deliver(written, esmClass)).receipt, undefined);
	}
	for (const esmClass of [0x04, 0x05, 0x44, 0x20]) assert.ok(readReceipt(deliver(written, esmClass)), String(esmClass));
	assert.equal(readReceipt({ ...deliver(written), command: "submit_sm" }), undefined);
});

test("one id in hexadecimal and in decimal, padded or not, is one", () => {
	const meet = (a: string, b: string) => idForms(a).some((form) => idForms(b).includes(form));
	assert.ok(meet("38601fa", "0059113978"));
	assert.ok(meet("38601FA", "59113978"));
	assert.ok(meet("038601fa", "38601fa"));
	assert.ok(!meet("38601fa", "59113979"));
	assert.ok(!meet("m-1", "m-2"));
	assert.deepEqual(idForms("a".repeat(64)), ["a".repeat(64)]);
});

test("text is read in its coding, behind a header, or not at all", () => {
	const read = (hex: string, coding: number, esmClass = 0) => decodeText(Buffer.from(hex, "hex"), coding, esmClass);
	assert.equal(read("00481b65", 0), "@H€");
	assert.equal(read("48e9", 3), "Hé");
	assert.equal(read("0416d83dde00", 8), "Ж😀");
	assert.equal(read("05000301020148", 0, 0x40), "H");
	assert.equal(read("00481b65", 0xf1), "@H€", "a message class of GSM's");
	assert.equal(read("0416", 0xe0), "Ж", "a waiting message in UCS-2");
	assert.equal(read("48", 0xf5), undefined, "8-bit data");
	assert.equal(read("48c3", 0), undefined);
	assert.equal(read("80", 1), undefined);
	assert.equal(read("041", 8), undefined);
	assert.equal(read("04", 4), undefined);
	assert.equal(read("0500", 0, 0x40), undefined);
	assert.equal(read("", 0, 0x40), undefined);
});

test("a character that nothing here knows, or half of one, costs that character and not the text", () => {
	const read = (hex: string, coding: number) => decodeText(Buffer.from(hex, "hex"), coding, 0);
	// "No deseo más" by the Spanish table (3GPP TS 23.038, A.2.2), whose á is an escaped a.
	assert.equal(read("4e6f20646573656f206d1b6173", 0), "No deseo mas");
	assert.equal(read("48691b", 0), "Hi ");
	assert.equal(read("481b1b69", 0), "H i");
	assert.equal(read("0053d83d", 8), "S\ufffd");
	assert.equal(read("de000053", 8), "\ufffdS");
});
