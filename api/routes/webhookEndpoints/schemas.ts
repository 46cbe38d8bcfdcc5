// The shapes of webhook endpoints and of what became of each event, as they cross the door.

import { z } from "zod";
import { formatTime } from "../../../domain/formatTime.ts";
import { limits } from "../../../domain/limits.ts";
import { type WebhookDelivery, type WebhookEndpoint, webhookStates } from "../../../domain/webhook.ts";
import { withoutUndefined } from "../../../domain/withoutUndefined.ts";
import { fields } from "../../schemas.ts";

const states = z
	.array(z.enum(webhookStates))
	.min(1)
	.max(webhookStates.length)
	.meta({ description: "States of messages that it is told of." });
const name = fields.word.optional();
const url = z
	.string()
	.min(1)
	.max(limits.webhookUrlCharactersMax)
	.meta({ description: "https, at a public address; no credentials and no fragment." });
const isDefault = z.boolean().meta({ description: "Whether it is told of messages that name no endpoint." });

const input = z
	.strictObject({ url, name, states: states.default([...webhookStates]), default: isDefault.default(false) })
	.meta({
		id: "WebhookEndpointRequest",
		example: { url: "https://hooks.example.com/lethe", states: ["delivered", "undelivered"], default: true },
	});

const shape = {
	id: z.string(),
	url,
	name,
	states,
	default: isDefault,
	state: z
		.enum(["unverified", "enabled", "disabled"])
		.meta({ description: "`unverified`: it has not answered a challenge yet, and is told of nothing." }),
	disabledFor: z.enum(["command", "failing", "gone"]).optional(),
	disabledAt: z.string().optional(),
	verifiedAt: z.string().optional(),
	failingSince: z.string().optional(),
	secrets: z
		.array(z.object({ id: z.string(), createdAt: z.string(), expiresAt: z.string().optional() }))
		.meta({ description: "Those that sign; the secrets themselves are shown once, when they are made." }),
	createdAt: z.string(),
	createdBy: z.string(),
};
const endpoint = z.object(shape).meta({ id: "WebhookEndpoint" });
const withSecret = z
	.object({ ...shape, secret: z.string().meta({ description: "Shown this once: `whsec_` and base64." }) })
	.meta({ id: "WebhookEndpointSecret" });
const endpointPage = z
	.object({ items: z.array(endpoint), next: z.string().optional() })
	.meta({ id: "WebhookEndpointPage" });

const tried = z.object({
	at: z.string(),
	status: z.int().optional(),
	code: z.string().optional().meta({ description: "Why there was no answer, or not the one that counts." }),
	milliseconds: z.int(),
});
const delivery = z
	.object({
		id: z.string().meta({ description: "Its `webhook-id`, the same at every try and replay." }),
		type: z.string(),
		message: z.string().optional(),
		sequence: z.int().optional(),
		at: z.string(),
		state: z.enum(["waiting", "delivered", "failed"]),
		code: z.string().optional(),
		nextAt: z.string().optional().meta({ description: "When it is tried next." }),
		tries: z.array(tried).meta({ description: `The last ${limits.webhookTriesKeptMax}.` }),
	})
	.meta({ id: "WebhookDelivery" });
const deliveryPage = z
	.object({ items: z.array(delivery), next: z.string().optional() })
	.meta({ id: "WebhookDeliveryPage" });

const replayInput = z
	.union([
		z.strictObject({ deliveries: z.array(z.string().max(64)).min(1).max(limits.webhookReplayItemsMax) }),
		z.strictObject({
			from: fields.time,
			to: fields.time.optional(),
			states: z
				.array(z.enum(["waiting", "delivered", "failed"]))
				.min(1)
				.default(["failed"])
				.meta({ description: "`waiting`: what is to be tried again later is tried now." }),
		}),
	])
	.meta({ id: "WebhookReplayRequest", description: "Deliveries by id, or those of events of that time." });
const replayed = z
	.object({
		count: z.int().meta({ description: "Deliveries that wait now." }),
		next: z
			.string()
			.optional()
			.meta({ description: "There are more than are replayed, or looked at, at once: ask again from this time." }),
	})
	.meta({ id: "WebhookReplay" });

export const webhookSchemas = {
	input,
	endpoint,
	withSecret,
	endpointPage,
	delivery,
	deliveryPage,
	replayInput,
	replayed,
};

export function viewEndpoint(found: WebhookEndpoint, now: number): z.output<typeof endpoint> {
	const { _id: id, url, name, states, isDefault, state, disabledFor, secrets, createdBy } = found;
	return withoutUndefined({
		id,
		url,
		name,
		states,
		default: isDefault,
		state,
		disabledFor,
		disabledAt: formatTime(found.disabledAt),
		verifiedAt: formatTime(found.verifiedAt),
		failingSince: formatTime(found.failingSince),
		secrets: secrets
			.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now)
			.map(({ id, createdAt, expiresAt }) =>
				withoutUndefined({ id, createdAt: new Date(createdAt).toISOString(), expiresAt: formatTime(expiresAt) }),
			),
		createdAt: new Date(found.createdAt).toISOString(),
		createdBy,
	});
}

export function viewDelivery(found: WebhookDelivery): z.output<typeof delivery> {
	const { _id: id, event, at, state, code, nextAt, tries } = found;
	return withoutUndefined({
		id,
		type: event ? `message.${event.state}` : "endpoint.challenge",
		message: event?.messageId,
		sequence: event?.sequence,
		at: new Date(at).toISOString(),
		state,
		code,
		nextAt: formatTime(nextAt),
		tries: tries.map(({ at, status, code, ms }) =>
			withoutUndefined({ at: new Date(at).toISOString(), status, code, milliseconds: ms }),
		),
	});
}
