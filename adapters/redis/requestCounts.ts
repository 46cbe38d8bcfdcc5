// Counts requests against limits in Redis, which all processes share, and in memory while Redis does not answer.

import type { Redis } from "ioredis";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { ServerTls } from "../serverTls.ts";
import { aMomentLater } from "./aMomentLater.ts";
import { connectRedis } from "./connect.ts";
import { createEstimates } from "./estimates.ts";

/** At most `requests` in each window of `seconds`, of one key; `name` tells limits apart. */
export type RequestLimit = { name: string; requests: number; seconds: number };

/** What one more request made of the count: how many so far, and when the window ends. */
export type RequestCount = { allowed: boolean; counted: number; remaining: number; resetMs: number };

export type RequestCounts = ReturnType<typeof createRequestCounts>;

// A Redis that answers later than this is not waited for by any request; then it is left alone for a while.
const answerMsMax = 100;
const leftAloneMs = 1_000;

/**
 * Counts below a prefix. Keys must hold ids or keyed hashes only. While Redis is away, slow or full each process counts on
 * for itself: the limits then hold a process, and never stand open. Until half of a limit is used a request is counted
 * without waiting for the count, unless many are under way already (see estimates.ts).
 */
export function createRequestCounts(options: {
	url: string;
	prefix: string;
	tls?: ServerTls | undefined;
	monotonic: () => number;
}) {
	const { connection, connect } = connectRedis(options.url, {
		maxRetriesPerRequest: 0,
		// What several limits ask for one request goes out as one write.
		enableAutoPipelining: true,
		commandTimeout: answerMsMax,
		tls: options.tls,
	});
	const limiters = new Map<string, ReturnType<typeof createLimiters>>();
	const estimates = createEstimates(options.monotonic);
	let awayUntil = 0;

	function limitersOf(limit: RequestLimit) {
		const name = nameOf(limit);
		let found = limiters.get(name);
		if (!found) {
			found = createLimiters(connection, `${options.prefix}:requests:${limit.name}`, limit);
			limiters.set(name, found);
		}
		return found;
	}

	/** Never throws, and never waits longer than a tenth of a second; undefined while Redis is away. */
	async function consume(shared: RateLimiterRedis, key: string): Promise<RateLimiterRes | undefined> {
		if (options.monotonic() < awayUntil) return undefined;
		try {
			return await shared.consume(key);
		} catch (refused) {
			if (refused instanceof RateLimiterRes) return refused;
			awayUntil = options.monotonic() + leftAloneMs;
			return undefined;
		}
	}

	async function ask(limit: RequestLimit, key: string): Promise<RequestCount> {
		const { shared, own } = limitersOf(limit);
		const told = await consume(shared, key);
		const isKept = (await own.get(key)) !== null;
		if (told && !isKept) return toCount(limit, told);
		// Counted alone from where it stood, and on until its window ends: a Redis that is late for once would start it anew.
		const last = isKept ? undefined : estimates.last(`${nameOf(limit)}:${key}`);
		if (last) await own.set(key, last.counted, last.lastsMs / 1000);
		const alone = await own.consume(key).catch((refused: RateLimiterRes) => refused);
		const counts = [alone, ...(told ? [told] : [])].map((count) => toCount(limit, count));
		return counts.reduce((one, other) => (other.counted > one.counted ? other : one));
	}

	return {
		/** Counts one request of `key`; never throws, and never waits longer than a tenth of a second. */
		async take(limit: RequestLimit, key: string): Promise<RequestCount> {
			void connect();
			const name = `${nameOf(limit)}:${key}`;
			const expected = estimates.next(name);
			const isFar = expected !== undefined && 2 * expected.counted <= limit.requests;
			const asked = isFar ? aMomentLater(() => ask(limit, key)) : ask(limit, key);
			void estimates.note(
				name,
				asked.then(({ counted, resetMs: lastsMs }) => ({ counted, lastsMs })),
			);
			if (!isFar) return asked;
			const { counted, lastsMs: resetMs } = expected;
			return { allowed: true, counted, remaining: limit.requests - counted, resetMs };
		},
		close: () => connection.disconnect(),
	};
}

const nameOf = ({ name, requests, seconds }: RequestLimit) => `${name}:${requests}:${seconds}`;

function createLimiters(connection: Redis, keyPrefix: string, { requests, seconds }: RequestLimit) {
	const limit = { keyPrefix, points: requests, duration: seconds };
	return {
		shared: new RateLimiterRedis({
			...limit,
			storeClient: connection,
			rejectIfRedisNotReady: true,
			// Whoever is past the limit is known to be until the window ends: a flood does not reach Redis.
			inMemoryBlockOnConsumed: requests + 1,
		}),
		own: new RateLimiterMemory(limit),
	};
}

function toCount({ requests }: RequestLimit, { consumedPoints, msBeforeNext }: RateLimiterRes): RequestCount {
	// Past the limit the library may answer from memory, without a count.
	const blocked = consumedPoints === 0;
	const allowed = !blocked && consumedPoints <= requests;
	const counted = blocked ? requests + 1 : consumedPoints;
	return { allowed, counted, remaining: Math.max(0, requests - counted), resetMs: Math.max(0, msBeforeNext) };
}
