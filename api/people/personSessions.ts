// Sessions of people who signed in: a random token whose keyed hash is in Redis, with an idle and an absolute limit.

import { randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { StoredPerson } from "../../adapters/mongo/people.ts";
import type { PersonMacs } from "../../adapters/personMacs.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Session, SignInMethod } from "../../domain/person.ts";
import type { ApiDeps } from "../deps.ts";

export type PersonSessions = ReturnType<typeof createPersonSessions>;

type Deps = Pick<ApiDeps, "clock" | "ids" | "sessions" | "sessionLimits"> & {
	macs: PersonMacs;
	store: { people: Pick<ApiDeps["store"]["people"], "find"> };
};

/** A session in use, with the person as they are now. */
export type LiveSession = { mac: string; session: Session; person: StoredPerson };

declare module "fastify" {
	interface FastifyRequest {
		/** Set where a person's session was recognised. */
		session: LiveSession | undefined;
	}
}

// Whoever was taken a role or has left is refused within this time.
const cacheMs = 500;
const cachedPeopleMax = 10_000;
const prefix = "lethe_session_";

/** Its calls throw LetheError sessions_unavailable | store_unavailable | keys_unavailable. */
export function createPersonSessions(deps: Deps) {
	const { clock, macs, sessions } = deps;
	const { idleMs, lifeMs } = deps.sessionLimits;
	const find = createCache({
		// Each session its own: one that has just begun must not be given what an older one remembers of its person.
		load: (name) => deps.store.people.find(name.split(" ")[0] ?? ""),
		clock,
		ttlMs: cacheMs,
		itemsMax: cachedPeopleMax,
	});

	/** Whether it still holds, by the person as they are. */
	function holds(
		{ startedAt, sessionsFrom }: Session,
		person: StoredPerson | undefined,
		now: number,
	): person is StoredPerson {
		const inTime = startedAt <= now + limits.clockSkewMs && now < startedAt + lifeMs;
		if (!inTime || person === undefined || person.endedAt !== undefined) return false;
		// What they showed may have been taken from them before it began.
		return startedAt >= person.sessionsFrom && (sessionsFrom ?? person.sessionsFrom) === person.sessionsFrom;
	}

	async function list(person: StoredPerson) {
		const found = await sessions.list(person._id, idleMs);
		const now = clock();
		return found
			.filter(({ session }) => holds(session, person, now))
			.sort((a, b) => b.session.startedAt - a.session.startedAt);
	}

	return {
		/**
		 * Begins a session; the token is shown once. The oldest beyond `limits.sessionsPerPersonMax` end.
		 * @param person as they were when they showed who they are
		 * @param mfaAt when a second factor was shown, epoch ms; just now unless told
		 */
		async start(
			person: StoredPerson,
			method: SignInMethod,
			mfaAt?: number,
		): Promise<{ token: string; session: Session }> {
			const token = `${prefix}${randomBytes(32).toString("base64url")}`;
			const now = clock();
			const { _id: personId, tenantId, sessionsFrom } = person;
			const id = deps.ids.random("session");
			const times = { startedAt: now, sessionsFrom, mfaAt: Math.min(mfaAt ?? now, now) };
			const session = { id, personId, tenantId, method, ...times };
			await sessions.put(await macs.one("session", token), session, { idleMs, lifeMs });
			for (const { mac } of (await list(person)).slice(limits.sessionsPerPersonMax)) await sessions.end(personId, mac);
			return { token, session };
		},
		/** The session of a token, whose idle time begins anew. @throws LetheError unauthenticated when it holds no more */
		async use(token: string): Promise<LiveSession> {
			const found = token.startsWith(prefix) ? await sessions.use(await macs.all("session", token), idleMs) : undefined;
			if (!found) throw new LetheError("unauthenticated");
			const person = await find(`${found.session.personId} ${found.session.id}`);
			if (holds(found.session, person, clock())) return { ...found, person };
			await sessions.end(found.session.personId, found.mac);
			throw new LetheError("unauthenticated");
		},
		/** Those that hold, the newest first. */
		list,
		end: sessions.end,
		/** When it ends at the latest, and when it ends unless it is used before; epoch ms. */
		endsOf: ({ startedAt }: Session) => ({ endsAt: startedAt + lifeMs, idleEndsAt: clock() + idleMs }),
		lifeMs,
	};
}

/** The session of a route that only people may use. */
export function sessionOf({ session }: Pick<FastifyRequest, "session">): LiveSession {
	if (!session) throw new LetheError("person_required");
	return session;
}
