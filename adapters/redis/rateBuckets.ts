// Token buckets in Redis, counted in segments. Several may be asked together: all of them give, or none does.

import type { Redis } from "ioredis";

/** One limit: `name` holds ids and countries only. */
export type RateBucket = { name: string; segmentsPerSecond: number };

/** `taken`: may go after `waitMs`; otherwise nothing was taken, and the earliest turn is that far away. */
export type Turn = { taken: boolean; waitMs: number };

export type RateBuckets = ReturnType<typeof createRateBuckets>;

// What an idle bucket has saved up: more would be a burst that a carrier refuses, less would lose the time of a round trip.
const savedMs = 100;

// With that time stands the one at which it was written: by a clock that was set back since, or that of a Redis that was
// ahead of the one that took its place, a bucket would give nothing until this one has caught up.
const bucketFunctions = `
local time = redis.call("TIME")
local now = time[1] * 1000 + time[2] / 1000
local function followingOf(key)
	local following, at = string.match(redis.call("GET", key) or "0", "^(%S+) ?(%S*)$")
	return tonumber(following) - math.max(0, (tonumber(at) or 0) - now)
end
local function keep(key, following, saved)
	local value = string.format("%.3f %.3f", following, now)
	redis.call("SET", key, value, "PX", math.ceil(following - now + saved))
end`;

// Each bucket is the time at which its next segment may go (the generic cell rate algorithm, ATM Forum TM 4.0), by the
// clock of Redis, so that senders whose clocks differ share one. Fixed windows, which rate-limiter-flexible counts in,
// let twice the rate through at their edge, and it takes from one bucket at a time: what the second refuses is lost to
// the first.
const script = `${bucketFunctions}
local segments, aheadMax, saved = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wait, starts = 0, {}
for i, key in ipairs(KEYS) do
	starts[i] = math.max(followingOf(key), now - saved)
	wait = math.max(wait, starts[i] - now)
end
if wait > aheadMax then return {0, math.ceil(wait)} end
for i, key in ipairs(KEYS) do
	keep(key, starts[i] + segments * 1000 / tonumber(ARGV[3 + i]), saved)
end
return {1, math.ceil(wait)}`;

const holdScript = `${bucketFunctions}
keep(KEYS[1], math.max(followingOf(KEYS[1]), now + tonumber(ARGV[1])), tonumber(ARGV[2]))`;

type Command = (keyCount: number, ...args: (string | number)[]) => Promise<[number, number]>;
type HoldCommand = (key: string, ms: number, saved: number) => Promise<void>;

/** Buckets below a prefix. What Redis forgets is a bucket that is full: at most a tenth of a second of its rate. */
export function createRateBuckets({ connection, prefix }: { connection: Redis; prefix: string }) {
	connection.defineCommand("takeSegments", { lua: script });
	connection.defineCommand("holdBucket", { lua: holdScript, numberOfKeys: 1 });
	const commands = connection as unknown as { takeSegments: Command; holdBucket: HoldCommand };
	const keyOf = (name: string) => `${prefix}:rate:${name}`;

	return {
		/**
		 * Takes `segments` of each bucket when the turn comes within `aheadMsMax`.
		 * @throws the client's error when Redis does not answer: then nobody may go
		 */
		async take(buckets: readonly RateBucket[], segments: number, aheadMsMax: number): Promise<Turn> {
			if (buckets.length === 0) return { taken: true, waitMs: 0 };
			const keys = buckets.map(({ name }) => keyOf(name));
			const rates = buckets.map(({ segmentsPerSecond }) => segmentsPerSecond);
			const [taken, waitMs] = await commands.takeSegments(
				keys.length,
				...keys,
				segments,
				aheadMsMax,
				savedMs,
				...rates,
			);
			return { taken: taken === 1, waitMs };
		},
		/** Has a bucket give nothing for so long; a longer wait stays. @throws the client's error when Redis does not answer */
		hold: (name: string, ms: number): Promise<void> => commands.holdBucket(keyOf(name), ms, savedMs),
		/** Has a bucket be full, and held by nobody. */
		forget: async (name: string): Promise<void> => void (await connection.del(keyOf(name))),
	};
}
