// The transit keys there are, and the versions of each: read, added, ended for good, and what an old one wraps wrapped anew.

import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";

export type KeyVersions = ReturnType<typeof createKeyVersions>;

/**
 * One key. `madeAt`: when its newest version was made, epoch ms. `keptFrom`: its oldest version that Vault has;
 * `makesFrom`: its oldest that Vault still encrypts or signs by. `versions`: those that serve, the oldest first.
 */
export type VersionedKey = {
	name: string;
	newest: number;
	madeAt: number;
	keptFrom: number;
	makesFrom: number;
	versions: { version: number; madeAt: number }[];
};

/** Each function works only for a role whose policy allows it (policies.ts). Throws LetheError as the client does. */
export function createKeyVersions({ vault }: { vault: Pick<VaultClient, "read" | "write"> }) {
	const pathOf = (name: string) => `transit/keys/${pathSegment(name)}`;

	return {
		/** Every key's name. */
		async names(): Promise<string[]> {
			return ((await vault.read("transit/keys?list=true"))?.data.keys ?? []) as string[];
		},

		/** Undefined when there is no such key. */
		async read(name: string): Promise<VersionedKey | undefined> {
			const data = (await vault.read(pathOf(name)))?.data;
			if (data === undefined) return undefined;
			const newest = data.latest_version as number;
			const times = Object.entries(data.keys as Record<string, VaultTime>);
			const versions = times
				.map(([version, time]) => ({ version: Number(version), madeAt: timeOf(time) }))
				.sort((one, other) => one.version - other.version);
			const keptFrom = Math.max(1, data.min_available_version as number);
			const makesFrom = Math.max(1, data.min_encryption_version as number);
			return { name, newest, madeAt: timeOf(data.keys[newest]), keptFrom, makesFrom, versions };
		},

		/** Adds a version; from now on it is the one that encrypts, hashes or signs. */
		rotate: async (name: string): Promise<void> => void (await vault.write(`${pathOf(name)}/rotate`)),

		/**
		 * Ends what is older than `version`, for good: Vault opens nothing any more that was made under it, exports it no
		 * more, and keeps no copy that could be let in again. Stopped half way, it is done by the next call.
		 */
		async endBefore(name: string, version: number): Promise<void> {
			// Vault trims only what neither opens nor makes anything any more.
			const least = { min_decryption_version: version, min_encryption_version: version };
			await vault.write(`${pathOf(name)}/config`, least);
			await vault.write(`${pathOf(name)}/trim`, { min_available_version: version });
		},

		/** Ends only that Vault signs by what is older than `version`: its public keys stay, for what it has signed. */
		endSigningBefore: async (name: string, version: number): Promise<void> =>
			void (await vault.write(`${pathOf(name)}/config`, { min_encryption_version: version })),

		/** The same secrets, wrapped by the newest version; nothing is opened outside Vault. */
		async rewrap(name: string, wrapped: readonly string[]): Promise<string[]> {
			const rewrapped: string[] = [];
			for (let start = 0; start < wrapped.length; start += limits.rewrapPageItems) {
				const page = wrapped.slice(start, start + limits.rewrapPageItems);
				const batch_input = page.map((ciphertext) => ({ ciphertext }));
				const answer = await vault.write(`transit/rewrap/${pathSegment(name)}`, { batch_input });
				const results = answer.data.batch_results as { ciphertext?: string }[];
				rewrapped.push(...page.map((_, index) => results[index]?.ciphertext ?? refuse()));
			}
			return rewrapped;
		},
	};
}

function refuse(): never {
	throw new LetheError("internal", { cause: "a wrapped key that Vault does not open" });
}

// Seconds of a symmetric key's version; an object with RFC 3339 of a signing key's.
type VaultTime = number | { creation_time: string };

function timeOf(version: VaultTime): number {
	return typeof version === "number" ? version * 1000 : Date.parse(version.creation_time);
}
