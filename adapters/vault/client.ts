// One process's session with Vault: unwraps its secret-id, logs in, renews its token, and says so when it is lost.

import { LetheError } from "../../domain/errors.ts";
import type { ServerTls } from "../serverTls.ts";
import { openVault, vaultFailure } from "./connection.ts";
import { retryCommit } from "./retryCommit.ts";
import { type Schedule, schedule as scheduleTimer } from "./schedule.ts";

export type VaultClient = Awaited<ReturnType<typeof createVaultClient>>;

type Deps = {
	address: string;
	roleId: string;
	wrappedSecretId: string;
	/** Epoch milliseconds. */
	clock: () => number;
	/** Called once when Vault says that the token is gone: the process must restart with a fresh wrapped secret-id. */
	onLost: () => void;
	timeoutMs?: number;
	socketsMax?: number;
	tls?: ServerTls | undefined;
	schedule?: Schedule;
};

type Login = { auth: { client_token: string; lease_duration: number } };

const retryFirstMs = 1_000;
const retryMaxMs = 60_000;

/**
 * Logs in through AppRole. The wrapped secret-id is used up even when this fails.
 * @throws LetheError `keys_unavailable` when Vault is away; `internal` when it refuses: a wrapped secret-id that was
 * unwrapped before, by whomever, is refused
 */
export async function createVaultClient(deps: Deps) {
	const { address, timeoutMs, socketsMax, tls } = deps;
	const vault = openVault({ address, token: () => token.value(), timeoutMs, socketsMax, tls });
	const token = createToken({ ...deps, renewSelf: () => vault.write("auth/token/renew-self") });

	async function login(): Promise<Login> {
		const unwrapped = await vault.write("sys/wrapping/unwrap", {}, { token: deps.wrappedSecretId });
		const login = { role_id: deps.roleId, secret_id: unwrapped.data.secret_id };
		return retryCommit(() => vault.write("auth/approle/login", login));
	}

	// A token may end before its time (revoked, or Vault restored): a refusal asks whether the token itself still lives.
	async function guarded<T>(request: () => Promise<T>): Promise<T> {
		if (token.isLost()) throw new LetheError("keys_unavailable");
		try {
			return await request();
		} catch (error) {
			if (vaultFailure(error)?.status !== 403) throw error;
			await token.renew();
			if (token.isLost()) throw new LetheError("keys_unavailable", { cause: (error as LetheError).cause });
			throw error;
		}
	}

	try {
		token.accept(await login());
	} catch (error) {
		vault.close();
		throw error;
	}
	return {
		/** GET; undefined when nothing is there. */
		read: (path: string) => guarded(() => vault.read(path)),
		/** POST. */
		write: (path: string, body: Record<string, unknown> = {}) => guarded(() => vault.write(path, body)),
		/** DELETE. */
		remove: (path: string) => guarded(() => vault.remove(path)),
		/** Whether the token is gone; every request then fails with `keys_unavailable`. */
		isLost: token.isLost,
		/** Gives the token back; best effort, since it ends by itself. */
		async close(): Promise<void> {
			const revoke = token.isLost() ? undefined : vault.write("auth/token/revoke-self").catch(() => undefined);
			token.end();
			await revoke;
			vault.close();
		},
	};
}

function createToken(deps: Pick<Deps, "clock" | "onLost" | "schedule"> & { renewSelf: () => Promise<Login> }) {
	const schedule = deps.schedule ?? scheduleTimer;
	let value = "";
	let endsAt = 0;
	let lost = false;
	let retryMs = retryFirstMs;
	let cancelTimer = (): void => undefined;
	let renewal: Promise<void> | undefined;

	function accept({ auth }: Login): void {
		if (lost) return;
		const leaseMs = auth.lease_duration * 1000;
		value = auth.client_token;
		endsAt = deps.clock() + leaseMs;
		retryMs = retryFirstMs;
		renewAfter(leaseMs / 2);
	}

	function renewAfter(afterMs: number): void {
		cancelTimer();
		cancelTimer = schedule(() => void renew(), afterMs);
	}

	/** Concurrent calls share one request. Never throws: what it learns is in `isLost`. */
	function renew(): Promise<void> {
		renewal ??= tryRenewal().finally(() => {
			renewal = undefined;
		});
		return renewal;
	}

	async function tryRenewal(): Promise<void> {
		try {
			accept(await deps.renewSelf());
		} catch (error) {
			if (lost) return;
			const away = error instanceof LetheError && error.code === "keys_unavailable";
			if (!away) {
				end();
				deps.onLost();
				return;
			}
			// The last tries come ever sooner: a Vault that is back before the token's end is not slept through. After it Vault is
			// to say that it is over: until then nobody logs in anew, and what needs no Vault goes on.
			const leftMs = endsAt - deps.clock();
			renewAfter(leftMs > 0 ? Math.max(retryFirstMs, Math.min(retryMs, leftMs / 2)) : retryMs);
			retryMs = Math.min(retryMs * 2, retryMaxMs);
		}
	}

	function end(): void {
		lost = true;
		value = "";
		cancelTimer();
	}

	return { value: () => value, isLost: () => lost, accept, renew, end };
}
