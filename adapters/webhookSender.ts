// Sends one webhook as Standard Webhooks has it signed, by every secret of its endpoint. https://www.standardwebhooks.com

import { createHmac } from "node:crypto";
import { createMemory } from "../domain/cache.ts";
import { limits } from "../domain/limits.ts";
import { type WebhookEndpoint, type WebhookSecret, webhookSecretPrefix } from "../domain/webhook.ts";
import type { OutboundAnswer, OutboundHttp } from "./outboundHttp.ts";
import type { WebhookSecrets } from "./vault/webhookSecrets.ts";

export type WebhookSender = ReturnType<typeof createWebhookSender>;

// A secret in memory spares Vault a request an event; one that was withdrawn signs nothing, for its endpoint says so.
const heldMs = 10 * 60_000;
const heldMax = 1_000;

export function createWebhookSender(deps: {
	http: Pick<OutboundHttp, "request">;
	secrets: Pick<WebhookSecrets, "open">;
	/** Epoch milliseconds. */
	clock: () => number;
}) {
	const remember = createMemory({ clock: deps.clock, itemsMax: heldMax });

	async function openKey(endpointId: string, { id, sealed }: WebhookSecret): Promise<Buffer> {
		return remember(`${endpointId} ${sealed}`, heldMs, async () => {
			const secret = await deps.secrets.open({ endpointId, secretId: id }, sealed);
			return Buffer.from(secret.reveal().slice(webhookSecretPrefix.length), "base64");
		});
	}

	/**
	 * Posts `payload` once. An answer of the receiver's is no failure of this call, whatever its status.
	 * @throws LetheError keys_unavailable when its secrets can't be read, and then nothing was sent
	 */
	return async function send(
		endpoint: Pick<WebhookEndpoint, "_id" | "url" | "secrets">,
		{ id, payload }: { id: string; payload: string },
	): Promise<OutboundAnswer> {
		const now = deps.clock();
		const active = endpoint.secrets.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now);
		const keys = await Promise.all(active.map((secret) => openKey(endpoint._id, secret)));
		const timestamp = String(Math.floor(now / 1000));
		const sign = (key: Buffer) => createHmac("sha256", key).update(`${id}.${timestamp}.${payload}`).digest("base64");
		return deps.http.request({
			url: endpoint.url,
			method: "POST",
			headers: {
				"content-type": "application/json",
				"user-agent": "Lethe",
				"webhook-id": id,
				"webhook-timestamp": timestamp,
				"webhook-signature": keys.map((key) => `v1,${sign(key)}`).join(" "),
			},
			body: payload,
			timeoutMs: limits.webhookTimeoutMs,
			answerBytesMax: limits.webhookAnswerBytesMax,
			mayBeCut: true,
		});
	};
}
