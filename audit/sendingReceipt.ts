// Receipts of sending: what became of one message, signed; with a commitment to what it said, where its sender gave a salt.

import { createHmac } from "node:crypto";
import { compactVerify, decodeProtectedHeader } from "jose";
import { z } from "zod";
import { formatTime } from "../domain/formatTime.ts";
import { isId } from "../domain/ids.ts";
import { isFinal, states } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { deliveryModes, type Message } from "../domain/message.ts";
import { isAsWritten } from "./compactJws.ts";
import { pinnedKeys } from "./pinnedKeys.ts";

const receiptType = "lethe-sending-receipt";
/** Another kind of key than a certificate's: neither passes for the other. */
const receiptAlgorithm = "ES256";

const id = (kind: Parameters<typeof isId>[0]) => z.string().refine((value) => isId(kind, value));
const time = z.iso.datetime({ precision: 3 });
const word = z.string().regex(/^[a-z0-9_]{1,32}$/);

/** The signed payload: ids, words, counts and times. */
const receiptSchema = z.strictObject({
	schema: z.literal("lethe/sending-receipt/v1"),
	messageId: id("message"),
	tenantId: id("tenant"),
	issuedAt: time,
	acceptedAt: time,
	deliveryMode: z.enum(deliveryModes),
	segments: z.int().optional(),
	state: z.enum(states),
	stateAt: time,
	/** Nothing moves it any more, but what the carrier may still say of one that is `unknown` or `expired`. */
	final: z.boolean(),
	/** Each handing over to a carrier, and what came of it. */
	attempts: z.array(
		z.strictObject({
			number: z.int(),
			startedAt: time,
			endedAt: time.optional(),
			outcome: word.optional(),
			segments: z.int().optional(),
		}),
	),
	/** What the carrier said, each with its signature checked as it came. */
	receipts: z.array(z.strictObject({ attempt: z.int(), state: word, at: time, receivedAt: time })),
	/** HMAC-SHA-256 by the sender's salt: see docs/receipts.md. */
	commitment: z.string().optional(),
});
export type SendingReceipt = z.infer<typeof receiptSchema>;

/** What was committed to: by whoever knows salt, number and text, and by nobody else. `number` is in E.164. */
export function commitmentOf(salt: string, number: string, text: string): string {
	return createHmac("sha256", salt)
		.update(JSON.stringify([number, text]))
		.digest("base64url");
}

/** The receipt of a message as it is now. @throws ZodError when an id is not opaque; what `sign` throws */
export async function issueReceipt(
	message: Message,
	{ sign, now }: { sign: (typ: string, claims: Record<string, unknown>) => Promise<string>; now: number },
): Promise<string> {
	const receipt: SendingReceipt = {
		schema: "lethe/sending-receipt/v1",
		messageId: message._id,
		tenantId: message.tenantId,
		issuedAt: formatTime(now),
		acceptedAt: formatTime(message.acceptedAt),
		deliveryMode: message.deliveryMode,
		...(message.segments === undefined ? {} : { segments: message.segments }),
		state: message.state,
		stateAt: formatTime(message.stateAt),
		final: isFinal(message.state),
		attempts: message.attempts.map(({ number, startedAt, endedAt, outcome, segments }) => ({
			...{ number, startedAt: formatTime(startedAt) },
			...(endedAt === undefined ? {} : { endedAt: formatTime(endedAt) }),
			...(outcome === undefined ? {} : { outcome }),
			...(segments === undefined ? {} : { segments }),
		})),
		receipts: message.receipts.map(({ attempt, state, at, receivedAt }) => {
			return { attempt, state, at: formatTime(at), receivedAt: formatTime(receivedAt) };
		}),
		...(message.commitment === undefined ? {} : { commitment: message.commitment }),
	};
	return sign(receiptType, receiptSchema.parse(receipt));
}

export type ReceiptResult =
	| { valid: true; kid: string; receipt: SendingReceipt }
	| { valid: false; reason: "malformed" | "key_not_pinned" | "bad_signature" | "schema" | "issued_in_future" };

/** Whether a compact JWS says that it is a receipt of sending. */
export function isReceipt(jws: string): boolean {
	try {
		return decodeProtectedHeader(jws).typ === receiptType;
	} catch {
		return false;
	}
}

/**
 * Checks a receipt offline, against keys that the caller has pinned (a JWK set, RFC 7517). `now` is epoch ms.
 * @throws TypeError when `jwks` holds no usable P-256 key
 */
export async function verifyReceipt(jws: string, jwks: unknown, { now }: { now: number }): Promise<ReceiptResult> {
	const { p256 } = pinnedKeys(jwks);
	if (p256.length === 0) throw new TypeError("the JWK set holds no usable P-256 key with a kid");
	if (!isAsWritten(jws)) return { valid: false, reason: "malformed" };
	const { kid } = decodeProtectedHeader(jws);
	const pinned = p256.filter((key) => key.kid === kid);
	if (pinned.length === 0) return { valid: false, reason: "key_not_pinned" };
	for (const key of pinned) {
		const algorithms = [receiptAlgorithm];
		const verified = await compactVerify(jws, key.publicKey, { algorithms }).catch(() => undefined);
		if (!verified) continue;
		const receipt = receiptSchema.safeParse(parse(verified.payload)).data;
		if (!receipt) return { valid: false, reason: "schema" };
		if (Date.parse(receipt.issuedAt) > now + limits.clockSkewMs) return { valid: false, reason: "issued_in_future" };
		return { valid: true, kid: key.kid, receipt };
	}
	return { valid: false, reason: "bad_signature" };
}

function parse(payload: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder().decode(payload));
	} catch {
		return undefined;
	}
}
