// A cohort's key made new: another version, the wrapping keys wrapped by it, and the end of the old one.

import { limits } from "../domain/limits.ts";
import type { KeyVersions } from "./vault/keyVersions.ts";
import type { WrappingKeyRecord } from "./vault/wrappingKeys.ts";

export type KeyRotation = ReturnType<typeof createKeyRotation>;

/**
 * `resting`: all is wrapped by the newest version, and the old ones may still be needed by what was drawn just before.
 * `done`: they are ended. `gone`: there is no such key.
 */
export type Renewal = { state: "resting" | "done" | "gone"; rewrappedCount: number };

export function createKeyRotation(deps: {
	keyVersions: Pick<KeyVersions, "read" | "rotate" | "rewrap" | "endBefore">;
	wrappingKeys: {
		findByCohort(cohortId: string): Promise<Pick<WrappingKeyRecord, "_id" | "wrapped">[]>;
		replaceWrapped(changes: { id: string; from: string; to: string }[]): Promise<void>;
	};
	clock: () => number;
}) {
	const { keyVersions, wrappingKeys } = deps;

	async function rewrapStale(name: string, cohortId: string, newest: number): Promise<number> {
		const current = `vault:v${newest}:`;
		const stale = (await wrappingKeys.findByCohort(cohortId)).filter(({ wrapped }) => !wrapped.startsWith(current));
		for (let start = 0; start < stale.length; start += limits.rewrapPageItems) {
			const page = stale.slice(start, start + limits.rewrapPageItems);
			const rewrapped = await keyVersions.rewrap(
				name,
				page.map(({ wrapped }) => wrapped),
			);
			// Durable by the page: whoever goes on after a kill finds only what is left.
			const changes = page.map(({ _id: id, wrapped: from }, index) => ({ id, from, to: rewrapped[index] as string }));
			await wrappingKeys.replaceWrapped(changes);
		}
		return stale.length;
	}

	return {
		/**
		 * Takes a cohort's key as far as it goes now: a new version if its newest was made by `madeBefore`; every wrapping key
		 * wrapped by the newest; and, once nothing can be on its way that was drawn under an older one, the end of those.
		 * May be repeated, by two at once, and after a kill at any point. Times are epoch ms.
		 * @throws LetheError keys_unavailable | store_unavailable
		 */
		async renew(cohortId: string, madeBefore: number): Promise<Renewal> {
			const name = `cohort-${cohortId}`;
			let key = await keyVersions.read(name);
			if (key && key.madeAt <= madeBefore) {
				await keyVersions.rotate(name);
				key = await keyVersions.read(name);
			}
			if (!key) return { state: "gone", rewrappedCount: 0 };
			const rewrappedCount = await rewrapStale(name, cohortId, key.newest);
			if (key.keptFrom === key.newest) return { state: "done", rewrappedCount };
			if (rewrappedCount > 0 || deps.clock() < key.madeAt + limits.keyRestMs)
				return { state: "resting", rewrappedCount };
			await keyVersions.endBefore(name, key.newest);
			return { state: "done", rewrappedCount };
		},
	};
}
