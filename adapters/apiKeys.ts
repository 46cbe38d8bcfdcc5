// API keys given out, renewed and ended, each in the evidence log before it counts; of a key's text a keyed hash is kept.

import { apiKeyBytes, formatApiKey } from "../domain/apiKeyText.ts";
import { LetheError } from "../domain/errors.ts";
import type { Act } from "../domain/evidence.ts";
import type { IdKind } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import { machineRoles } from "../domain/roles.ts";
import { refuseLeaving } from "../domain/tenancy.ts";
import type { ApiKeyDocument, ApiKeySecret } from "./mongo/models.ts";
import type { Store } from "./mongo/store.ts";
import type { HmacKeys } from "./vault/hmacKeys.ts";

export type ApiKeys = ReturnType<typeof createApiKeys>;

/** A key's document, and its text, which is shown once; none where it signs instead. */
export type IssuedKey = { document: ApiKeyDocument; apiKey?: string };

type Deps = {
	store: {
		apiKeys: Pick<Store["apiKeys"], "find" | "insert" | "replaceSecrets" | "revoke">;
		tenants: Pick<Store["tenants"], "find">;
	};
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
	async function createSecret(after = 0): Promise<{ secret: ApiKeySecret; apiKey: string }> {
		const apiKey = formatApiKey(deps.randomBytes(apiKeyBytes));
		const { mac, version } = await deps.hmac.mac("api-key", undefined, apiKey);
		return { apiKey, secret: { mac, macVersion: version, createdAt: Math.max(deps.clock(), after) } };
	}

	return {
		/**
		 * `id`: of the key; where it stands, an earlier run made it and was cut off before it showed its text: another is shown.
		 * @throws LetheError person_required for a role that is people's; tenant_suspended when the tenant is leaving;
		 * key_changed when that one was rotated since, or has ended; keys_unavailable | store_unavailable
		 */
		async issue(
			by: string,
			given: Omit<ApiKeyDocument, "_id" | "secrets" | "shownTo" | "createdAt" | "createdBy" | "revokedAt">,
			{ textless = false, id = deps.ids.random("apiKey") }: { textless?: boolean; id?: string } = {},
		): Promise<IssuedKey> {
			if (!given.roles.every((role) => machineRoles.some((one) => one === role)))
				throw new LetheError("person_required");
			refuseLeaving(await deps.store.tenants.find(given.tenantId));
			const standing = await deps.store.apiKeys.find(id);
			if (standing && textless) return { document: standing };
			if (standing && standing.secrets[0]?.madeBy !== id) throw new LetheError("key_changed");
			if (standing) return rotate(by, standing, 0, id);
			const made = textless ? undefined : await createSecret();
			const { tenantId, roles } = given;
			await deps.evidence.append([{ type: "api_key_created", code: roles.join("."), tenantId, about: id, by }]);
			const shown = made ? { secrets: [{ ...made.secret, madeBy: id }], shownTo: [by] } : { secrets: [] };
			const document = { ...given, _id: id, ...shown, createdAt: deps.clock(), createdBy: by };
			if (!(await deps.store.apiKeys.insert(document))) throw new LetheError("key_changed");
			return { document, ...(made && { apiKey: made.apiKey }) };
		},

		rotate,

		/** Ends it at once, everywhere within a second. */
		async revoke(by: string, { _id: about, tenantId }: Pick<ApiKeyDocument, "_id" | "tenantId">): Promise<boolean> {
			await deps.evidence.append([{ type: "api_key_revoked", tenantId, about, by }]);
			return deps.store.apiKeys.revoke(about, deps.clock());
		},
	};

	/**
	 * A new text for the same key, which stays the same principal; the text before goes on for `overlapMs`, and any
	 * earlier one ends now. What `request` made before, and was cut off before it showed it, gives way and nothing else.
	 * @throws LetheError key_changed when it has ended, or was rotated meanwhile; key_without_text
	 */
	async function rotate(
		by: string,
		document: ApiKeyDocument,
		overlapMs: number,
		request = deps.ids.random("request"),
	): Promise<Required<IssuedKey>> {
		const now = deps.clock();
		const [current, ...earlier] = document.secrets;
		if (!current) throw new LetheError("key_without_text");
		const { revokedAt, expiresAt = Number.POSITIVE_INFINITY } = document;
		if (revokedAt !== undefined || expiresAt <= now) throw new LetheError("key_changed");
		// Of a key each is younger than the one before, whatever the clock says: the ledger tells them apart by that.
		const { apiKey, secret } = await createSecret(current.createdAt + 1);
		const before =
			current.madeBy === request
				? earlier
				: [endBy(current, now + overlapMs), ...earlier.map((old) => endBy(old, now))];
		const secrets = [{ ...secret, madeBy: request }, ...before].slice(0, secretsKeptMax);
		const set = { secrets, shownTo: addHolder(document, by) };
		const { _id: about, tenantId } = document;
		await deps.evidence.append([{ type: "api_key_rotated", tenantId, about, by }]);
		if (!(await deps.store.apiKeys.replaceSecrets(about, current.mac, set))) throw new LetheError("key_changed");
		return { document: { ...document, ...set }, apiKey };
	}
}

// However many texts come after: what was shown is known. One more than are asked after, and it counts as everybody's.
function addHolder({ shownTo = [] }: Pick<ApiKeyDocument, "shownTo">, by: string): string[] {
	return [...new Set([...shownTo, by])].slice(0, limits.keyHoldersMax + 1);
}

function endBy(secret: ApiKeySecret, at: number): ApiKeySecret {
	return { ...secret, endsAt: Math.min(secret.endsAt ?? at, at) };
}
