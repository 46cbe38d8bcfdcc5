// An SMSC over SMPP 3.4: what is sent over its links, and what it brings on them.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import type { Capabilities, Carrier, CarrierFactory, Manual, OutboundMessage, SendOutcome } from "./carrier.ts";
import { nonEmpty } from "./fields.ts";
import { readCallbackKey, verifySmpp } from "./smpp/callback.ts";
import { createDeliveries } from "./smpp/deliveries.ts";
import { readAnsweredId } from "./smpp/ids.ts";
import type { LinkOptions } from "./smpp/link.ts";
import type { Pdu } from "./smpp/pdu.ts";
import { createPool } from "./smpp/pool.ts";
import { receiptStates } from "./smpp/receipt.ts";
import type { Answer } from "./smpp/session.ts";
import { readSmppSettings, type SmppSettings, type SmscAddress, smppSettings } from "./smpp/settings.ts";
import { readRefusal, status } from "./smpp/statuses.ts";
import { encodeSubmits, type PduBody, parseSender, withValidity } from "./smpp/submit.ts";

const capabilities: Capabilities = {
	validity: true,
	receipts: true,
	inbound: true,
	// query_sm asks by the SMSC's id, and an attempt in doubt has none.
	lookup: false,
	redaction: false,
	idempotentSend: false,
	timedCallbacks: true,
	regions: [],
	baa: false,
	unsignedCallbacks: "refuse",
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "SMPP 3.4",
	source: "https://smpp.org/SMPP_v3_4_Issue1_2.pdf",
	secrets: {
		send: z.strictObject({
			systemId: nonEmpty.describe("the account's system_id, at most 15 characters"),
			password: nonEmpty.describe("its password, at most 8 characters"),
			callbackKey: nonEmpty.describe(
				"32 random bytes in base64, yours to make: what comes over the links is handed to the API under it",
			),
		}),
		callback: z.strictObject({ callbackKey: nonEmpty.describe("the same") }),
	},
	settings: smppSettings,
	sender: z.string().refine((sender) => parseSender(sender) !== undefined, {
		error: "it must be a number, or up to 11 printable characters",
	}),
	signature:
		"nothing of the SMSC's: SMPP has no signature. What comes over a link is believed for the link's sake, which is made to an address that is set, over verified TLS, by the account's credentials; the sender seals it by AES-256-GCM with the queue's callbackKey, good for 300 seconds, and acknowledges it to the SMSC once the API has taken it. Senders reach the API by `LETHE_API_URL`.",
	statuses: receiptStates,
	limits: [
		"It can't be asked about a reference: an attempt that was cut off after it was written stays in doubt until a receipt or the end of grace.",
		"It has no word for how long it throttles: one second, twice as long each time in a row, half a minute at most.",
		"Ids that differ between answers and receipts are never guessed at: without the right receiptIds, receipts wait for a message that does not come.",
		"A recipient's message has no id: it is known again only while it was not acknowledged, by the process that it came to, and until a day has gone since it was last brought. Parts of a long one are each read by themselves: a STOP in one counts, a START or HELP does not.",
		"What recipients write in another coding than GSM 03.38, ASCII, Latin-1 or UCS-2 is refused (ESME_RX_R_APPN).",
		"An SMSC that does not bring again what was answered by ESME_RX_T_APPN loses receipts while the API is away for more than some seconds.",
		"Each sender process binds for itself: the account must allow as many binds as there are processes, times binds.",
		"An SMSC brings receipts and what recipients write over any link of an account, and a queue takes only what is its own: give each queue an account (systemId) of its own.",
		"A long text of which it took some parts and not others stays in doubt: it is charged, and never sent again.",
		"Texts go as GSM 03.38, one septet an octet, or as UCS-2; the SMSC's default alphabet must be GSM 03.38.",
	],
});

type Submitting = {
	settings: SmppSettings;
	/** How often in a row the SMSC has throttled. */
	throttled: number;
	request: (body: PduBody, gate?: Pick<OutboundMessage, "stillDue">) => Promise<Answer>;
};

/**
 * Settings are `SmppSettings`; secrets `{systemId, password}` serve the links, `{callbackKey}` (base64 of 32 bytes) what
 * comes on them. A process needs only its own half. No link is made before something is sent or `receive` is called.
 * @throws TypeError when a setting or secret that is given can't be used
 */
export const createSmpp: CarrierFactory = ({ settings: given, secrets }): Carrier => {
	const settings = readSmppSettings(given);
	const key = readCallbackKey(secrets);
	const credentials = readCredentials(secrets);
	let deliver: ReturnType<typeof createDeliveries> | undefined;
	const take = async (pdu: Pdu, isHeard: () => boolean) => deliver?.(pdu, isHeard) ?? status.temporaryFailure;
	const { address } = settings;
	const pool = credentials && address && openPool({ ...settings, address }, credentials, take);
	let partReference = randomBytes(1).readUInt8();
	let throttled = 0;

	async function send(message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome> {
		if (!pool) return { kind: "rejected", code: "not_configured", permanent: false };
		// Less than a second left: the SMSC could only deliver it too late.
		if (!(message.validitySeconds >= 1)) return { kind: "rejected", code: "withdrawn", permanent: false };
		partReference = (partReference + 1) % 256;
		const encoded = encodeSubmits(message, settings, partReference);
		if (typeof encoded === "string") return { kind: "rejected", code: encoded, permanent: true };
		const time = countDown(message.validitySeconds);
		const request: Submitting["request"] = (body, gate = { stillDue: time.isLeft }) =>
			pool.request("submit_sm", () => withValidity(body, time.seconds()), { ...gate, signal });
		const { stillDue } = message;
		const outcome = await submitAll({ settings, throttled, request }, encoded, { stillDue });
		if (outcome.kind === "throttled") throttled++;
		if (outcome.kind === "accepted") throttled = 0;
		return outcome;
	}

	return {
		name: "smpp",
		manual: manual(),
		capabilities,
		send,
		verify: verifySmpp({ settings: given, secrets }),
		receive(handOver) {
			if (!pool || !key || settings.bind === "transmitter") return undefined;
			// What was not acknowledged is known again by the one that it came to.
			deliver ??= createDeliveries({ key, handOver, receiptIds: settings.receiptIds, clock: Date.now });
			return pool.receive();
		},
		close: async () => pool?.close(),
	};
};

/**
 * The first part decides; once the SMSC has taken it, the others have to follow while its time lasts. With only some of them
 * taken it is ambiguous: no handset shows it whole, but what is with the SMSC was sent and is paid for.
 */
async function submitAll(
	submitting: Submitting,
	{ bodies: [first, ...others], segments }: Exclude<ReturnType<typeof encodeSubmits>, string>,
	gate: Pick<OutboundMessage, "stillDue">,
): Promise<SendOutcome> {
	const begun = readOutcome(await submitting.request(first, gate), submitting);
	if (begun.kind !== "accepted") return begun;
	const rest = await Promise.all(others.map((body) => submitPart(submitting, body)));
	const [refusal] = rest.flatMap((one) => (one.kind === "rejected" && one.permanent ? [one.code] : []));
	const taken = rest.flatMap((one) => (one.kind === "accepted" ? [one.carrierId] : []));
	if (taken.length < rest.length) return { kind: "ambiguous", code: refusal ?? "carrier_error" };
	const partIds = others.length > 0 ? { partIds: [begun.carrierId, ...taken] } : {};
	return { ...begun, segments, ...partIds };
}

/** From the first call of `seconds` on: the whole ones that are left, one at least, for none would leave it to the SMSC. */
function countDown(seconds: number) {
	let until: number | undefined;
	return {
		seconds(): number {
			const now = Math.round(performance.now());
			until ??= now + seconds * 1000;
			return Math.max(1, Math.floor((until - now) / 1000));
		},
		/** Whether there is any. */
		isLeft: () => until === undefined || performance.now() < until,
	};
}

const partPauseMs = 250;

const givenUp: readonly string[] = ["aborted", "withdrawn"];

/** Tries again while the SMSC surely has not taken it, for as long as an answer may take and the message has time. */
async function submitPart(submitting: Submitting, body: PduBody): Promise<SendOutcome> {
	const until = performance.now() + submitting.settings.responseSeconds * 1000;
	for (;;) {
		const answer = await submitting.request(body);
		const outcome = readOutcome(answer, submitting);
		const isOver =
			performance.now() + partPauseMs > until || (answer.kind === "unsent" && givenUp.includes(answer.code));
		if (outcome.kind === "accepted" || outcome.kind === "ambiguous" || isOver) return outcome;
		if (outcome.kind === "rejected" && outcome.permanent) return outcome;
		await sleep(partPauseMs);
	}
}

function readOutcome(answer: Answer, { settings, throttled }: Submitting): SendOutcome {
	if (answer.kind === "unsent") return { kind: "rejected", code: answer.code, permanent: false };
	if (answer.kind === "unanswered") return { kind: "ambiguous", code: answer.code };
	const { command_status, fields } = answer.pdu;
	if (command_status !== status.ok) return readRefusal(command_status, throttled);
	const messageId = fields.message_id;
	// Taken, but under no name that a receipt could bear.
	if (typeof messageId !== "string" || !/^[\x21-\x7e]{1,64}$/.test(messageId)) {
		return { kind: "ambiguous", code: "unreadable_answer" };
	}
	return { kind: "accepted", carrierId: readAnsweredId(messageId, settings.receiptIds), segments: 1 };
}

type Credentials = { systemId: string; password: string };

function readCredentials({ systemId, password }: Record<string, string>): Credentials | undefined {
	if (!systemId || !password) return undefined;
	// SMPP 3.4, 4.1.1.
	if (/^[\x20-\x7e]{1,15}$/.test(systemId) && /^[\x20-\x7e]{1,8}$/.test(password)) return { systemId, password };
	throw new TypeError("The secrets systemId and password must be at most 15 and 8 characters.");
}

const interfaceVersion = 0x34;

function openPool(
	settings: SmppSettings & { address: SmscAddress },
	{ systemId, password }: Credentials,
	deliver: LinkOptions["deliver"],
) {
	return createPool({
		kind: settings.bind,
		binds: settings.binds,
		address: settings.address,
		bind: {
			system_id: systemId,
			password,
			system_type: settings.systemType,
			interface_version: interfaceVersion,
			address_range: settings.addressRange,
		},
		window: settings.window,
		responseMs: settings.responseSeconds * 1000,
		enquireMs: settings.enquireSeconds * 1000,
		deliver,
		backoffFirstMs: limits.backoffFirstMs,
		backoffMaxMs: limits.linkBackoffMaxMs,
		random: Math.random,
	});
}
