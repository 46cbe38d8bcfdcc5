// Keeps a fresh wrapped secret-id of each role in files, so that the processes of a deployment may restart by themselves.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openVault, vaultFailure } from "../adapters/vault/connection.ts";
import { issueCredentials } from "../adapters/vault/issue.ts";
import { type Role, roles } from "../adapters/vault/policies.ts";
import { loadConfig, required } from "../config.ts";

// Each look is a line in Vault's audit log; a process that starts twice within it is started once more.
const checkEveryMs = 10_000;
// Half of a wrapped secret-id's life: whoever reads the file has time to use it.
const renewAfterMs = 5 * 60_000;

type Slot = { path: string; role: Role; wrapped?: { token: string; issuedAt: number } };

const [issuerTokenPath, folder, ...processes] = process.argv.slice(2);
if (!issuerTokenPath || !folder || processes.length === 0) misuse();
const slots = processes.flatMap((entry) => parseSlots(folder, entry));
const issuerToken = readFileSync(issuerTokenPath, "utf8").trim();
const { vault: settings } = loadConfig();
const server = { address: required(settings.address, "VAULT_ADDR"), tls: settings.tls };
const vault = openVault({ ...server, token: () => "" });
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));

for (;;) {
	for (const slot of slots) await refresh(slot).catch((error) => report(slot, error));
	await sleep(checkEveryMs);
}

function misuse(): never {
	console.error("Usage: node stack/credentials.ts ISSUER_TOKEN_FILE FOLDER PROCESS:ROLE[,ROLE…] …");
	console.error(`ROLE is one of ${roles.join(", ")}.`);
	process.exit(2);
}

function parseSlots(parent: string, entry: string): Slot[] {
	const [name, list] = entry.split(":");
	return (list ?? "").split(",").map((text) => {
		const role = roles.find((known) => known === text);
		if (!name || !role) misuse();
		return { path: join(parent, name, role), role };
	});
}

async function refresh(slot: Slot): Promise<void> {
	if (slot.wrapped && Date.now() - slot.wrapped.issuedAt < renewAfterMs && (await isUnused(slot.wrapped.token))) return;
	const { wrappedSecretId } = await issueCredentials({ ...server, issuerToken, role: slot.role });
	// Renamed into place: a process that starts meanwhile reads the old one or the new one, never half of it.
	writeFileSync(`${slot.path}.new`, wrappedSecretId, { mode: 0o400 });
	renameSync(`${slot.path}.new`, slot.path);
	slot.wrapped = { token: wrappedSecretId, issuedAt: Date.now() };
}

async function isUnused(token: string): Promise<boolean> {
	try {
		await vault.write("sys/wrapping/lookup", { token });
		return true;
	} catch (error) {
		if (vaultFailure(error)?.status === 400) return false;
		throw error;
	}
}

function report(slot: Slot, error: unknown): void {
	const failure = vaultFailure(error);
	console.error(`${slot.role}: no fresh credentials: ${failure ? `Vault answered ${failure.status}` : String(error)}`);
}
