// Whether a principal is a person's own doing: they are it, or were shown the text of the key that it is.

import { limits } from "../domain/limits.ts";
import type { ApiDeps } from "./deps.ts";

export type StandsBehindDeps = { store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find"> } };

/**
 * What one person does by a key that they made, were ever shown a text of, or made another key with, is their own: nobody
 * approves that themselves. Whoever hides behind too many is taken for the person. @throws LetheError store_unavailable
 */
export async function standsBehind(
	{ store }: StandsBehindDeps,
	personId: string,
	principalId: string,
): Promise<boolean> {
	const known = new Set([principalId]);
	for (const id of known) {
		if (id === personId || known.size > limits.keyHoldersMax) return true;
		const key = await store.apiKeys.find(id);
		if (!key) continue;
		for (const by of [key.createdBy, ...(key.shownTo ?? [])]) known.add(by);
	}
	return false;
}
