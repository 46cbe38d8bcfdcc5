// Values read from Vault that may change there: held, read again when they grow old, and kept in use while it is away.

import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { type Schedule, schedule as scheduleTimer } from "./schedule.ts";

type Deps<T> = {
	/** Reads a value from Vault. */
	load: (name: string) => Promise<T>;
	/** Milliseconds; one that was set back has a value believed for longer than its time. */
	clock: () => number;
	/** After this long a value is read again before it is used. */
	refreshMs: number;
	/** While Vault is away, a value is used, and kept in memory, for so long at most. */
	staleMsMax: number;
	/** What is not asked for is looked at after this long, and let go of when Vault has it no more. */
	heldMsMax?: number;
	schedule?: Schedule;
	/** How many values are held; the one read longest ago makes room. */
	countMax: number;
};

type Held<T> = { value: T; loadedAt: number; retryAt: number; unwatch: () => void };

const retryMs = 5_000;

/** Throws what `load` throws when nothing usable is held. Concurrent callers of a name share one request. */
export function createRefreshing<T>(deps: Deps<T>) {
	const held = new Map<string, Held<T>>();
	const pending = new Map<string, Promise<T>>();
	const { schedule = scheduleTimer, heldMsMax = limits.wrappingKeyAgeMsMax } = deps;

	/** Reads a value from Vault now. */
	function refresh(name: string): Promise<T> {
		const running = pending.get(name);
		if (running !== undefined) return running;
		const request = deps
			.load(name)
			.then((value) => {
				const now = deps.clock();
				letGo(name);
				const [oldest] = held.keys();
				if (oldest !== undefined && held.size >= deps.countMax) letGo(oldest);
				const entry = { value, loadedAt: now, retryAt: now + deps.refreshMs, unwatch: () => undefined };
				held.set(name, entry);
				watch(name, entry);
				return value;
			})
			.catch((error: unknown) => {
				// What Vault has no more is no more held here.
				if (!isAway(error)) letGo(name);
				throw error;
			})
			.finally(() => pending.delete(name));
		pending.set(name, request);
		return request;
	}

	// Its timer, too: what was read every few seconds would stay in memory for as long as that runs.
	function letGo(name: string): void {
		held.get(name)?.unwatch();
		held.delete(name);
	}

	// A value that nobody asks for any more must not outlive what it was read from, nor its own time while Vault is away.
	function watch(name: string, entry: Held<T>): void {
		const leftMs = () => entry.loadedAt + deps.staleMsMax - deps.clock();
		entry.unwatch = schedule(
			() => {
				if (held.get(name) !== entry) return;
				if (leftMs() <= 0) letGo(name);
				else refresh(name).catch((error: unknown) => isAway(error) && watch(name, entry));
			},
			Math.max(0, Math.min(heldMsMax, leftMs())),
		);
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
				if (!usable || !isAway(error)) throw error;
				// From when it failed: a Vault that hangs takes as long to.
				entry.retryAt = deps.clock() + retryMs;
				return entry.value;
			}
		},
	};
}

function isAway(error: unknown): boolean {
	return error instanceof LetheError && error.code === "keys_unavailable";
}
