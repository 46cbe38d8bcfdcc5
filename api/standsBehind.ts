// Whether a principal is a person's own doing: they are it, or were shown the text of the key that it is.

import { isId } from "../domain/ids.ts";
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
		if (id === personId || isTooMany([...known])) return true;
		const key = await store.apiKeys.find(id);
		if (!key) continue;
		// What is kept of them is cut off there: who is missing from it may be the person.
		if ((key.shownTo ?? []).length > limits.keyHoldersMax) return true;
		for (const by of [key.createdBy, ...(key.shownTo ?? [])]) known.add(by);
	}
	return false;
}

// The keys that lead from one holder to another are none of them; but they are looked up, and no more of them than that.
function isTooMany(known: readonly string[]): boolean {
	const keys = known.filter((id) => isId("apiKey", id)).length;
	return known.length - keys > limits.keyHoldersMax || keys > limits.keyHoldersMax;
}
