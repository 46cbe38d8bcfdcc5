// Secrets of webhooks, encrypted by Vault itself: the API makes them and can't read them back, the sender signs with them.

import { randomBytes } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { webhookSecretPrefix } from "../../domain/webhook.ts";
import type { VaultClient } from "./client.ts";
import { vaultFailure } from "./connection.ts";
import { names } from "./policies.ts";

/** The secret's own id and whose it is: what was encrypted for one place is not opened for another. */
type Place = { endpointId: string; secretId: string };

export type WebhookSecrets = ReturnType<typeof createWebhookSecrets>;

// Standard Webhooks asks for 24 to 64.
const secretBytes = 32;

/** `create` is for the api role, `open` for the sender role. Both throw LetheError keys_unavailable while Vault is away. */
export function createWebhookSecrets({ vault }: { vault: Pick<VaultClient, "write"> }) {
	return {
		/** A new secret, to be shown once, and what is kept of it. */
		async create(place: Place): Promise<{ secret: Plaintext; sealed: string }> {
			const secret = `${webhookSecretPrefix}${randomBytes(secretBytes).toString("base64")}`;
			const body = { plaintext: Buffer.from(secret).toString("base64"), ...bind(place) };
			const answer = await vault.write(`${names.transit}/encrypt/${names.webhookKey}`, body);
			return { secret: Plaintext.text(secret), sealed: answer.data.ciphertext as string };
		},
		/** @throws LetheError internal when it belongs elsewhere or was changed */
		async open(place: Place, sealed: string): Promise<Plaintext> {
			const body = { ciphertext: sealed, ...bind(place) };
			try {
				const answer = await vault.write(`${names.transit}/decrypt/${names.webhookKey}`, body);
				return Plaintext.of(Buffer.from(answer.data.plaintext as string, "base64"));
			} catch (error) {
				if (vaultFailure(error)?.status !== 400) throw error;
				throw new LetheError("internal", { cause: "not_authentic" });
			}
		},
	};
}

function bind({ endpointId, secretId }: Place) {
	return { associated_data: Buffer.from(`lethe/webhook/v1/${endpointId}/${secretId}`).toString("base64") };
}
