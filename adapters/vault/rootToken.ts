// A root token made by a quorum of unseal or recovery keys, for a set-up after the first one's was revoked.

import type { ServerTls } from "../serverTls.ts";
import { openVault } from "./connection.ts";

/**
 * Makes a root token; whoever uses it revokes it. Ends any other attempt that is under way.
 * @throws LetheError `keys_unavailable` when Vault is away, `internal` when it refuses a key
 * @throws Error when these keys are too few
 */
export async function makeRootToken(options: {
	address: string;
	keys: string[];
	tls?: ServerTls | undefined;
}): Promise<string> {
	const vault = openVault({ address: options.address, tls: options.tls, token: () => "" });
	try {
		await vault.remove("sys/generate-root/attempt");
		const { otp, nonce } = await vault.write("sys/generate-root/attempt");
		let answer: { complete?: boolean; encoded_token?: string; required?: number } = {};
		for (const key of options.keys) {
			answer = await vault.write("sys/generate-root/update", { key, nonce });
			if (answer.complete) break;
		}
		if (!answer.complete) throw new Error(`Vault asks for ${answer.required} keys, one a line; give that many.`);
		const pad = Buffer.from(otp);
		const bytes = Buffer.from(answer.encoded_token ?? "", "base64");
		return Buffer.from(bytes.map((byte, index) => byte ^ (pad[index] ?? 0))).toString();
	} finally {
		vault.close();
	}
}
