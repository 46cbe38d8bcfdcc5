// The plain wrapping keys of this process: drawn or unwrapped once, used within bounds, forgotten in time.

import { createSecretKey, type KeyObject } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { formatId, idBytes } from "../../domain/ids.ts";
import { limits as domainLimits } from "../../domain/limits.ts";
import type { CohortKeys } from "./cohortKeys.ts";
import { type Schedule, schedule as scheduleTimer } from "./schedule.ts";
import { notAuthentic } from "./seal.ts";

/** The wrapped copy of a wrapping key, as stored: Vault's text, useless without the cohort's key. */
export type WrappingKeyRecord = { _id: string; cohortId: string; wrapped: string; createdAt: number };

export type WrappingKeyStore = {
	/** Resolves once the record is durable. */
	insert(record: WrappingKeyRecord): Promise<void>;
	find(id: string): Promise<Pick<WrappingKeyRecord, "_id" | "cohortId" | "wrapped"> | undefined>;
	/** How many were deleted. */
	deleteByCohort(cohortId: string): Promise<number>;
};

type Bounds = Record<"wrappingKeyUsesMax" | "wrappingKeyAgeMsMax" | "wrappingKeysCachedMax", number>;

type WrappingKeysDeps = {
	cohortKeys: Pick<CohortKeys, "drawWrappingKey" | "unwrapWrappingKey">;
	wrappingKeys: Pick<WrappingKeyStore, "insert" | "find">;
	clock: () => number;
	randomBytes: (size: number) => Uint8Array;
	schedule?: Schedule;
	limits?: Bounds;
};

type FetchedKey = { id: string; plain: Buffer };
type CachedKey = {
	id: string;
	cohortId: string;
	key: KeyObject;
	bornAt: number;
	/** Encryptions so far. */
	uses: number;
	/** From then on an encryption has the next key drawn in the background. */
	renewAt: number;
	renewAtUse: number;
	cancelTimer: () => void;
};

// The last fifth of a key's life, in time or in uses, is for drawing its successor.
const renewFrom = 0.8;
const renewRetryMs = 5_000;

/** Each waiting caller of a name shares one request to Vault; what was forgotten on the way is not kept on arrival. */
export function createWrappingKeys(deps: WrappingKeysDeps) {
	const limits = deps.limits ?? domainLimits;
	const cache = createKeyCache({ clock: deps.clock, schedule: deps.schedule ?? scheduleTimer, limits });
	const pending = new Map<string, { cohortId: string; done: Promise<void> }>();

	function once(name: string, cohortId: string, fetch: () => Promise<FetchedKey>, keep: (key: CachedKey) => void) {
		const running = pending.get(name);
		if (running !== undefined) return running.done;
		const entry = { cohortId, done: Promise.resolve() };
		const isWanted = () => pending.get(name) === entry && pending.delete(name);
		entry.done = fetch().then(
			({ id, plain }) => {
				if (isWanted()) keep(cache.add(id, cohortId, plain));
				plain.fill(0);
			},
			(error) => {
				isWanted();
				throw error;
			},
		);
		pending.set(name, entry);
		return entry.done;
	}

	/** Draws the next encryption key of a cohort; its wrapped copy is durable before the key is used. */
	function draw(cohortId: string): Promise<void> {
		return once(`draw ${cohortId}`, cohortId, () => drawAndStore(deps, cohortId), cache.makeCurrent);
	}

	return {
		draw,

		/** The key that encrypts for a cohort now, counted as used once; undefined when one must be drawn first. */
		useForEncryption(cohortId: string): CachedKey | undefined {
			const key = cache.current(cohortId);
			if (key === undefined || key.uses >= limits.wrappingKeyUsesMax) return undefined;
			key.uses++;
			const now = deps.clock();
			if (now >= key.renewAt || key.uses === key.renewAtUse) {
				key.renewAt = now + renewRetryMs;
				// Failing is no news yet: this key goes on until its end, and the draw is tried again.
				draw(cohortId).catch(() => undefined);
			}
			return key;
		},

		/** The key of that id, if it is held. */
		held: cache.get,

		/** Unwraps a stored key. @throws LetheError `content_erased` when its record or its cohort's key is gone */
		load(id: string, cohortId: string): Promise<void> {
			return once(
				`load ${id} ${cohortId}`,
				cohortId,
				() => findAndUnwrap(deps, id, cohortId),
				() => undefined,
			);
		},

		/** Whether a cohort can be encrypted for without asking Vault, with time to spare. */
		isPrepared(cohortId: string): boolean {
			const key = cache.current(cohortId);
			return key !== undefined && deps.clock() < key.renewAt && key.uses < key.renewAtUse;
		},

		/** Drops every key of a cohort, and those on their way. */
		forgetCohort(cohortId: string): void {
			for (const [name, entry] of pending) if (entry.cohortId === cohortId) pending.delete(name);
			cache.dropWhere((key) => key.cohortId === cohortId);
		},

		/** Drops all keys. */
		close(): void {
			pending.clear();
			cache.dropWhere(() => true);
		},
	};
}

// Bounded by count, the oldest making room, and by age, by a timer a key, so that an idle process forgets as well.
// A KeyObject keeps the bytes off the JavaScript heap; OpenSSL zeroes them when it is freed.
function createKeyCache(deps: { clock: () => number; schedule: Schedule; limits: Bounds }) {
	const { wrappingKeyAgeMsMax, wrappingKeyUsesMax, wrappingKeysCachedMax } = deps.limits;
	// In order of birth.
	const keys = new Map<string, CachedKey>();
	const current = new Map<string, CachedKey>();

	function alive(key: CachedKey | undefined): CachedKey | undefined {
		return key !== undefined && deps.clock() - key.bornAt < wrappingKeyAgeMsMax ? key : undefined;
	}

	function drop(key: CachedKey): void {
		key.cancelTimer();
		if (keys.get(key.id) === key) keys.delete(key.id);
		if (current.get(key.cohortId) === key) current.delete(key.cohortId);
	}

	return {
		get: (id: string) => alive(keys.get(id)),
		current: (cohortId: string) => alive(current.get(cohortId)),

		makeCurrent(key: CachedKey): void {
			current.set(key.cohortId, key);
		},

		add(id: string, cohortId: string, plain: Buffer): CachedKey {
			const bornAt = deps.clock();
			const key: CachedKey = {
				id,
				cohortId,
				key: createSecretKey(plain),
				bornAt,
				uses: 0,
				renewAt: bornAt + wrappingKeyAgeMsMax * renewFrom,
				renewAtUse: Math.ceil(wrappingKeyUsesMax * renewFrom),
				cancelTimer: deps.schedule(() => drop(key), wrappingKeyAgeMsMax),
			};
			const aged = keys.get(id);
			if (aged !== undefined) drop(aged);
			const [oldest] = keys.values();
			if (oldest !== undefined && keys.size >= wrappingKeysCachedMax) drop(oldest);
			keys.set(id, key);
			return key;
		},

		dropWhere(test: (key: CachedKey) => boolean): void {
			for (const key of keys.values()) if (test(key)) drop(key);
		},
	};
}

async function drawAndStore(deps: WrappingKeysDeps, cohortId: string): Promise<FetchedKey> {
	const { plain, wrapped } = await deps.cohortKeys.drawWrappingKey(cohortId);
	const id = formatId("wrappingKey", deps.randomBytes(idBytes));
	try {
		await deps.wrappingKeys.insert({ _id: id, cohortId, wrapped, createdAt: deps.clock() });
	} catch (error) {
		plain.fill(0);
		throw error;
	}
	return { id, plain };
}

async function findAndUnwrap(deps: WrappingKeysDeps, id: string, cohortId: string): Promise<FetchedKey> {
	const record = await deps.wrappingKeys.find(id);
	if (record === undefined) throw new LetheError("content_erased");
	if (record.cohortId !== cohortId) throw notAuthentic();
	return { id, plain: await deps.cohortKeys.unwrapWrappingKey(cohortId, record.wrapped) };
}
