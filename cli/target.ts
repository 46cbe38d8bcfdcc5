// Which deployment a command speaks to: named by options or environment, else the one running from this folder.

import { existsSync, readFileSync } from "node:fs";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import type { Config, VaultRole } from "../config.ts";
import {
	ledgerDirOf,
	logDirOf,
	readStackFile,
	type StackState,
	stackFilePath,
	witnessFilePath,
} from "../stack/stackFile.ts";
import { Refusal } from "./run.ts";
import { readSession } from "./session.ts";

export type ApiTarget = { url: string; apiKey: string };

const stackDir = fileURLToPath(new URL("../.lethe", import.meta.url));
const none = "no deployment is named and none runs from this folder. Run `npm start`, or";
const notRunning = `${none} give --url and --key.`;
const notStarted = (role: VaultRole) =>
	`${none} set its URLs and LETHE_VAULT_${role.toUpperCase()}_ROLE_ID with its secret-id.`;

/**
 * Which API, and by whose key or session: the key that is named, else whoever is signed in there, else, where it is the
 * API that runs from this folder, the demo's key: no other server is shown that.
 * @throws Refusal when neither options nor a running stack name an API
 */
export function apiTarget(options: { url?: string | undefined; key?: string | undefined }): ApiTarget {
	const url = apiUrl(options);
	const apiKey = options.key ?? readSession(url) ?? demoKeyFor(url, readStackFile(stackFilePath(stackDir)));
	if (!apiKey)
		throw new Refusal(runningApi() === undefined ? notRunning : `no key for ${url}: give --key, or sign in there.`);
	return { url, apiKey };
}

/** The demo's key, for the API of that stack and no other. */
export function demoKeyFor(url: string, stack: Pick<StackState, "processes" | "demo"> | undefined): string | undefined {
	const { url: plain, tlsUrl } = stack?.processes?.api ?? {};
	const isOwn = [plain, tlsUrl].some((own) => own !== undefined && new URL(own).origin === new URL(url).origin);
	return isOwn ? stack?.demo?.apiKey : undefined;
}

/** Where the API of that stack is reached, and what its callers and browsers know it as. */
export function urlsOf({ processes: { api } }: Pick<StackState, "processes">): { url?: string; publicUrl?: string } {
	return api?.url === undefined ? {} : { url: api.url, publicUrl: api.publicUrl ?? api.url };
}

/** @throws Refusal when neither an option nor a running stack names an API */
export function apiUrl(options: { url?: string | undefined }): string {
	const stack = readStackFile(stackFilePath(stackDir));
	trustLocalAuthority(stack?.authority?.certificateFile);
	const url = options.url ?? stack?.processes?.api?.url;
	if (!url) throw new Refusal(notRunning);
	return url;
}

/** The API that runs from this folder; undefined when none does. */
function runningApi(): string | undefined {
	return readStackFile(stackFilePath(stackDir))?.processes?.api?.url;
}

// What the stack of this folder speaks TLS with; other authorities are Node's to know, by NODE_EXTRA_CA_CERTS.
function trustLocalAuthority(certificateFile: string | undefined): void {
	if (!certificateFile || !existsSync(certificateFile)) return;
	setDefaultCACertificates([...getCACertificates("default"), readFileSync(certificateFile, "utf8")]);
}

const rolesOf = { admin: ["admin"], exporter: ["admin", "exporter"], restorer: ["admin", "eraser"] } as const;

/** Dependencies with the admin role, and others: from the environment, or from the stack that runs here. */
export async function adminDeps(name: keyof typeof rolesOf = "admin") {
	const config = await configOf(rolesOf[name]);
	const { createDeps } = await import("../deps.ts");
	return createDeps(config, name);
}

/** What reads logs, with the logreader role: from the environment or the stack that runs here. */
export async function logReading() {
	const { createLogReading } = await import("../deps.ts");
	return createLogReading(await configOf(["logreader"]));
}

/** What the canary needs of the stack whose file that is: the same, and to sign what it finds. */
export async function canaryReading(stackFile: string) {
	const roles = ["logreader", "canary"] as const;
	const { createLogReading } = await import("../deps.ts");
	return createLogReading(await configOf(roles, stackFile), roles);
}

/** The configuration with these roles: the environment's if it has the first one's credentials, else the stack's. */
async function configOf(roles: readonly [VaultRole, ...VaultRole[]], stackFile?: string): Promise<Config> {
	// Loaded only here, as createDeps: whoever speaks to the API needs none of it.
	const { loadConfig } = await import("../config.ts");
	const fromEnvironment = loadConfig();
	if (stackFile === undefined && fromEnvironment.vault.credentials[roles[0]]) return fromEnvironment;
	const stack = readStackFile(stackFile ?? stackFilePath(stackDir));
	if (!stack || stack.pid === null) throw new Error(notStarted(roles[0]));
	const { vault, mongodb, redis, temporal } = stack.servers;
	const { issueCredentials } = await import("../adapters/vault/issue.ts");
	const issuerToken = readFileSync(vault.issuerTokenFile, "utf8").trim();
	const credentials: Config["vault"]["credentials"] = {};
	for (const role of roles) credentials[role] = await issueCredentials({ address: vault.url, issuerToken, role });
	return {
		...fromEnvironment,
		logLevel: "silent",
		api: { ...fromEnvironment.api, ...urlsOf(stack) },
		logs: { ...fromEnvironment.logs, dir: fromEnvironment.logs.dir ?? logDirOf(stack.dir) },
		ledgerDir: fromEnvironment.ledgerDir ?? ledgerDirOf(stack.dir),
		temporal: { ...fromEnvironment.temporal, address: temporal.address, namespace: temporal.namespace },
		vault: { ...fromEnvironment.vault, address: vault.url, credentials },
		mongodb: { ...fromEnvironment.mongodb, url: mongodb.url },
		redis: { ...fromEnvironment.redis, url: redis.url },
		evidence: { ...fromEnvironment.evidence, witnessFile: witnessFilePath(stack.dir) },
	};
}
