// What time Vault has: receipts are judged by time, and the two machines that must agree are seldom one.

import type { ServerTls } from "../serverTls.ts";
import { openVault } from "./connection.ts";

// Also of one that stands by or is sealed: its clock runs.
const path = "sys/health?standbyok=true&sealedcode=200&uninitcode=200&performancestandbycode=200&drsecondarycode=200";

/** Epoch ms, to the second; asks for no token. @throws LetheError keys_unavailable when Vault is away */
export async function readTime(options: { address: string; tls?: ServerTls | undefined }): Promise<number> {
	const vault = openVault({ ...options, token: () => "" });
	try {
		const health = (await vault.read(path)) as { server_time_utc: number };
		return health.server_time_utc * 1000;
	} finally {
		vault.close();
	}
}
