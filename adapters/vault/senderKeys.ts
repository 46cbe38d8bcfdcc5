// What tenants sign end-to-end encrypted texts by: X25519 key pairs in Vault's KV store, made once, never overwritten.

import { generateKey, type PrivateKey, type PublicKey } from "../../client/e2ee.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { VaultClient } from "./client.ts";
import { createRefreshing } from "./refreshing.ts";
import { listSenderKeys, senderFolder } from "./senderFolder.ts";

export type SenderKeys = ReturnType<typeof createSenderKeys>;

const refreshMs = 60_000;
const keysHeldMax = 10_000;

/**
 * For the api role, which uses them; the admin role makes newer ones and reads none. What was made a minute ago is used.
 * The functions throw LetheError keys_unavailable while Vault is away and the key is not held.
 */
export function createSenderKeys(deps: { vault: Pick<VaultClient, "read" | "write">; clock: () => number }) {
	const { vault } = deps;
	const keys = createRefreshing({
		load: (tenantId) => readAll(vault, tenantId),
		clock: deps.clock,
		refreshMs,
		staleMsMax: limits.senderKeyStaleMsMax,
		countMax: keysHeldMax,
	});

	/** Makes the key of that number, if there is none: nobody may write over one. */
	async function make(tenantId: string, number: number): Promise<void> {
		const body = { options: { cas: 0 }, data: { key: await generateKey() } };
		await vault.write(`kv/data/${senderFolder(tenantId)}/${number}`, body);
	}

	return {
		/** The newest; the first use for a tenant makes it. */
		async own(tenantId: string): Promise<PrivateKey> {
			const [newest] = await keys.get(tenantId);
			if (newest) return newest;
			// Refused where another process was first: its key is the one.
			const failure = await make(tenantId, 1).catch((error: unknown) => error);
			const [made] = await keys.refresh(tenantId);
			// Whoever shares a reading that began before it was made finds it the next time.
			if (!made) throw failure ?? new LetheError("keys_unavailable", { cause: "a key that was just made" });
			return made;
		},

		/** What texts of the tenant open by, the newest first; none before the first use. */
		async publicKeys(tenantId: string): Promise<PublicKey[]> {
			return (await keys.get(tenantId)).map(({ kty, crv, x }) => ({ kty, crv, x }));
		},

		/** Makes a newer one. Texts of before open by the older ones. Answers its number. For the admin role. */
		async rotate(tenantId: string): Promise<number> {
			const number = Math.max(0, ...(await listSenderKeys(vault, tenantId))) + 1;
			await make(tenantId, number);
			return number;
		},
	};
}

async function readAll(vault: Pick<VaultClient, "read">, tenantId: string): Promise<PrivateKey[]> {
	const numbers = await listSenderKeys(vault, tenantId);
	const answers = await Promise.all(numbers.map((number) => vault.read(`kv/data/${senderFolder(tenantId)}/${number}`)));
	return answers.flatMap((answer) => (answer?.data.data?.key as PrivateKey | undefined) ?? []);
}
