// What a tenant's own servers are told of its messages: which events there are, what one says, when it is tried again.

import type { State } from "./lifecycle.ts";
import { limits } from "./limits.ts";
import type { Message } from "./message.ts";

/** States that a receiver may hear of: those that whoever accepted the message does not know already, or can't act on. */
export const webhookStates = [
	"deferred",
	"submitted",
	"delivered",
	"undelivered",
	"expired",
	"cancelled",
	"rejected",
	"unknown",
] as const satisfies State[];
export type WebhookState = (typeof webhookStates)[number];

/** What every secret begins with when it is shown, before its base64. */
export const webhookSecretPrefix = "whsec_";

/** A secret of an endpoint, as Vault encrypted it. Without `expiresAt` it signs until another takes its place. */
export type WebhookSecret = { id: string; sealed: string; createdAt: number; expiresAt?: number };

/** Where a tenant is told of its messages. Times are epoch milliseconds. */
export type WebhookEndpoint = {
	_id: string;
	tenantId: string;
	url: string;
	name?: string;
	/** States that it is told of. */
	states: WebhookState[];
	/** Whether it is told of messages that name no endpoint. */
	isDefault: boolean;
	/** `unverified`: it has not answered a challenge yet, and is told of nothing. */
	state: "unverified" | "enabled" | "disabled";
	/** Why it is disabled: by command, or since it failed for a day, or said that it is gone. */
	disabledFor?: "command" | "failing" | "gone";
	disabledAt?: number;
	verifiedAt?: number;
	/** When the first of the failures was that no success has followed. */
	failingSince?: number;
	/** When a process began to disable it for them; one that dies over it is replaced. */
	disablingAt?: number;
	/** The newest first. */
	secrets: WebhookSecret[];
	createdAt: number;
	createdBy: string;
};

/** What is told of one that is disabled. */
export type DisabledEndpoint = Pick<WebhookEndpoint, "_id" | "tenantId" | "disabledFor" | "disabledAt">;

/** One try to reach a receiver: its status, or why there was none. */
export type WebhookTry = { at: number; status?: number; code?: string; ms: number };

/** One event for one endpoint, with what became of it; no content, no number. Times are epoch milliseconds. */
export type WebhookDelivery = {
	/** Also its `webhook-id`: the same at every try and replay. */
	_id: string;
	tenantId: string;
	endpointId: string;
	/** Absent for a challenge, which has its answer instead. */
	event?: { messageId: string; submissionId: string; state: WebhookState; sequence: number };
	challenge?: string;
	/** When what it tells of happened. */
	at: number;
	/** Tries end at the first failure after this. */
	tryUntil: number;
	state: "waiting" | "delivered" | "failed";
	/** Why nothing was tried: `endpoint_disabled`, `endpoint_unverified`. */
	code?: string;
	/** Failures since it began to wait; the last of the tries are kept. */
	failures: number;
	tries: WebhookTry[];
	/** When it is to be tried; absent unless it waits. */
	nextAt?: number;
	/** Whoever is at work on it. */
	claim?: string;
	eraseBy: number;
};

/** What each delivery begins as: not tried yet, and to be tried now. */
export function freshDelivery(
	now: number,
): Pick<WebhookDelivery, "state" | "failures" | "tries" | "nextAt" | "eraseBy"> {
	return { state: "waiting", failures: 0, tries: [], nextAt: now, eraseBy: now + limits.webhookLogMs };
}

/** Everything that a message has to tell, in order; `sequence` counts from 1 and never changes. */
export function eventsOf({ evidence }: Pick<Message, "evidence">) {
	return evidence
		.filter(({ type }) => (webhookStates as readonly string[]).includes(type))
		.map(({ at, type }, index) => ({ at, state: type as WebhookState, sequence: index + 1 }));
}

/** What a receiver gets, as JSON: ids, a state, a time and a sequence number. */
export function payloadOf({ event, challenge, endpointId, at }: WebhookDelivery): string {
	const timestamp = new Date(at).toISOString();
	if (!event) return JSON.stringify({ type: "endpoint.challenge", timestamp, data: { id: endpointId, challenge } });
	const { messageId: id, submissionId, state, sequence } = event;
	return JSON.stringify({ type: `message.${state}`, timestamp, data: { id, submissionId, state, sequence } });
}

/** The wait after so many failures: doubling from five seconds to four hours, half of it by chance. `random` is in [0, 1). */
export function webhookBackoffMs(failures: number, random: number): number {
	const ceiling = Math.min(limits.webhookBackoffMaxMs, limits.webhookBackoffFirstMs * 2 ** Math.min(failures - 1, 20));
	return Math.round(ceiling / 2 + (random * ceiling) / 2);
}
