// From an empty Vault to one that Lethe can use: initialised, unsealed, provisioned, and no root token left.

import { join } from "node:path";
import { createIssuerToken, provisionVault, provisionVersion } from "../../adapters/vault/provision.ts";
import { makeRootToken } from "../../adapters/vault/rootToken.ts";
import { readIfThere, writePrivateFile } from "../files.ts";
import { fatal } from "../supervised.ts";

type Answer = Record<string, unknown>;

/** The key with which Vault is unsealed or a root token is made; the root token only until set-up is through. */
type RootFile = { key: string; rootToken?: string };

/**
 * Brings a Vault, at whatever point its set-up stopped, to where it hands out credentials. Does nothing if it is there.
 * @throws when the Vault does not answer, or can't be set up any more
 */
export async function setUpVault(options: {
	address: string;
	dataDir: string;
	issuerTokenFile: string;
	/** For Vault itself, whose audit is turned on over its API. */
	auditFile: string | undefined;
}): Promise<void> {
	const { address, dataDir, issuerTokenFile } = options;
	const rootFile = join(dataDir, "root.json");
	const versionFile = join(dataDir, "provision-version");
	const { initialized } = await call(address, "GET", "sys/init");
	if (!initialized) await initialise(address, rootFile);
	await unseal(address, rootFile);
	await waitForLeader(address);
	if (readIfThere(versionFile) === provisionVersion && (await isAlive(address, issuerTokenFile))) return;

	const root = readRoot(rootFile);
	const token = root.rootToken ?? (await makeRootToken({ address, keys: [root.key] }));
	if (root.rootToken === undefined) writeRoot(rootFile, { ...root, rootToken: token });
	if (options.auditFile) await turnAuditOn(address, token, options.auditFile);
	await provisionVault({ address, token });
	writePrivateFile(issuerTokenFile, await createIssuerToken({ address, token }));
	await call(address, "POST", "auth/token/revoke-self", {}, token);
	writeRoot(rootFile, { key: root.key });
	writePrivateFile(versionFile, provisionVersion);
}

/** Sets up a Vault that someone else runs, by a token of theirs, which stays valid. */
export async function setUpForeignVault(options: {
	address: string;
	token: string | undefined;
	dataDir: string;
	issuerTokenFile: string;
}): Promise<void> {
	const { address, token, dataDir, issuerTokenFile } = options;
	const doneFile = join(dataDir, "provisioned");
	const done = `${provisionVersion} ${address}`;
	if (readIfThere(doneFile) === done && (await isAlive(address, issuerTokenFile))) return;
	if (!token) {
		throw fatal(
			"VAULT_ADDR names a Vault that is not set up for Lethe: set VAULT_TOKEN once, to a token that may do it.",
		);
	}
	await provisionVault({ address, token });
	writePrivateFile(issuerTokenFile, await createIssuerToken({ address, token }));
	writePrivateFile(doneFile, done);
}

// It ends a year after its last use; and a Vault that keeps all in memory knows of none that it gave before.
async function isAlive(address: string, tokenFile: string): Promise<boolean> {
	const token = readIfThere(tokenFile);
	if (!token) return false;
	const { status } = await request(address, "GET", "auth/token/lookup-self", undefined, token);
	if (status >= 500 || status === 429) throw new Error(`Vault answers ${status}`);
	return status === 200;
}

async function initialise(address: string, rootFile: string): Promise<void> {
	const { type } = await call(address, "GET", "sys/seal-status");
	const shares =
		type === "shamir" ? { secret_shares: 1, secret_threshold: 1 } : { recovery_shares: 1, recovery_threshold: 1 };
	const answer = await call(address, "PUT", "sys/init", shares);
	const [key] = (type === "shamir" ? answer.keys : answer.recovery_keys) as string[];
	writeRoot(rootFile, { key: key as string, rootToken: answer.root_token as string });
}

async function unseal(address: string, rootFile: string): Promise<void> {
	const { sealed, type } = await call(address, "GET", "sys/seal-status");
	if (!sealed) return;
	// Other seals open by themselves, a moment later.
	if (type !== "shamir") throw new Error("Vault is still sealed");
	await call(address, "PUT", "sys/unseal", { key: readRoot(rootFile).key });
}

async function waitForLeader(address: string): Promise<void> {
	const { sealed, standby } = await call(address, "GET", "sys/health?standbyok=true");
	if (sealed || standby) throw new Error("Vault is not active yet");
}

async function turnAuditOn(address: string, token: string, file: string): Promise<void> {
	const { data } = await call(address, "GET", "sys/audit", undefined, token);
	if (data && "file/" in (data as Answer)) return;
	await call(address, "PUT", "sys/audit/file", { type: "file", options: { file_path: file } }, token);
}

function readRoot(path: string): RootFile {
	const text = readIfThere(path);
	if (text) return JSON.parse(text) as RootFile;
	throw fatal(
		`Vault's key file ${path} is gone: bring it back, or delete the folder it was in, which forgets all keys.`,
	);
}

function writeRoot(path: string, root: RootFile): void {
	writePrivateFile(path, JSON.stringify(root));
}

function request(address: string, method: string, path: string, body?: Answer, token?: string): Promise<Response> {
	return fetch(`${address}/v1/${path}`, {
		method,
		headers: token ? { "X-Vault-Token": token } : {},
		signal: AbortSignal.timeout(10_000),
		...(body ? { body: JSON.stringify(body) } : {}),
	});
}

async function call(address: string, method: string, path: string, body?: Answer, token?: string): Promise<Answer> {
	const response = await request(address, method, path, body, token);
	const text = await response.text();
	if (!response.ok) throw new Error(`Vault refused ${method} ${path}: status ${response.status}`);
	return text ? (JSON.parse(text) as Answer) : {};
}
