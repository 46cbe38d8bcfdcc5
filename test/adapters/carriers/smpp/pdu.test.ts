// SMPP 3.4 PDUs: as another's library writes them, one octet beside the specification, at random, and there and back.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { describe } from "../../../../adapters/carriers/smpp/describe.ts";
import { layouts, parameters } from "../../../../adapters/carriers/smpp/layouts.ts";
import { decodePdu, encodePdu, type Pdu, pduErrors } from "../../../../adapters/carriers/smpp/pdu.ts";

const require = createRequire(import.meta.url);
const { PDU } = require("smpp");

/** As the library that others use writes it. */
const theirs = (command: string, options: object = {}): Buffer =>
	new PDU(command, { sequence_number: 7, ...options }).toBuffer();
const decoded = (octets: Buffer): Pdu => {
	const pdu = decodePdu(octets);
	assert.ok(!("error" in pdu), JSON.stringify(pdu));
	return pdu;
};
const errorOf = (octets: Buffer) => {
	const pdu = decodePdu(octets);
	return "error" in pdu ? pdu.error : undefined;
};
/** The octets with the right command_length. */
const sized = (octets: Buffer) => {
	const copy = Buffer.from(octets);
	copy.writeUInt32BE(copy.length, 0);
	return copy;
};
const withBody = (id: number, body: number[], status = 0) => {
	const header = Buffer.alloc(16);
	header.writeUInt32BE(id, 4);
	header.writeUInt32BE(status, 8);
	return sized(Buffer.concat([header, Buffer.from(body)]));
};

const submit = {
	...{ service_type: "CMT", source_addr_ton: 1, source_addr_npi: 1, source_addr: "12025550100" },
	...{ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "12025550142", esm_class: 3, protocol_id: 2 },
	...{ priority_flag: 1, registered_delivery: 1, replace_if_present_flag: 1, data_coding: 8, sm_default_msg_id: 4 },
	short_message: { message: Buffer.from("0416", "hex") },
};

test("every PDU of 3.4 that another's library writes is read field by field, and written the same", () => {
	const samples: Record<string, object> = {
		bind_transceiver: {
			...{ system_id: "lethe", password: "secret", system_type: "x", interface_version: 0x34 },
			...{ addr_ton: 1, addr_npi: 2, address_range: "^1" },
		},
		...{ submit_sm: submit, deliver_sm: submit, submit_sm_resp: { message_id: "38601fa" } },
		...{ deliver_sm_resp: { message_id: "" }, query_sm: { message_id: "m", source_addr: "1" } },
		query_sm_resp: { message_id: "m", final_date: "", message_state: 2, error_code: 3 },
		...{ cancel_sm: { message_id: "m", destination_addr: "2" }, data_sm: { destination_addr: "3", esm_class: 4 } },
		...{ outbind: { system_id: "s", password: "p" }, alert_notification: { source_addr: "4", esme_addr: "5" } },
		...{
			replace_sm: { message_id: "m", short_message: { message: Buffer.from("hi") } },
			data_sm_resp: { message_id: "m" },
		},
	};
	for (const command of Object.keys(layouts)) {
		// Theirs writes the destinations and failures of submit_multi in another shape.
		if (command.startsWith("submit_multi")) continue;
		const octets = theirs(command, samples[command] ?? {});
		const pdu = decoded(octets);
		assert.equal(pdu.command, command);
		assert.equal(pdu.sequence_number, 7);
		for (const [name, value] of Object.entries(samples[command] ?? {})) {
			const expected = name === "short_message" ? value.message : value;
			assert.deepEqual(pdu.fields[name], expected, `${command}.${name}`);
		}
		assert.deepEqual(encodePdu(pdu), octets, command);
	}
});

test("optional parameters are read by name, in their order, and unknown ones by their tag", () => {
	const octets = theirs("deliver_sm", {
		...{ receipted_message_id: "abc", message_state: 2, user_message_reference: 515, source_port: 80 },
		...{ network_error_code: Buffer.from([3, 0, 5]), message_payload: { message: Buffer.from("hello") } },
	});
	const unknown = sized(Buffer.concat([octets, Buffer.from("14010002beef1401000101", "hex")]));
	const { tlvs } = describe(decoded(unknown));
	assert.deepEqual(tlvs, {
		...{ receipted_message_id: "abc", message_state: 2, user_message_reference: 515, source_port: 80 },
		...{ network_error_code: "030005", message_payload: "68656c6c6f", "0x1401": ["beef", "01"] },
	});
	assert.deepEqual(encodePdu(decoded(unknown)), unknown);
});

test("a response that refuses may be without its body; one that does not may not", () => {
	for (const [command, { id, fields }] of Object.entries(layouts)) {
		if (id < 0x80000000) continue;
		assert.deepEqual(decoded(withBody(id, [], 0x58)).fields, {}, command);
		assert.equal(errorOf(withBody(id, [])), fields.length === 0 ? undefined : "body_truncated", command);
		assert.deepEqual(encodePdu(decoded(withBody(id, [], 0x58))), withBody(id, [], 0x58));
	}
	assert.deepEqual(decoded(withBody(0x80000004, [0x61, 0], 0x58)).fields, { message_id: "a" });
});

test("submit_multi reads addresses and lists, and nothing else", () => {
	const head = [0, 0, 0, 0];
	const tail = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
	const destinations = [2, 1, 1, 1, 0x39, 0, 2, 0x6c, 0];
	const pdu = decoded(withBody(0x21, [...head, ...destinations, ...tail]));
	assert.deepEqual(pdu.fields.dest_address, [
		{ dest_flag: 1, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "9" },
		{ dest_flag: 2, dl_name: "l" },
	]);
	assert.equal(errorOf(withBody(0x21, [...head, 1, 3, 0x6c, 0, ...tail])), "bad_dest_flag");
	assert.equal(errorOf(withBody(0x21, [...head, 0, ...tail])), "bad_count");
	const answer = decoded(withBody(0x80000021, [0x61, 0, 1, 1, 1, 0x39, 0, 0, 0, 0, 0x0b]));
	assert.deepEqual(answer.fields.unsuccess_sme, [
		{ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "9", error_status_code: 11 },
	]);
	assert.deepEqual(describe(answer).no_unsuccess, 1);
});

test("what is one octet beside the specification is an error with a code", () => {
	const whole = theirs("submit_sm", submit);
	const message = whole.length - 2;
	const at = (offset: number, ...octets: number[]) => {
		const copy = Buffer.from(whole);
		copy.set(octets, offset);
		return copy;
	};
	const plus = (hex: string) => sized(Buffer.concat([whole, Buffer.from(hex, "hex")]));
	const samples: [what: string, octets: Buffer, code: keyof typeof pduErrors][] = [
		["nothing", Buffer.alloc(0), "header_truncated"],
		["fifteen octets", whole.subarray(0, 15), "header_truncated"],
		["a command_length of less than a header", at(0, 0, 0, 0, 15), "bad_command_length"],
		["a command_length of 0", at(0, 0, 0, 0, 0), "bad_command_length"],
		["a command_length of more than is there", at(0, 0, 0, 1, 0), "bad_command_length"],
		["a command_length with its highest bit", at(0, 0x80, 0, 0, 0), "bad_command_length"],
		["octets after the PDU", Buffer.concat([whole, Buffer.from([0])]), "trailing_bytes"],
		["a command of 5.0", at(4, 0, 0, 1, 0x11), "unknown_command"],
		["a reserved command", at(4, 0, 0, 0, 0x0a), "unknown_command"],
		["the response to outbind, which has none", at(4, 0x80, 0, 0, 0x0b), "unknown_command"],
		["sm_length one too large", at(message - 1, 3), "bad_sm_length"],
		["sm_length 255", at(message - 1, 255), "bad_sm_length"],
		[
			"sm_length 255 and as many octets",
			sized(Buffer.concat([at(message - 1, 255), Buffer.alloc(253)])),
			"bad_sm_length",
		],
		["sm_length one too small", at(message - 1, 1), "tlv_truncated"],
		["a body that ends within a field", sized(whole.subarray(0, 30)), "unterminated_string"],
		["a string without its terminator", withBody(0x80000004, [0x61, 0x62]), "unterminated_string"],
		["a string that is too long", withBody(0x80000004, [...Array(65).fill(0x61), 0]), "string_too_long"],
		["half the tag of a parameter", plus("02"), "tlv_truncated"],
		["a tag without a length", plus("0204"), "tlv_truncated"],
		["half the length of a parameter", plus("020400"), "tlv_truncated"],
		["a parameter that is longer than what is there", plus("0424000501"), "tlv_overrun"],
		["an unknown parameter that is longer than what is there", plus("1401ffff01"), "tlv_overrun"],
		["an integer of a wrong size", plus("02040001ff"), "bad_tlv_length"],
		["an id that is not terminated", plus("001e000161"), "unterminated_string"],
		["an id with a terminator within", plus("001e0003610000"), "unterminated_string"],
		["an empty id", plus("001e0000"), "bad_tlv_length"],
		["a body where there is none", withBody(0x15, [0]), "trailing_bytes"],
		["a parameter where there are none", withBody(0x06, [2, 4, 0, 2, 0, 1]), "trailing_bytes"],
		["a priority that is missing", withBody(0x80000003, [0x61, 0, 0, 1]), "body_truncated"],
	];
	for (const [what, octets, code] of samples) assert.equal(errorOf(octets), code, what);
	assert.deepEqual(new Set(samples.map(([, , code]) => code)).size + 2, Object.keys(pduErrors).length);
});

test("10,000 random byte strings are read or refused, never thrown at", () => {
	const ids = Object.values(layouts).map(({ id }) => id);
	const body = fc.uint8Array({ maxLength: 120 });
	const plausible = fc
		.tuple(fc.constantFrom(...ids), body, fc.nat(1))
		.map(([id, octets, status]) => withBody(id, [...octets], status));
	const zeros = fc
		.tuple(fc.constantFrom(...ids), fc.array(fc.constantFrom(0, 0, 0, 1, 2, 5, 0x61), { maxLength: 60 }))
		.map(([id, octets]) => withBody(id, octets));
	const any = fc.oneof(
		body.map((octets) => Buffer.from(octets)),
		plausible,
		zeros,
	);
	let read = 0;
	fc.assert(
		fc.property(any, (octets) => {
			const pdu = decodePdu(octets);
			if ("error" in pdu) return assert.ok(pdu.error in pduErrors);
			read++;
			// What is read is all that is there: written again it is the same.
			assert.deepEqual(encodePdu(pdu), octets);
			JSON.stringify(describe(pdu));
		}),
		{ numRuns: 10_000 },
	);
	assert.ok(read > 100, `only ${read} were PDUs`);
});

test("whatever the fields, what is written is read the same", () => {
	const names = Object.keys(layouts);
	const plain = { noNullPrototype: true } as const;
	const latin1 = (max: number) =>
		fc
			.array(fc.integer({ min: 1, max: 255 }), { maxLength: max - 1 })
			.map((codes) => Buffer.from(codes).toString("latin1"));
	const octet = fc.integer({ min: 0, max: 255 });
	const address = { dest_addr_ton: octet, dest_addr_npi: octet, destination_addr: latin1(21) };
	const fieldOf = (type: (typeof layouts)[string]["fields"][number][1]): fc.Arbitrary<unknown> => {
		switch (type.is) {
			case "int":
				return octet;
			case "text":
				return latin1(type.max);
			case "message":
				return fc.uint8Array({ maxLength: 254 }).map((octets) => Buffer.from(octets));
			case "destinations":
				return fc.array(
					fc.oneof(
						fc.record({ dest_flag: fc.constant(1), ...address }, plain),
						fc.record({ dest_flag: fc.constant(2), dl_name: latin1(21) }, plain),
					),
					{ minLength: 1, maxLength: 254 },
				);
			case "unsuccessful":
				return fc.array(fc.record({ ...address, error_status_code: fc.nat(0xffffffff) }, plain), { maxLength: 255 });
		}
	};
	const tlv = fc.constantFrom(...Object.values(parameters)).chain(({ tag, is, min, max }) =>
		fc.uint8Array({ minLength: min, maxLength: Math.min(max, 300) }).map((octets) => {
			const value = Buffer.from(octets);
			return {
				tag,
				value: is === "text" ? Buffer.concat([value.map((each) => each || 1).subarray(1), Buffer.alloc(1)]) : value,
			};
		}),
	);
	const pdus = fc.constantFrom(...names).chain((command) => {
		const layout = layouts[command];
		assert.ok(layout);
		return fc.record(
			{
				command: fc.constant(command),
				command_status: fc.constant(0),
				sequence_number: fc.nat(0xffffffff),
				fields: fc.record(Object.fromEntries(layout.fields.map(([name, type]) => [name, fieldOf(type)])), plain),
				tlvs: layout.optional ? fc.array(tlv, { maxLength: 5 }) : fc.constant([]),
			},
			plain,
		);
	});
	fc.assert(
		fc.property(pdus, (pdu) => assert.deepEqual(decodePdu(encodePdu(pdu as Pdu)), pdu)),
		{ numRuns: 2_000 },
	);
});

test("what no layout can hold is not written", () => {
	const pdu = decoded(theirs("submit_sm", submit));
	for (const bad of [
		{ ...pdu, command: "broadcast_sm" },
		{ ...pdu, fields: { ...pdu.fields, source_addr: "1".repeat(21) } },
		{ ...pdu, fields: { ...pdu.fields, source_addr: "a\u0000b" } },
		{ ...pdu, fields: { ...pdu.fields, short_message: Buffer.alloc(255) } },
		{ ...pdu, fields: { ...pdu.fields, esm_class: 256 } },
		{ ...pdu, tlvs: [{ tag: 0x0427, value: Buffer.alloc(2) }] },
	]) {
		assert.throws(() => encodePdu(bad), RangeError);
	}
});
