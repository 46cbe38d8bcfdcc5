// Whether a principal is a person's own doing: they are it, or were shown the text of the key that it is.

import type { ApiDeps } from "./deps.ts";

export type StandsBehindDeps = { store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find"> } };

// Keys that made keys; whoever hides behind more is taken for the person.
const keysAskedMax = 32;

/**
 * What one person does by a key that they made, have had renewed, or made another key with, is their own: nobody approves
 * that themselves. @throws LetheError store_unavailable
 */
export async function standsBehind(
	{ store }: StandsBehindDeps,
	personId: string,
	principalId: string,
): Promise<boolean> {
	const known = new Set([principalId]);
	for (const id of known) {
		if (id === personId || known.size > keysAskedMax) return true;
		const key = await store.apiKeys.find(id);
		if (!key) continue;
		for (const by of [key.createdBy, ...key.secrets.map(({ shownTo }) => shownTo)]) if (by) known.add(by);
	}
	return false;
}
