// The transit keys there are, and the versions of each: read, added, ended, and what an old one wraps wrapped anew.

import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";

export type KeyVersions = ReturnType<typeof createKeyVersions>;

/** One key. `madeAt`: when its newest version was made, epoch ms. `opensFrom`: its oldest version that opens anything. */
export type VersionedKey = { name: string; newest: number; madeAt: number; opensFrom: number };

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
			return { name, newest, madeAt: timeOf(data.keys[newest]), opensFrom: data.min_decryption_version as number };
		},

		/** Adds a version; from now on it is the one that encrypts, hashes or signs. */
		rotate: async (name: string): Promise<void> => void (await vault.write(`${pathOf(name)}/rotate`)),

		/** Ends what is older than `version`: Vault opens nothing any more that was made under it. */
		retireBefore: async (name: string, version: number): Promise<void> =>
			void (await vault.write(`${pathOf(name)}/config`, { min_decryption_version: version })),

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
function timeOf(version: number | { creation_time: string }): number {
	return typeof version === "number" ? version * 1000 : Date.parse(version.creation_time);
}
