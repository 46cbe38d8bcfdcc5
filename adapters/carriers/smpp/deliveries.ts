// What an SMSC brings: receipts and recipients' messages, acknowledged once they were taken durably and not before.

import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Plaintext } from "../../../domain/plaintext.ts";
import type { CarrierEvent, HandOver } from "../carrier.ts";
import { sealCallback, type Told } from "./callback.ts";
import { readReceiptedId } from "./ids.ts";
import { type Pdu, readParameter } from "./pdu.ts";
import { readReceipt } from "./receipt.ts";
import type { SmppSettings } from "./settings.ts";
import { status } from "./statuses.ts";
import { decodeText, isJoined } from "./text.ts";

type Unacknowledged = { eventId: string; at: number; broughtAt: number };

// SMSCs wait some ten seconds for an answer. One that is told "not now" brings it again, though not every one does.
const patienceMs = 5_000;
const pauseMs = 250;
const rememberedMax = 10_000;
// Longer than an SMSC waits until it tries again. Whoever writes the same word later has written it anew: a STOP that was
// taken for an earlier one would be dated before the START that it is to end.
const rememberedMs = 24 * 3600_000;

/**
 * @param deps.key the queue's callback key
 * @returns takes a deliver_sm or data_sm and answers the command_status for its response; `isHeard`: whether that can still
 * be told
 */
export function createDeliveries(deps: {
	key: Buffer;
	handOver: HandOver;
	receiptIds: SmppSettings["receiptIds"];
	/** Epoch milliseconds. */
	clock: () => number;
	patienceMs?: number;
}) {
	// SMPP gives a recipient's message no id: what comes again because it was not acknowledged is known by its content.
	const unacknowledged = new Map<string, Unacknowledged>();

	function identify(pdu: Pdu): { mark: string } & Unacknowledged {
		const mark = fingerprint(deps.key, pdu);
		const broughtAt = deps.clock();
		const held = unacknowledged.get(mark);
		const isSame = held !== undefined && broughtAt - held.broughtAt < rememberedMs;
		const { eventId, at } = isSame ? held : { eventId: `mo.${randomBytes(16).toString("hex")}`, at: broughtAt };
		const known = { eventId, at, broughtAt };
		unacknowledged.delete(mark);
		unacknowledged.set(mark, known);
		const [oldest] = unacknowledged.keys();
		if (unacknowledged.size > rememberedMax && oldest !== undefined) unacknowledged.delete(oldest);
		return { mark, ...known };
	}

	async function hand(told: Told): Promise<boolean> {
		const until = performance.now() + (deps.patienceMs ?? patienceMs);
		for (;;) {
			// Sealed anew each time: its time is what keeps it fresh.
			if (await deps.handOver(sealCallback(deps.key, told, deps.clock())).catch(() => false)) return true;
			if (performance.now() + pauseMs > until) return false;
			await sleep(pauseMs);
		}
	}

	return async function deliver(pdu: Pdu, isHeard: () => boolean): Promise<number> {
		const event = readEvent(pdu, deps.receiptIds, deps.clock());
		if (event) return (await hand({ event })) ? status.ok : status.temporaryFailure;
		const written = readWritten(pdu);
		// A receipt that tells nothing of a message, or what is no text: it would be no other if it came again.
		if (!written) return status.refused;
		const { mark, eventId, at } = identify(pdu);
		const { from, text, ...rest } = written;
		const message = { eventId, at, ...rest, from: Plaintext.text(from), text: Plaintext.text(text) };
		try {
			if (!(await hand({ message }))) return status.temporaryFailure;
			// With its link gone the SMSC does not learn that, and brings it again over another.
			if (isHeard()) unacknowledged.delete(mark);
			return status.ok;
		} finally {
			message.from.wipe();
			message.text.wipe();
		}
	};
}

function readEvent(pdu: Pdu, receiptIds: SmppSettings["receiptIds"], at: number): CarrierEvent | undefined {
	const receipt = readReceipt(pdu);
	if (!receipt) return undefined;
	const carrierId = readReceiptedId(receipt.messageId, receiptIds);
	const { state, error = "" } = receipt;
	const isFailure = state === "undelivered" || state === "rejected";
	const code = state === "expired" ? "validity_over" : isFailure && /[1-9A-Za-z]/.test(error) ? "other" : undefined;
	// An SMSC has no id for a receipt: one message reaches one state once.
	return { eventId: `${carrierId}.${state}`, carrierId, state, at, ...(code && { code }) };
}

// SMPP 3.4, 5.2.12: bits 5 to 2 are clear for a message of a recipient's.
const typeMask = 0x3c;

function readWritten(pdu: Pdu): { from: string; to: string; text: string; isPart?: true } | undefined {
	const { fields, tlvs } = pdu;
	const esmClass = Number(fields.esm_class ?? 0);
	if ((esmClass & typeMask) !== 0) return undefined;
	const named = new Map(tlvs.map(readParameter).map(({ name, value }) => [name, value]));
	const payload = named.get("message_payload");
	const octets = Buffer.isBuffer(payload) && payload.length > 0 ? payload : fields.short_message;
	if (!Buffer.isBuffer(octets)) return undefined;
	const text = decodeText(octets, Number(fields.data_coding), esmClass);
	if (text === undefined) return undefined;
	const isPart = Number(named.get("sar_total_segments") ?? 1) > 1 || isJoined(octets, esmClass);
	return {
		from: readAddress(Number(fields.source_addr_ton), String(fields.source_addr)),
		to: readAddress(Number(fields.dest_addr_ton), String(fields.destination_addr)),
		text,
		...(isPart && { isPart }),
	};
}

// SMPP 3.4, 5.2.5: unknown, and international. Many an SMSC calls international numbers unknown: a STOP would be nobody's.
const internationalTons = [0, 1];

function readAddress(ton: number, digits: string): string {
	return internationalTons.includes(ton) && /^[1-9]\d{6,14}$/.test(digits) ? `+${digits}` : digits.slice(0, 32);
}

/** Keyed: it may be held longer than the content that it is of. */
function fingerprint(key: Buffer, { command, fields, tlvs }: Pdu): string {
	const { source_addr, destination_addr, short_message, data_coding, esm_class } = fields;
	const octets = Buffer.isBuffer(short_message) ? short_message.toString("base64") : "";
	const parameters = tlvs.map(({ tag, value }) => [tag, value.toString("base64")]);
	const content = [command, source_addr, destination_addr, octets, data_coding, esm_class, parameters];
	return createHmac("sha256", key).update(JSON.stringify(content), "utf8").digest("base64");
}
