// The session of somebody who has just shown who they are, in a cookie or as a token, in place of the one that they had.

import type { FastifyReply, FastifyRequest } from "fastify";
import type { StoredPerson } from "../../adapters/mongo/people.ts";
import type { SignInMethod } from "../../domain/person.ts";
import type { ApiDeps } from "../deps.ts";
import type { PersonSessions } from "./personSessions.ts";
import type { SessionCookie } from "./sessionCookie.ts";
import { viewSession } from "./viewSession.ts";

type Deps = Pick<ApiDeps, "evidence"> & { personSessions: PersonSessions; cookie: SessionCookie };

type Begin = {
	person: StoredPerson;
	method: SignInMethod;
	as: "cookie" | "token";
	/** When a second factor was shown, epoch ms; just now unless told. */
	mfaAt?: number;
	/** The session that it takes the place of, where the request does not bear that. */
	before?: { personId: string; mac: string } | undefined;
};

/** In the evidence log first. Answers what is shown of it, with its token where it goes in no cookie. */
export async function beginSession(
	deps: Deps,
	{ person, method, as, mfaAt, before }: Begin,
	request: FastifyRequest,
	reply: FastifyReply,
) {
	const { personSessions, cookie } = deps;
	const { _id, tenantId } = person;
	await deps.evidence.append([{ type: "signed_in", code: method, tenantId, about: _id, by: _id }]);
	const { token, session } = await personSessions.start(person, method, mfaAt);
	const old = before ?? (await sessionBefore(deps, request));
	if (old) await personSessions.end(old.personId, old.mac);
	if (as === "cookie") cookie.set(reply, token, personSessions.lifeMs);
	const view = viewSession(session, person, personSessions.endsOf(session));
	return as === "token" ? { ...view, token } : view;
}

/** What a request bears of a session; ask before anything is done. @throws LetheError cross_origin */
export function tokenBefore(cookie: SessionCookie, request: FastifyRequest): string | undefined {
	return request.headers.authorization?.replace(/^Bearer /i, "") ?? cookie.read(request);
}

/** The session that a request bears, if it holds. */
export async function sessionBefore(
	{ personSessions, cookie }: Omit<Deps, "evidence">,
	request: FastifyRequest,
): Promise<{ personId: string; mac: string } | undefined> {
	const token = tokenBefore(cookie, request);
	const found = token === undefined ? undefined : await personSessions.use(token).catch(() => undefined);
	return found && { personId: found.session.personId, mac: found.mac };
}
