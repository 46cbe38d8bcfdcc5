// A bearer API key, found by its keyed hash.

import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Authenticator } from "../plugins/auth.ts";

// A revoked key is refused within this time.
const cacheMs = 500;
const cachedKeysMax = 10_000;
const keyPattern = /^Bearer (lethe_key_[\w-]{16,128})$/i;

type ApiKeyDeps = Pick<ApiDeps, "clock" | "hmac"> & {
	store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "findByMacs"> };
};

/** Its calls throw LetheError unauthenticated | store_unavailable | keys_unavailable. */
export function createApiKeyAuthenticator(deps: ApiKeyDeps): Authenticator {
	const find = createCache<ApiKeyDocument>({
		load: (macs) => deps.store.apiKeys.findByMacs(macs.split(" ")),
		clock: deps.clock,
		ttlMs: cacheMs,
		itemsMax: cachedKeysMax,
	});

	return async ({ headers }) => {
		const key = keyPattern.exec(headers.authorization ?? "")?.[1];
		if (!key) return undefined;
		const macs = await deps.hmac.allMacs("api-key", undefined, key);
		const found = await find(macs.map(({ mac }) => mac).join(" "));
		const now = deps.clock();
		const ended = Math.min(found?.revokedAt ?? Number.POSITIVE_INFINITY, found?.expiresAt ?? Number.POSITIVE_INFINITY);
		if (!found || ended <= now) throw new LetheError("unauthenticated");
		return { id: found._id, tenantId: found.tenantId, roles: found.roles, kind: "key" };
	};
}
