// The ledger in Vault's KV store: a secret an entry, created by check-and-set, in folders that stay small enough to list.

import type { Epoch, LedgerEntry } from "../../domain/ledger.ts";
import { keyOf, ledgerKinds } from "../../domain/ledger.ts";
import type { VaultClient } from "../vault/client.ts";
import { pathSegment, vaultFailure } from "../vault/connection.ts";
import type { LedgerPlace } from "./ledger.ts";

const shardCharacters = 2;
const readsAtOnce = 16;
const roundsMax = 16;

/** `name`: the database that it is about. Which role may do which is in the adapter's policies. */
export function createVaultLedger({
	vault,
	name,
}: {
	vault: Pick<VaultClient, "read" | "write" | "remove">;
	name: string;
}): LedgerPlace {
	const base = `ledger/${pathSegment(name)}`;
	const pathOf = (kind: string, id: string) => {
		// Ids end in random letters; what follows them, of an entry that ends another, is no part of them.
		const shard = (id.split("-")[0] as string).slice(-shardCharacters);
		return `${base}/${kind}/${pathSegment(shard)}/${pathSegment(id)}`;
	};
	const list = async (path: string): Promise<string[]> => {
		const answer = await vault.read(`kv/metadata/${path}?list=true`);
		return ((answer?.data.keys ?? []) as string[]).map((key) => key.replace(/\/$/, ""));
	};

	/** Where each entry is, and which. */
	const listAll = async () => {
		const found: { path: string; key: string }[] = [];
		for (const kind of ledgerKinds) {
			for (const shard of await list(`${base}/${kind}`)) {
				for (const id of await list(`${base}/${kind}/${shard}`)) {
					found.push({ path: `kv/data/${base}/${kind}/${shard}/${id}`, key: keyOf({ kind, _id: id }) });
				}
			}
		}
		return found;
	};

	return {
		name: "vault",
		async put(entry) {
			try {
				await vault.write(`kv/data/${pathOf(entry.kind, entry._id)}`, { options: { cas: 0 }, data: { entry } });
			} catch (error) {
				// It stands already, and the first one counts.
				if (!vaultFailure(error)?.isOther) throw error;
			}
		},
		async forget(kind, id) {
			await vault.remove(`kv/metadata/${pathOf(kind, id)}`);
		},
		async all() {
			const paths = (await listAll()).map(({ path }) => path);
			const entries: LedgerEntry[] = [];
			for (let from = 0; from < paths.length; from += readsAtOnce) {
				const answers = await Promise.all(paths.slice(from, from + readsAtOnce).map((path) => vault.read(path)));
				entries.push(...answers.flatMap((answer) => (answer?.data.data?.entry as LedgerEntry | undefined) ?? []));
			}
			return entries;
		},
		keys: async () => (await listAll()).map(({ key }) => key),
		async readEpoch() {
			const answer = await vault.read(`kv/data/${base}/epoch`);
			return answer?.data.data?.epoch as Epoch | undefined;
		},
		async writeEpoch(epoch, follows) {
			for (let round = 1; ; round++) {
				const answer = await vault.read(`kv/data/${base}/epoch`);
				if (!follows(answer?.data.data?.epoch as Epoch | undefined)) return;
				const cas = (answer?.data.metadata.version as number | undefined) ?? 0;
				try {
					return void (await vault.write(`kv/data/${base}/epoch`, { options: { cas }, data: { epoch } }));
				} catch (error) {
					// Another wrote meanwhile: whether this one follows that is to be seen.
					if (!vaultFailure(error)?.isOther || round === roundsMax) throw error;
				}
			}
		},
	};
}
