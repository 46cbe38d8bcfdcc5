// Requests to Vault through node-vault: keep-alive, bounded waits, and failures that carry no token and no text of Vault's.

import http from "node:http";
import https from "node:https";
import nodeVault from "node-vault";
import { LetheError } from "../../domain/errors.ts";
import type { ServerTls } from "../serverTls.ts";

/** Private cause of a failure: enough to find the row of a policy, nothing secret. `status` 0 means no answer. */
export type VaultFailure = {
	source: "vault";
	operation: Operation;
	path: string;
	status: number;
	/** Vault says that the transit key does not exist. */
	keyMissing: boolean;
	/** Vault says that another version stands than the one that was to be written over (KV's check-and-set). */
	isOther: boolean;
};

export type VaultConnection = ReturnType<typeof openVault>;
type Operation = "read" | "write" | "delete";
type Body = Record<string, unknown>;
type RequestOptions = { token?: string; wrapTtl?: string };

const idleSocketMs = 60_000;

/**
 * Opens requests against one Vault. `token()` is asked before each request; "" sends none.
 * Every function throws LetheError `keys_unavailable` when Vault is away, sealed or overloaded, and `internal` with a
 * VaultFailure cause when it refuses; `read` answers undefined for what does not exist.
 */
export function openVault(options: {
	address: string;
	token: () => string;
	timeoutMs?: number | undefined;
	socketsMax?: number | undefined;
	tls?: ServerTls | undefined;
}) {
	const timeoutMs = options.timeoutMs ?? 5_000;
	// Idle sockets end here before Vault ends them, else a request may meet one that is just being closed.
	const agentOptions = { keepAlive: true, maxSockets: options.socketsMax ?? 32, timeout: idleSocketMs };
	const httpAgent = new http.Agent(agentOptions);
	const httpsAgent = new https.Agent({ ...agentOptions, ...options.tls });
	const vault = nodeVault({
		endpoint: options.address,
		requestOptions: { timeout: timeoutMs, httpAgent, httpsAgent },
		// node-vault would otherwise print request bodies under DEBUG, and skip TLS checks under VAULT_SKIP_VERIFY.
		debug: () => undefined,
		rpDefaults: { strictSSL: true },
	} as nodeVault.VaultOptions);
	// node-vault takes these from the environment; what this process may use comes from its settings only.
	Object.assign(vault, { token: "", namespace: "", pathPrefix: "" });

	async function request(operation: Operation, path: string, body: Body, extra: RequestOptions) {
		const token = extra.token ?? options.token();
		const headers: Record<string, string> = {};
		if (token !== "") headers["X-Vault-Token"] = token;
		if (extra.wrapTtl !== undefined) headers["X-Vault-Wrap-TTL"] = extra.wrapTtl;
		try {
			if (operation === "read") return await vault.read(path, { headers });
			if (operation === "delete") return await vault.delete(path, { headers });
			return await vault.write(path, body, { headers });
		} catch (error) {
			throw toLetheError(error, operation, path);
		}
	}

	return {
		/** GET; undefined when nothing is there. */
		async read(path: string, extra: RequestOptions = {}) {
			try {
				return await request("read", path, {}, extra);
			} catch (error) {
				if (vaultFailure(error)?.status === 404) return undefined;
				throw error;
			}
		},
		/** POST. */
		write: (path: string, body: Body = {}, extra: RequestOptions = {}) => request("write", path, body, extra),
		/** DELETE. */
		remove: (path: string) => request("delete", path, {}, {}),
		/** Closes idle sockets. */
		close(): void {
			httpAgent.destroy();
			httpsAgent.destroy();
		},
	};
}

/** What Vault did with a request that failed; undefined for any other failure. */
export function vaultFailure(error: unknown): VaultFailure | undefined {
	if (!(error instanceof LetheError)) return undefined;
	const cause = error.cause as VaultFailure | undefined;
	return cause?.source === "vault" ? cause : undefined;
}

/** A name that becomes one segment of a path. @throws RangeError when it could become anything else */
export function pathSegment(name: string): string {
	if (!/^[A-Za-z0-9_-]{1,128}$/.test(name)) throw new RangeError("not a name that may stand in a Vault path");
	return name;
}

// axios errors hold the request's headers, and so the token: only the status is taken from them.
function toLetheError(error: unknown, operation: Operation, path: string): LetheError {
	const response = (error as { response?: { statusCode?: number; body?: { errors?: unknown[] } } }).response;
	const status = response?.statusCode ?? 0;
	const says = (text: string) => status === 400 && String(response?.body?.errors?.[0]).includes(text);
	const keyMissing = says("encryption key not found");
	const isOther = says("check-and-set parameter did not match");
	const cause: VaultFailure = { source: "vault", operation, path, status, keyMissing, isOther };
	const away = status === 0 || status === 412 || status === 429 || status >= 500;
	return new LetheError(away ? "keys_unavailable" : "internal", { cause });
}
