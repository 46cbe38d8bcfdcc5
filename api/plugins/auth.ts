// Who calls, by whichever of the ways in recognises its credentials; and, for itself, the roles that the route asks for.

import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import { LetheError } from "../../domain/errors.ts";
import type { Category } from "../../domain/message.ts";
import { type Role, roles } from "../../domain/roles.ts";

/** The caller, as far as the routes need to know. */
export type Principal = {
	/** Of the API key, the client, or the person. */
	id: string;
	tenantId: string;
	roles: readonly string[];
	/** What vouches for it: an API key, an access token, or a person's session. */
	kind: "key" | "token" | "person";
	/** The only categories that it may send; absent means any. */
	categories?: readonly Category[];
	/** When a person last showed a second factor, epoch ms. */
	mfaAt?: number;
};

/**
 * One way in. Undefined when the request bears no credentials of its kind, so that the next one is asked.
 * @throws LetheError unauthenticated when it bears some that don't hold
 */
export type Authenticator = (request: FastifyRequest) => Promise<Principal | undefined>;

declare module "fastify" {
	interface FastifyRequest {
		/** Set on every route that has `roles`. */
		principal: Principal;
	}
	interface FastifyContextConfig {
		/** A principal needs one of these; set from the table of roles. */
		roles?: readonly Role[];
		/** Only a person who signed in may; of one, whether the second factor must be fresh. Set from the same tables. */
		personOnly?: boolean;
		freshMfa?: boolean;
	}
}

/** Who may use which route; a route is its method and path. */
export type Access = {
	roles: Readonly<Record<string, readonly Role[]>>;
	/** Routes that are no key's and no token's, whatever its roles. */
	personRoutes?: ReadonlySet<string>;
	/** Routes for which a person must have shown a second factor within `freshMfaMs`. */
	freshMfaRoutes?: ReadonlySet<string>;
	freshMfaMs?: number;
};

/** Makes every route of this scope ask who calls; the first of `authenticators` that knows the credentials decides. */
export function addAuth(app: FastifyInstance, authenticators: readonly Authenticator[]): void {
	app.decorateRequest("principal");
	app.decorateRequest("session", undefined);
	app.addHook("onRequest", async (request) => {
		request.principal = await authenticate(authenticators, request);
	});
}

/**
 * Makes every route of this scope refuse whoever may not use it. Add it after the limits on who is let in, which then
 * hold for refusals too.
 * @throws at start when a route of the scope has no roles: none is public by being forgotten
 */
export function addAccess(
	app: FastifyInstance,
	{ roles: rolesOf, personRoutes, freshMfaRoutes, freshMfaMs = 0 }: Access,
	clock: () => number = Date.now,
): void {
	app.addHook("onRoute", (route: RouteOptions) => {
		const name = nameOf(route);
		const may = rolesOf[name];
		if (!may?.length) throw new Error(`${route.method} ${route.url} has no roles`);
		const personOnly = personRoutes?.has(name) ?? false;
		const freshMfa = freshMfaRoutes?.has(name) ?? false;
		route.config = { ...route.config, roles: may, personOnly, freshMfa };
	});
	app.addHook("onRequest", async (request) => {
		requireRole(request);
		requirePerson(request, clock() - freshMfaMs);
	});
}

// Where a GET is served, so is the HEAD that Fastify adds.
function nameOf({ method, url }: RouteOptions): string {
	return `${method === "HEAD" ? "GET" : method} ${url}`;
}

function requirePerson({ principal, routeOptions }: FastifyRequest, mfaFrom: number): void {
	const { personOnly, freshMfa } = routeOptions.config;
	const isPerson = principal.kind === "person";
	if (personOnly && !isPerson) throw new LetheError("person_required");
	if (freshMfa && isPerson && (principal.mfaAt ?? 0) < mfaFrom) throw new LetheError("fresh_mfa_required");
}

async function authenticate(authenticators: readonly Authenticator[], request: FastifyRequest): Promise<Principal> {
	for (const authenticator of authenticators) {
		const principal = await authenticator(request);
		if (principal) return principal;
	}
	throw new LetheError("unauthenticated");
}

function requireRole(request: FastifyRequest): void {
	const wanted: readonly string[] = request.routeOptions.config.roles ?? [];
	// What every role may is a person's own, and also theirs none of whose roles counts yet.
	if (request.session && wanted.length === roles.length) return;
	if (request.principal.roles.some((role) => wanted.includes(role))) return;
	throw new LetheError("forbidden", { errors: [{ pointer: "", detail: describeRoles(wanted) }] });
}

/** The table of roles is public; whom it shuts out is told which of them is missing. */
function describeRoles(wanted: readonly string[]): string {
	if (wanted.length === 1 && wanted[0] === "approver") return "It needs the role approver, which only people can have.";
	return `It needs the role ${wanted.join(" or ")}.`;
}
