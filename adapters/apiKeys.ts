// API keys given out, renewed and ended, each in the evidence log before it counts; of a key's text a keyed hash is kept.

import { apiKeyBytes, formatApiKey } from "../domain/apiKeyText.ts";
import { LetheError } from "../domain/errors.ts";
import type { Act } from "../domain/evidence.ts";
import type { IdKind } from "../domain/ids.ts";
import { machineRoles } from "../domain/roles.ts";
import type { ApiKeyDocument, ApiKeySecret } from "./mongo/models.ts";
import type { Store } from "./mongo/store.ts";
import type { HmacKeys } from "./vault/hmacKeys.ts";

export type ApiKeys = ReturnType<typeof createApiKeys>;

/** A key's document, and its text, which is shown once; none where it signs instead. */
export type IssuedKey = { document: ApiKeyDocument; apiKey?: string };

type Deps = {
	store: { apiKeys: Pick<Store["apiKeys"], "insert" | "replaceSecrets" | "revoke"> };
	hmac: Pick<HmacKeys, "mac">;
	evidence: { append: (acts: Act[]) => Promise<unknown> };
	ids: { random: (kind: IdKind) => string };
	clock: () => number;
	randomBytes: (size: number) => Uint8Array;
};

// Ended ones stay known for a while: who still uses one is told apart from who guesses.
const secretsKeptMax = 4;

/** `by`: the principal's id, or one of the actors. */
export function createApiKeys(deps: Deps) {
	async function createSecret(): Promise<{ secret: ApiKeySecret; apiKey: string }> {
		const apiKey = formatApiKey(deps.randomBytes(apiKeyBytes));
		const { mac, version } = await deps.hmac.mac("api-key", undefined, apiKey);
		return { apiKey, secret: { mac, macVersion: version, createdAt: deps.clock() } };
	}

	return {
		/** @throws LetheError person_required for a role that is people's; keys_unavailable | store_unavailable */
		async issue(
			by: string,
			given: Omit<ApiKeyDocument, "_id" | "secrets" | "createdAt" | "createdBy" | "revokedAt">,
			{ textless }: { textless: boolean } = { textless: false },
		): Promise<IssuedKey> {
			if (!given.roles.every((role) => machineRoles.some((one) => one === role)))
				throw new LetheError("person_required");
			const made = textless ? undefined : await createSecret();
			const _id = deps.ids.random("apiKey");
			const { tenantId, roles } = given;
			await deps.evidence.append([{ type: "api_key_created", code: roles.join("."), tenantId, about: _id, by }]);
			const secrets = made ? [made.secret] : [];
			const document = { ...given, _id, secrets, createdAt: deps.clock(), createdBy: by };
			await deps.store.apiKeys.insert(document);
			return { document, ...(made && { apiKey: made.apiKey }) };
		},

		/**
		 * A new text for the same key, which stays the same principal; the text before goes on for `overlapMs`, and any
		 * earlier one ends now.
		 * @throws LetheError key_changed when it was revoked or rotated meanwhile; key_without_text
		 */
		async rotate(by: string, document: ApiKeyDocument, overlapMs: number): Promise<Required<IssuedKey>> {
			const now = deps.clock();
			const [current, ...earlier] = document.secrets;
			if (!current) throw new LetheError("key_without_text");
			const { apiKey, secret } = await createSecret();
			const secrets = [secret, endBy(current, now + overlapMs), ...earlier.map((old) => endBy(old, now))].slice(
				0,
				secretsKeptMax,
			);
			const { _id: about, tenantId } = document;
			await deps.evidence.append([{ type: "api_key_rotated", tenantId, about, by }]);
			if (!(await deps.store.apiKeys.replaceSecrets(about, current.mac, secrets))) throw new LetheError("key_changed");
			return { document: { ...document, secrets }, apiKey };
		},

		/** Ends it at once, everywhere within a second. */
		async revoke(by: string, { _id: about, tenantId }: Pick<ApiKeyDocument, "_id" | "tenantId">): Promise<boolean> {
			await deps.evidence.append([{ type: "api_key_revoked", tenantId, about, by }]);
			return deps.store.apiKeys.revoke(about, deps.clock());
		},
	};
}

function endBy(secret: ApiKeySecret, at: number): ApiKeySecret {
	return { ...secret, endsAt: Math.min(secret.endsAt ?? at, at) };
}
