// OpenBao or HashiCorp Vault on raft storage with an audit file: a real one, not its in-memory development mode.

import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { makePrivateFolder, readIfThere, writePrivateFile } from "../files.ts";
import type { ForeignOptions, ForeignServer, Server, ServerOptions } from "./server.ts";
import { setUpForeignVault, setUpVault } from "./vaultSetUp.ts";

const issuerTokenName = "issuer-token";
// It is kept with Vault's data, and no other is taken later: where Vault runs, so that the folder may be moved; one of
// HashiCorp's, told over its API before this, keeps the whole path.
const auditName = "audit.log";
// Lets whoever holds the recovery key make a root token, by which a later version sets this Vault up anew.
const rootFromKeys = "disable_unauthed_generate_root_endpoints = false";

export type VaultAddress = { url: string; auditFile: string | null; issuerTokenFile: string };

/** Plans a server that is initialised, unsealed and provisioned as soon as it answers. */
export async function planVault(options: ServerOptions): Promise<Server<VaultAddress>> {
	const { program, dataDir } = options;
	const isOpenBao = program.engine === "openbao";
	const url = `http://127.0.0.1:${await options.port("vault")}`;
	const clusterUrl = `http://127.0.0.1:${await options.port("vault-cluster")}`;
	const files = {
		settings: join(dataDir, "settings.hcl"),
		audit: join(dataDir, auditName),
		issuerToken: join(dataDir, issuerTokenName),
	};
	const raftDir = makePrivateFolder(join(dataDir, "raft"));
	const settings = [
		// A lone node need not wait long for rivals in an election.
		`storage "raft" { path = ${quote(raftDir)} node_id = "lethe" performance_multiplier = 1 }`,
		`listener "tcp" { address = ${quote(url.slice("http://".length))} tls_disable = true ${isOpenBao ? rootFromKeys : ""} }`,
		`api_addr = ${quote(url)}`,
		`cluster_addr = ${quote(clusterUrl)}`,
		`log_level = "warn"`,
		...(isOpenBao ? openBaoSettings(dataDir, auditPathOf(files)) : ["disable_mlock = true"]),
	];
	writePrivateFile(files.settings, `${settings.join("\n")}\n`);
	return {
		address: { url, auditFile: files.audit, issuerTokenFile: files.issuerToken },
		command: program.command,
		args: [...program.args, "server", "-config", files.settings],
		answers: () =>
			setUpVault({
				address: url,
				dataDir,
				issuerTokenFile: files.issuerToken,
				auditFile: isOpenBao ? undefined : auditName,
			}),
		readyMs: 90_000,
	};
}

/** A Vault that runs elsewhere; VAULT_TOKEN sets it up for Lethe, once. */
export function adoptVault({ url: named, dataDir, environment }: ForeignOptions): ForeignServer<VaultAddress> {
	const url = named.replace(/\/+$/, "");
	const issuerTokenFile = join(dataDir, issuerTokenName);
	return {
		address: { url, auditFile: null, issuerTokenFile },
		answers: () => setUpForeignVault({ address: url, token: environment.VAULT_TOKEN, dataDir, issuerTokenFile }),
	};
}

// OpenBao unseals itself by a key file and takes its audit from the settings; Vault is told both over its API.
function openBaoSettings(dataDir: string, auditFile: string) {
	const keyFile = join(dataDir, "seal-key");
	if (readIfThere(keyFile) === undefined) writePrivateFile(keyFile, randomBytes(32));
	return [
		`seal "static" { current_key_id = "k1" current_key = ${quote(`file://${keyFile}`)} }`,
		auditSetting(auditFile),
	];
}

function auditSetting(auditFile: string): string {
	return `audit "file" "file" { options = { file_path = ${quote(auditFile)} } }`;
}

/** As Vault has been told it. @throws of a folder that was moved and whose Vault was told it whole */
function auditPathOf({ settings, audit }: { settings: string; audit: string }): string {
	const before = readIfThere(settings);
	if (before === undefined || before.includes(auditSetting(auditName))) return auditName;
	if (before.includes(auditSetting(audit))) return audit;
	throw new Error(
		`Vault's folder ${dirname(settings)} was moved, and it opens only where it was: move it back, or delete it, which forgets all keys.`,
	);
}

// A path in HCL's double quotes: what would begin a template or end the string is escaped.
function quote(text: string): string {
	return JSON.stringify(text).replaceAll("${", "$${");
}
