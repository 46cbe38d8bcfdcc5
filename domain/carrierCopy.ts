// What a carrier still has of a message: asked to forget it after its end, or bound to by agreement.

import { type Bounds, queueRange, timeOf } from "./backlog.ts";
import { type Attempt, carrierIdsOf, type Message, wasHandedOver } from "./message.ts";

/**
 * One message's copy with its carrier. `handedAt`, `at`: epoch ms. `redacted`: the carrier forgot it, and Lethe read that
 * back or, where it shows nothing, was told so. `planned`: it will be asked. `obligation`: it can't be asked, or does
 * not do it; its agreement ends the copy.
 */
export type CarrierCopy =
	| { kind: "none" }
	| { kind: "redacted"; at: number; readBack: boolean }
	| { kind: "planned"; handedAt: number }
	| { kind: "obligation"; handedAt: number };

/** What has become of the carrier's copy. `isPlanned`: this carrier is asked to forget what is final. */
export function carrierCopyOf(
	message: Pick<Message, "attempts" | "carrierCopy">,
	isPlanned = message.carrierCopy?.state === "due",
): CarrierCopy {
	const { attempts, carrierCopy } = message;
	if (!wasHandedOver(attempts)) return { kind: "none" };
	const { state, endedAt } = carrierCopy ?? {};
	if (endedAt !== undefined && (state === "read_back" || state === "confirmed")) {
		return { kind: "redacted", at: endedAt, readBack: state === "read_back" };
	}
	const handedAt = Math.max(...attempts.map(({ startedAt }) => startedAt));
	return { kind: isPlanned && state !== "given_up" ? "planned" : "obligation", handedAt };
}

/** What a carrier knows by an id of its own, of an attempt that began at `startedAt`, epoch ms. */
export type CarrierPart = { carrierId: string; startedAt: number };

/** What the carrier can be asked to forget; undefined where it may have taken an attempt that it gave none. */
export function redactableParts(attempts: readonly Attempt[]): CarrierPart[] | undefined {
	const handed = attempts.filter((attempt) => wasHandedOver([attempt]));
	const parts = handed.map((attempt) =>
		carrierIdsOf(attempt).map((carrierId) => ({ carrierId, startedAt: attempt.startedAt })),
	);
	return parts.length > 0 && parts.every((known) => known.length > 0) ? parts.flat() : undefined;
}

/** Where a message waits for its carrier to be asked at `at`: those of a send queue stand together, the longest due first. */
export function redactionKey(sendQueue: string, at: number): string {
	return `${queueRange(sendQueue).after}${timeOf(at)}`;
}

/** Bounds of the keys of a send queue that are due. */
export function redactionsDue(sendQueue: string, now: number): Bounds {
	return { after: queueRange(sendQueue).after, before: redactionKey(sendQueue, now + 1) };
}
