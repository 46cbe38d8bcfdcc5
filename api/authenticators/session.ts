// A person's session: its token as bearer, or in the cookie of a browser that shows one of our own pages.

import { rolesInForce } from "../../domain/person.ts";
import type { PersonSessions } from "../people/personSessions.ts";
import type { SessionCookie } from "../people/sessionCookie.ts";
import type { Authenticator } from "../plugins/auth.ts";

const bearer = /^Bearer (lethe_session_[\w-]{43})$/i;

/** Its calls throw LetheError unauthenticated | cross_origin | sessions_unavailable | store_unavailable | keys_unavailable. */
export function createSessionAuthenticator(deps: { sessions: PersonSessions; cookie: SessionCookie }): Authenticator {
	return async (request) => {
		const { authorization } = request.headers;
		// Whoever names other credentials means those.
		const token = authorization === undefined ? deps.cookie.read(request) : bearer.exec(authorization)?.[1];
		if (token === undefined) return undefined;
		request.session = await deps.sessions.use(token);
		const { person, session } = request.session;
		const roles = rolesInForce(person);
		return { id: person._id, tenantId: person.tenantId, roles, kind: "person", mfaAt: session.mfaAt };
	};
}
