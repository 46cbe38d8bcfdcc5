// A bearer API key, found by its keyed hash: within its time, and from where it may be used.

import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Category } from "../../domain/message.ts";
import { isSecret } from "../../domain/secretText.ts";
import { isWithin } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import type { Authenticator } from "../plugins/auth.ts";
import { type Alert, createWatch, type WatchDeps } from "./watch.ts";

// A revoked key is refused within this time.
const cacheMs = 500;
const cachedKeysMax = 10_000;
const bearerPattern = /^Bearer (lethe_key_\S{1,128})$/i;

type ApiKeyDeps = WatchDeps & { store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "findByMacs"> } };

/** Its calls throw LetheError unauthenticated | address_refused | store_unavailable | keys_unavailable. */
export function createApiKeyAuthenticator(deps: ApiKeyDeps): Authenticator {
	const watch = createWatch(deps);
	const find = createCache<ApiKeyDocument>({
		load: (macs) => deps.store.apiKeys.findByMacs(macs.split(" ")),
		clock: deps.clock,
		ttlMs: cacheMs,
		itemsMax: cachedKeysMax,
	});

	return async ({ headers, ip, id: requestId }) => {
		const text = bearerPattern.exec(headers.authorization ?? "")?.[1];
		if (text === undefined) return undefined;
		if (!isSecret("apiKey", text)) throw new LetheError("unauthenticated");
		const macs = (await deps.hmac.allMacs("api-key", undefined, text)).map(({ mac }) => mac);
		const key = await find(macs.join(" "));
		if (!key) throw new LetheError("unauthenticated");
		const ended = endOf(key, macs, deps.clock());
		if (ended) {
			await watch.alert(key, ended, requestId);
			throw new LetheError("unauthenticated");
		}
		if (key.addresses && !isWithin(key.addresses, ip)) {
			await watch.alert(key, "address_refused", requestId);
			throw new LetheError("address_refused");
		}
		await watch.noteUse(key, ip, requestId);
		const { _id: id, tenantId, roles, categories } = key;
		return { id, tenantId, roles, kind: "key", ...(categories && { categories: categories as Category[] }) };
	};
}

/** Why the text that has one of these hashes opens nothing any more. */
function endOf({ revokedAt, expiresAt, secrets }: ApiKeyDocument, macs: string[], now: number): Alert | undefined {
	const secret = secrets.find(({ mac }) => macs.includes(mac));
	if (revokedAt !== undefined && revokedAt <= now) return "revoked";
	if (expiresAt !== undefined && expiresAt <= now) return "expired";
	return secret === undefined || (secret.endsAt ?? Number.POSITIVE_INFINITY) <= now ? "superseded" : undefined;
}
