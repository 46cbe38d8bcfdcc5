// Values read from Vault that may change there: held, read again when they grow old, and kept in use while it is away.

import { LetheError } from "../../domain/errors.ts";

type Deps<T> = {
	/** Reads a value from Vault. */
	load: (name: string) => Promise<T>;
	/** Epoch milliseconds. */
	clock: () => number;
	/** After this long a value is read again before it is used. */
	refreshMs: number;
	/** While Vault is away, a value is used for so long at most. */
	staleMsMax: number;
	/** How many values are held; the one read longest ago makes room. */
	countMax: number;
};

type Held<T> = { value: T; loadedAt: number; retryAt: number };

const retryMs = 5_000;

/** Throws what `load` throws when nothing usable is held. Concurrent callers of a name share one request. */
export function createRefreshing<T>(deps: Deps<T>) {
	const held = new Map<string, Held<T>>();
	const pending = new Map<string, Promise<T>>();

	/** Reads a value from Vault now. */
	function refresh(name: string): Promise<T> {
		const running = pending.get(name);
		if (running !== undefined) return running;
		const request = deps
			.load(name)
			.then((value) => {
				const now = deps.clock();
				held.delete(name);
				const [oldest] = held.keys();
				if (oldest !== undefined && held.size >= deps.countMax) held.delete(oldest);
				held.set(name, { value, loadedAt: now, retryAt: now + deps.refreshMs });
				return value;
			})
			.finally(() => pending.delete(name));
		pending.set(name, request);
		return request;
	}

	return {
		refresh,

		/** The value, at most `refreshMs` old while Vault answers. */
		async get(name: string): Promise<T> {
			const entry = held.get(name);
			if (entry === undefined) return refresh(name);
			const now = deps.clock();
			const usable = now - entry.loadedAt < deps.staleMsMax;
			if (usable && now < entry.retryAt) return entry.value;
			try {
				return await refresh(name);
			} catch (error) {
				if (!usable || !(error instanceof LetheError) || error.code !== "keys_unavailable") throw error;
				entry.retryAt = now + retryMs;
				return entry.value;
			}
		},
	};
}
