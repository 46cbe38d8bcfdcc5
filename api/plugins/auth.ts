// Who calls: a bearer API key, found by its keyed hash, and the roles that the route asks for.

import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import type { ApiDeps } from "../deps.ts";

export type Role = "sender" | "compliance" | "approver" | "operator" | "auditor" | "admin";

/** Who may read messages and what is proven of them: everyone but approvers, who see proposals. */
export const readRoles = ["sender", "compliance", "operator", "auditor", "admin"] as const satisfies Role[];

/** The caller, as far as the routes need to know. */
export type Principal = { id: string; tenantId: string; roles: string[] };

declare module "fastify" {
	interface FastifyRequest {
		/** Set on every route that has `roles`. */
		principal: Principal;
	}
	interface FastifyContextConfig {
		/** A principal needs one of these. */
		roles?: readonly Role[];
	}
}

// A revoked key is refused within this time.
const cacheMs = 500;
const cachedKeysMax = 10_000;
const keyPattern = /^Bearer (lethe_key_[\w-]{16,128})$/i;

/**
 * Makes every route of this scope ask for an API key.
 * @throws at start when a route of the scope names no roles: none is public by being forgotten
 */
export function addAuth(app: FastifyInstance, deps: AuthDeps): void {
	const authenticate = createAuth(deps);
	app.decorateRequest("principal");
	app.addHook("onRoute", (route: RouteOptions) => {
		if (!route.config?.roles?.length) throw new Error(`${route.method} ${route.url} names no roles`);
	});
	app.addHook("onRequest", async (request) => {
		request.principal = await authenticate(request.headers.authorization);
		requireRole(request);
	});
}

type AuthDeps = Pick<ApiDeps, "clock" | "hmac"> & {
	store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "findByMacs"> };
};

/** Finds the principal of an Authorization header. @throws LetheError unauthenticated, store_unavailable */
function createAuth(deps: AuthDeps) {
	const find = createCache<ApiKeyDocument>({
		load: (macs) => deps.store.apiKeys.findByMacs(macs.split(" ")),
		clock: deps.clock,
		ttlMs: cacheMs,
		itemsMax: cachedKeysMax,
	});

	return async function authenticate(authorization: string | undefined): Promise<Principal> {
		const key = keyPattern.exec(authorization ?? "")?.[1];
		if (!key) throw new LetheError("unauthenticated");
		const macs = await deps.hmac.allMacs("api-key", undefined, key);
		const found = await find(macs.map(({ mac }) => mac).join(" "));
		const now = deps.clock();
		const ended = Math.min(found?.revokedAt ?? Number.POSITIVE_INFINITY, found?.expiresAt ?? Number.POSITIVE_INFINITY);
		if (!found || ended <= now) throw new LetheError("unauthenticated");
		return { id: found._id, tenantId: found.tenantId, roles: found.roles };
	};
}

function requireRole(request: FastifyRequest): void {
	const wanted: readonly string[] = request.routeOptions.config.roles ?? [];
	if (!request.principal.roles.some((role) => wanted.includes(role))) throw new LetheError("forbidden");
}
