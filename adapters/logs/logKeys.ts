// The key pair of the logs: every process knows the public half, the private one is kept in Vault for whoever may read logs.

import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "../vault/client.ts";

const recipientPath = "kv/data/logs/recipient";
const identityPath = (recipient: string) => `kv/data/logs/identities/${recipient}`;

export type LogKeys = ReturnType<typeof createLogKeys>;

/** Each function works only for a role whose policy allows it (vault/policies.ts). Throws LetheError as the client does. */
export function createLogKeys({ vault }: { vault: Pick<VaultClient, "read" | "write"> }) {
	/** Undefined before any was made. */
	async function find(): Promise<string | undefined> {
		const answer = await vault.read(recipientPath);
		return answer?.data?.data?.recipient as string | undefined;
	}

	/** Makes a pair; what is written from then on is for it, and what was written before stays readable. */
	async function renew(): Promise<string> {
		const identity = await generateX25519Identity();
		const recipient = await identityToRecipient(identity);
		// The private half first: nothing may be written that nobody can read.
		await vault.write(identityPath(recipient), { data: { identity }, options: { cas: 0 } });
		await vault.write(recipientPath, { data: { recipient, madeAt: new Date().toISOString() } });
		return recipient;
	}

	return {
		renew,
		/** Makes the first pair of a deployment; does nothing where there is one. */
		async ensure(): Promise<void> {
			if ((await find()) === undefined) await renew();
		},
		/** The public half that lines are encrypted for now. @throws LetheError internal when none was made */
		async recipient(): Promise<string> {
			const found = await find();
			if (found === undefined) throw new LetheError("internal", { cause: { source: "vault", missing: recipientPath } });
			return found;
		},
		/** Every private half that there is. */
		async identities(): Promise<string[]> {
			const list = await vault.read("kv/metadata/logs/identities?list=true");
			const names = (list?.data.keys ?? []) as string[];
			const secrets = await Promise.all(names.map((name) => vault.read(identityPath(name))));
			return secrets.flatMap((secret) => (secret?.data?.data?.identity as string | undefined) ?? []);
		},
	};
}
