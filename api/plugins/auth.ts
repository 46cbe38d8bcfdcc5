// Who calls, by whichever of the ways in recognises its credentials; and, for itself, the roles that the route asks for.

import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import { LetheError } from "../../domain/errors.ts";
import type { Category } from "../../domain/message.ts";
import type { Role } from "../../domain/roles.ts";

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
		/** Who may use the route; set from the table of access. */
		access?: Access;
	}
}

/** Who may use a route. */
export type Access = {
	/** One of them is enough. */
	roles: readonly Role[];
	/** No key and no token may, whatever its roles. */
	personOnly?: true;
	/** A person must have shown a second factor within `freshMfaMs`. */
	freshMfa?: true;
	/** Everybody who signed in may, whatever their roles. */
	own?: true;
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
 * @param table method and path → who may
 * @throws at start when a route of the scope has no row, or a row no route: none is public, or asks less, by being forgotten
 */
export function addAccess(
	app: FastifyInstance,
	table: Readonly<Record<string, Access>>,
	{ freshMfaMs, clock }: { freshMfaMs: number; clock: () => number },
): void {
	const unserved = new Set(Object.keys(table));
	app.addHook("onRoute", (route: RouteOptions) => {
		const name = nameOf(route);
		const access = table[name];
		if (!access?.roles.length) throw new Error(`${route.method} ${route.url} has no roles`);
		unserved.delete(name);
		route.config = { ...route.config, access };
	});
	app.addHook("onReady", async () => {
		if (unserved.size > 0) throw new Error(`no such route: ${[...unserved].join(", ")}`);
	});
	app.addHook("onRequest", async (request) => {
		const { access } = request.routeOptions.config;
		if (!access) throw new LetheError("forbidden", { cause: "no access" });
		requireRole(request, access);
		requirePerson(request, access, clock() - freshMfaMs);
	});
}

// Where a GET is served, so is the HEAD that Fastify adds.
function nameOf({ method, url }: RouteOptions): string {
	return `${method === "HEAD" ? "GET" : method} ${url}`;
}

function requirePerson({ principal }: FastifyRequest, { personOnly, freshMfa }: Access, mfaFrom: number): void {
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

function requireRole({ session, principal }: FastifyRequest, { roles, own }: Access): void {
	const wanted: readonly string[] = roles;
	if (own && session) return;
	if (principal.roles.some((role) => wanted.includes(role))) return;
	throw new LetheError("forbidden", { errors: [{ pointer: "", detail: describeRoles(wanted) }] });
}

/** The table of roles is public; whom it shuts out is told which of them is missing. */
function describeRoles(wanted: readonly string[]): string {
	if (wanted.length === 1 && wanted[0] === "approver") return "It needs the role approver, which only people can have.";
	return `It needs the role ${wanted.join(" or ")}.`;
}
