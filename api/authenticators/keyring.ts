// API keys as their callers show them: by their text, or by their id where something else vouches for it; within their time and place.

import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { isApiKey } from "../../domain/apiKeyText.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Category } from "../../domain/message.ts";
import { isWithin } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import type { Principal } from "../plugins/auth.ts";
import { createTenants, type TenantsDeps } from "../tenants.ts";
import { type Alert, createWatch, type WatchDeps } from "./watch.ts";

export type Keyring = ReturnType<typeof createKeyring>;

/** Where a request comes from, and its own id. */
type From = { ip: string; id: string };

// A revoked key is refused within this time.
const cacheMs = 500;
const cachedKeysMax = 10_000;

type KeyringDeps = WatchDeps &
	TenantsDeps & { store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find" | "findByMacs"> } };

/** Its calls throw LetheError unauthenticated | address_refused | store_unavailable | keys_unavailable. */
export function createKeyring(deps: KeyringDeps) {
	const watch = createWatch(deps);
	const { readTenant } = createTenants(deps);
	const remembering = { clock: deps.clock, ttlMs: cacheMs, itemsMax: cachedKeysMax };
	const { apiKeys } = deps.store;
	const findByMacs = createCache<ApiKeyDocument>({
		...remembering,
		load: (macs) => apiKeys.findByMacs(macs.split(" ")),
	});
	const findById = createCache<ApiKeyDocument>({ ...remembering, load: (id) => apiKeys.find(id) });

	async function admit(key: ApiKeyDocument, ended: Alert | undefined, { ip, id }: From): Promise<ApiKeyDocument> {
		if (ended) {
			await watch.alert(key, ended, id);
			throw new LetheError("unauthenticated");
		}
		if (key.addresses && !isWithin(key.addresses, ip)) {
			await watch.alert(key, "address_refused", id);
			throw new LetheError("address_refused");
		}
		await watch.noteUse(key, ip, id);
		return key;
	}

	return {
		alert: watch.alert,
		/** The key whose text this is. */
		async open(text: string, from: From): Promise<ApiKeyDocument> {
			if (!isApiKey(text)) throw new LetheError("unauthenticated");
			const macs = (await deps.hmac.allMacs("api-key", undefined, text)).map(({ mac }) => mac);
			const key = await findByMacs(macs.join(" "));
			if (!key) throw new LetheError("unauthenticated");
			const now = deps.clock();
			const secret = key.secrets.find(({ mac }) => macs.includes(mac));
			const superseded = secret === undefined || (secret.endsAt ?? Number.POSITIVE_INFINITY) <= now;
			return admit(key, endOf(key, now) ?? (superseded ? "superseded" : undefined), from);
		},
		/** The key of that id, for whoever has shown in another way that it is theirs. */
		async recall(keyId: string, from: From): Promise<ApiKeyDocument> {
			const key = await findById(keyId);
			if (!key) throw new LetheError("unauthenticated");
			return admit(key, endOf(key, deps.clock()), from);
		},
		/** Takes note that somebody claimed to be the key of that id and could not show it. */
		async doubt(keyId: string, { id }: From): Promise<void> {
			const key = await findById(keyId);
			if (key) await watch.alert(key, "client_refused", id);
		},
		/**
		 * Whether its request must be signed too, or that of whom a tenant's issuer vouches for: it asks for that, or its
		 * tenant does. `isStepUp`: of a person the route asks for a fresh second factor.
		 */
		async mustSign(
			{ proof, tenantId }: Pick<ApiKeyDocument, "proof" | "tenantId">,
			isStepUp: boolean,
		): Promise<boolean> {
			if (proof === "signature") return true;
			const { requiresSignatures } = await readTenant({ tenantId });
			return requiresSignatures === true || (requiresSignatures === "step_up" && isStepUp);
		},
		/** Its public keys, to check what it has signed before it is admitted. */
		publicKeys: async (keyId: string) => (await findById(keyId))?.publicKeys ?? [],
	};
}

/** A key as the routes know it. */
export function principalOf(key: ApiKeyDocument, kind: Principal["kind"], roles = key.roles): Principal {
	const { _id: id, tenantId, categories } = key;
	return { id, tenantId, roles, kind, ...(categories && { categories: categories as Category[] }) };
}

function endOf({ revokedAt, expiresAt }: ApiKeyDocument, now: number): Alert | undefined {
	if (revokedAt !== undefined && revokedAt <= now) return "revoked";
	return expiresAt !== undefined && expiresAt <= now ? "expired" : undefined;
}
