// Reads and writes the PDUs of SMPP 3.4, strictly: what is one octet beside the specification is an error, never a guess.

import { type FieldType, layouts, parameters } from "./layouts.ts";

/** code → what is wrong with the octets. */
export const pduErrors = {
	header_truncated: "There are fewer octets than a header has.",
	bad_command_length: "command_length is smaller than a header, or larger than what is there.",
	unknown_command: "No PDU of SMPP 3.4 has this command_id.",
	body_truncated: "The body ends within a mandatory field.",
	unterminated_string: "A C-octet string has no terminator.",
	string_too_long: "A C-octet string is longer than its field may be.",
	bad_sm_length: "sm_length is larger than 254 or than what is there.",
	bad_dest_flag: "A destination of submit_multi is neither an address nor a distribution list.",
	bad_count: "The number of destinations is not one that submit_multi may have.",
	tlv_truncated: "The body ends within the tag or length of an optional parameter.",
	tlv_overrun: "An optional parameter is longer than what is there.",
	bad_tlv_length: "An optional parameter has not a length that it may have.",
	trailing_bytes: "Octets follow that belong to nothing.",
} as const;

export type PduErrorCode = keyof typeof pduErrors;

/** A destination of submit_multi: an address, or a distribution list by name. */
export type Destination =
	| { dest_flag: 1; dest_addr_ton: number; dest_addr_npi: number; destination_addr: string }
	| { dest_flag: 2; dl_name: string };

export type Unsuccessful = {
	dest_addr_ton: number;
	dest_addr_npi: number;
	destination_addr: string;
	error_status_code: number;
};

type Field = number | string | Buffer | Destination[] | Unsuccessful[];

/**
 * One PDU. C-octet strings are Latin-1 text without their terminator. `fields` is empty when a response bears a status
 * other than 0 and no body. `tlvs` are in their order, unread.
 */
export type Pdu = {
	command: string;
	command_status: number;
	sequence_number: number;
	fields: Record<string, Field>;
	tlvs: { tag: number; value: Buffer }[];
};

const headerOctets = 16;
const messageOctetsMax = 254;
const destinationsMax = 254;
const response = 0x80000000;

const commandOf = new Map(Object.entries(layouts).map(([name, { id }]) => [id, name]));
const parameterOf = new Map(
	Object.entries(parameters).map(([name, parameter]) => [parameter.tag, { name, ...parameter }]),
);

/** Never leaves this file. */
class PduError extends Error {
	readonly code: PduErrorCode;

	constructor(code: PduErrorCode) {
		super(code);
		this.code = code;
	}
}

/** Reads exactly one PDU; never throws. */
export function decodePdu(octets: Buffer): Pdu | { error: PduErrorCode } {
	try {
		return decode(octets);
	} catch (error) {
		if (error instanceof PduError) return { error: error.code };
		throw error;
	}
}

function decode(octets: Buffer): Pdu {
	if (octets.length < headerOctets) throw new PduError("header_truncated");
	const length = octets.readUInt32BE(0);
	if (length < headerOctets || length > octets.length) throw new PduError("bad_command_length");
	if (length < octets.length) throw new PduError("trailing_bytes");
	const id = octets.readUInt32BE(4);
	const command = commandOf.get(id);
	const layout = command === undefined ? undefined : layouts[command];
	if (command === undefined || !layout) throw new PduError("unknown_command");
	const head = { command, command_status: octets.readUInt32BE(8), sequence_number: octets.readUInt32BE(12) };
	// SMPP 3.4, 4.1.2 and 4.4.2: a response that refuses has no body.
	const isRefusal = id >= response && head.command_status !== 0 && length === headerOctets;
	if (isRefusal) return { ...head, fields: {}, tlvs: [] };
	const reader = createReader(octets, headerOctets);
	const fields = Object.fromEntries(layout.fields.map(([name, type]) => [name, readField(reader, type)]));
	const tlvs = layout.optional ? readTlvs(reader) : [];
	if (reader.left() > 0) throw new PduError("trailing_bytes");
	return { ...head, fields, tlvs };
}

type Reader = ReturnType<typeof createReader>;

function createReader(octets: Buffer, start: number) {
	let at = start;
	const left = () => octets.length - at;
	function take(count: number, code: PduErrorCode = "body_truncated"): Buffer {
		if (count > left()) throw new PduError(code);
		at += count;
		return octets.subarray(at - count, at);
	}
	const int = (count: 1 | 2 | 4) => take(count).readUIntBE(0, count);
	function text(max: number): string {
		const end = octets.indexOf(0, at);
		if (end < 0) throw new PduError(left() === 0 ? "body_truncated" : "unterminated_string");
		if (end - at >= max) throw new PduError("string_too_long");
		return take(end - at + 1)
			.subarray(0, -1)
			.toString("latin1");
	}
	return { left, take, int, text };
}

function readField(reader: Reader, type: FieldType): Field {
	switch (type.is) {
		case "int":
			return reader.int(type.octets);
		case "text":
			return reader.text(type.max);
		case "message": {
			const length = reader.int(1);
			if (length > messageOctetsMax) throw new PduError("bad_sm_length");
			return reader.take(length, "bad_sm_length");
		}
		case "destinations": {
			const count = reader.int(1);
			if (count < 1 || count > destinationsMax) throw new PduError("bad_count");
			return Array.from({ length: count }, () => readDestination(reader));
		}
		case "unsuccessful":
			return Array.from({ length: reader.int(1) }, () => ({
				...readAddress(reader),
				error_status_code: reader.int(4),
			}));
	}
}

function readDestination(reader: Reader): Destination {
	const flag = reader.int(1);
	if (flag === 1) return { dest_flag: 1, ...readAddress(reader) };
	if (flag === 2) return { dest_flag: 2, dl_name: reader.text(21) };
	throw new PduError("bad_dest_flag");
}

function readAddress(reader: Reader) {
	return { dest_addr_ton: reader.int(1), dest_addr_npi: reader.int(1), destination_addr: reader.text(21) };
}

function readTlvs(reader: Reader): Pdu["tlvs"] {
	const tlvs: Pdu["tlvs"] = [];
	while (reader.left() > 0) {
		if (reader.left() < 4) throw new PduError("tlv_truncated");
		const tag = reader.int(2);
		const value = reader.take(reader.int(2), "tlv_overrun");
		checkParameter(tag, value);
		tlvs.push({ tag, value });
	}
	return tlvs;
}

// SMPP 3.4, 3.3: an unknown one is ignored, whatever it holds.
function checkParameter(tag: number, value: Buffer): void {
	const parameter = parameterOf.get(tag);
	if (!parameter) return;
	if (value.length < parameter.min || value.length > parameter.max) throw new PduError("bad_tlv_length");
	if (parameter.is === "text" && value.indexOf(0) !== value.length - 1) throw new PduError("unterminated_string");
}

/** What a parameter is called and holds; octets as a buffer. An unknown one is called by its tag. */
export function readParameter({ tag, value }: Pdu["tlvs"][number]): { name: string; value: number | string | Buffer } {
	const parameter = parameterOf.get(tag);
	if (!parameter) return { name: `0x${tag.toString(16).padStart(4, "0")}`, value };
	if (parameter.is === "int") return { name: parameter.name, value: value.readUIntBE(0, value.length) };
	return { name: parameter.name, value: parameter.is === "text" ? value.subarray(0, -1).toString("latin1") : value };
}

/** The octets of a PDU. @throws RangeError for what its layout can't hold */
export function encodePdu(pdu: Pdu): Buffer {
	const layout = layouts[pdu.command];
	if (!layout) throw new RangeError("No PDU of SMPP 3.4 has this command.");
	const isBare = layout.id >= response && pdu.command_status !== 0 && Object.keys(pdu.fields).length === 0;
	const fields = isBare ? [] : layout.fields.map(([name, type]) => writeField(type, pdu.fields[name]));
	const tlvs = pdu.tlvs.flatMap(({ tag, value }) => [writeInt(tag, 2), writeInt(value.length, 2), value]);
	const body = Buffer.concat([...fields, ...tlvs]);
	const header = [headerOctets + body.length, layout.id, pdu.command_status, pdu.sequence_number];
	const octets = Buffer.concat([...header.map((value) => writeInt(value, 4)), body]);
	const reread = decodePdu(octets);
	if ("error" in reread) throw new RangeError(reread.error);
	return octets;
}

function writeField(type: FieldType, field: Field | undefined): Buffer {
	if (type.is === "int") return writeInt(Number(field ?? 0), type.octets);
	if (type.is === "text") return writeText(String(field ?? ""));
	if (type.is === "message") {
		const message = Buffer.isBuffer(field) ? field : Buffer.alloc(0);
		return Buffer.concat([writeInt(message.length, 1), message]);
	}
	const items = (Array.isArray(field) ? field : []) as (Destination | Unsuccessful)[];
	return Buffer.concat([writeInt(items.length, 1), ...items.map(writeItem)]);
}

function writeItem(item: Destination | Unsuccessful): Buffer {
	if ("dl_name" in item) return Buffer.concat([writeInt(2, 1), writeText(item.dl_name)]);
	const { dest_addr_ton, dest_addr_npi, destination_addr } = item;
	const address = [writeInt(dest_addr_ton, 1), writeInt(dest_addr_npi, 1), writeText(destination_addr)];
	if ("dest_flag" in item) return Buffer.concat([writeInt(1, 1), ...address]);
	return Buffer.concat([...address, writeInt(item.error_status_code, 4)]);
}

function writeInt(value: number, octets: 1 | 2 | 4): Buffer {
	const buffer = Buffer.alloc(octets);
	buffer.writeUIntBE(value, 0, octets);
	return buffer;
}

function writeText(text: string): Buffer {
	if (text.includes("\u0000")) throw new RangeError("A C-octet string can't hold its terminator.");
	return Buffer.from(`${text}\u0000`, "latin1");
}
