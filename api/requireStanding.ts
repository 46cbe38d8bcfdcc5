// Whether whoever asks still may, by the store: for half a second a process may not know that they were ended.

import type { FastifyRequest } from "fastify";
import { LetheError } from "../domain/errors.ts";
import type { ApiDeps } from "./deps.ts";

type Deps = {
	store: {
		apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find">;
		people: Pick<ApiDeps["store"]["people"], "find">;
	};
};

/**
 * Asked once something is made that outlives its maker: whoever ended them meanwhile was told of what there was by then, or
 * the maker is shown nothing. @throws LetheError unauthenticated
 */
export async function requireStanding(
	{ store }: Deps,
	{ principal, session }: Pick<FastifyRequest, "principal" | "session">,
): Promise<void> {
	if (!session) {
		if ((await store.apiKeys.find(principal.id))?.revokedAt !== undefined) throw new LetheError("unauthenticated");
		return;
	}
	const person = await store.people.find(principal.id);
	const isOver = person?.endedAt !== undefined || person?.sessionsFrom !== session.person.sessionsFrom;
	if (isOver) throw new LetheError("unauthenticated");
}
