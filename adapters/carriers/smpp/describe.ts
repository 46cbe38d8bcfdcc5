// A PDU as JSON, with the names that the specification gives its fields.

import { layouts } from "./layouts.ts";
import { encodePdu, type Pdu, readParameter } from "./pdu.ts";
import { idForms, readReceipt } from "./receipt.ts";
import { decodeText } from "./text.ts";

/**
 * Octets are hex; `text` is there when a short message is one, `receipt` when esm_class says that it is one. A bind's
 * password is told to be there, and not what it is.
 */
export function describe(pdu: Pdu): Record<string, unknown> {
	const { command, command_status, sequence_number, fields } = pdu;
	const receipt = readReceipt(pdu);
	const text = textOf(pdu);
	return {
		command,
		command_length: encodePdu(pdu).length,
		command_id: layouts[command]?.id,
		command_status,
		sequence_number,
		...Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => describeField(name, value))),
		...(text !== undefined && { text }),
		tlvs: describeTlvs(pdu),
		...(receipt && { receipt: { ...receipt, idForms: idForms(receipt.messageId) } }),
	};
}

function describeField(name: string, value: unknown): [string, unknown][] {
	if (name === "short_message" && Buffer.isBuffer(value)) {
		return [
			["sm_length", value.length],
			["short_message", value.toString("hex")],
		];
	}
	if (name === "password") return [[name, value === "" ? "" : "[redacted]"]];
	if (name === "dest_address" && Array.isArray(value)) {
		return [
			["number_of_dests", value.length],
			[name, value],
		];
	}
	if (name === "unsuccess_sme" && Array.isArray(value)) {
		return [
			["no_unsuccess", value.length],
			[name, value],
		];
	}
	return [[name, value]];
}

function textOf({ fields, tlvs }: Pdu): string | undefined {
	const payload = tlvs.map(readParameter).find(({ name }) => name === "message_payload")?.value;
	const message = fields.short_message;
	const octets = Buffer.isBuffer(message) && message.length > 0 ? message : (payload ?? message);
	if (!Buffer.isBuffer(octets)) return undefined;
	return decodeText(octets, Number(fields.data_coding ?? 0), Number(fields.esm_class ?? 0));
}

/** Name → value; those that are there more than once as a list. */
function describeTlvs({ tlvs }: Pdu): Record<string, unknown> {
	const values = new Map<string, unknown[]>();
	for (const { name, value } of tlvs.map(readParameter)) {
		const told = Buffer.isBuffer(value) ? value.toString("hex") : value;
		values.set(name, [...(values.get(name) ?? []), told]);
	}
	return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
}
