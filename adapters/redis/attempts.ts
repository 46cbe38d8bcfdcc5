// Failed tries in Redis: each is counted before it is made, so that many at once get no further than one after the other.

import type { Redis } from "ioredis";

/** Who is slowed: `name` is a keyed hash; `freeCount` tries cost nothing; no wait is longer than `waitMsMax`. */
export type Attempted = { name: string; freeCount: number; waitMsMax: number };

// A count, and the time before which no further try is made, by the clock of Redis. Tries that have to wait count for
// nothing, so they make no wait longer. A turn is whoever's asks first once the wait is over: what many share, one who
// hammers takes for themselves, unless they have a longer wait of their own.
const script = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local keepMin, keepMax = tonumber(ARGV[1]), tonumber(ARGV[2])
local wait = 0
for i, key in ipairs(KEYS) do
	local untilMs = tonumber(redis.call("HGET", key, "until") or 0)
	wait = math.max(wait, math.min(untilMs - now, tonumber(ARGV[2 * i + 2])))
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
	local count = redis.call("HINCRBY", key, "count", 1)
	local over = count - tonumber(ARGV[2 * i + 1])
	local waitMax = tonumber(ARGV[2 * i + 2])
	if over >= 0 then redis.call("HSET", key, "until", now + math.min(waitMax, 1000 * 2 ^ math.min(over, 30))) end
	redis.call("PEXPIRE", key, math.min(keepMax, keepMin * (1 + math.max(0, over + 1))))
end
return 0`;

// One that has expired meanwhile is not begun anew, for it would stay.
const takeBack = `
for _, key in ipairs(KEYS) do
	if redis.call("EXISTS", key) == 1 then redis.call("HINCRBY", key, "count", -1) end
end`;

type Kept = { keptMsMin: number; keptMsMax: number };
type Command = (keyCount: number, ...args: (string | number)[]) => Promise<number>;

/** After `freeCount` tries the next waits one second, and each further one twice as long; nobody is locked out for good. */
export function createAttempts({ connection, prefix }: { connection: Redis; prefix: string }) {
	connection.defineCommand("tryOnce", { lua: script });
	connection.defineCommand("takeBack", { lua: takeBack });
	const commands = connection as unknown as Record<"tryOnce" | "takeBack", Command>;
	const keyOf = (name: string) => `${prefix}:attempts:${name}`;
	const knownOf = (name: string) => `${prefix}:known:${name}`;

	return {
		/**
		 * Milliseconds to wait before a try; zero when it was counted and may be made now. A count is kept for `keptMsMin`
		 * after it, and as much more for each that cost a wait, up to `keptMsMax`.
		 */
		take: (of: readonly Attempted[], { keptMsMin, keptMsMax }: Kept): Promise<number> => {
			const bounds = of.flatMap(({ freeCount, waitMsMax }) => [freeCount, waitMsMax]);
			return commands.tryOnce(of.length, ...of.map(({ name }) => keyOf(name)), keptMsMin, keptMsMax, ...bounds);
		},
		/** After a success: forgets the failures of `cleared`, and takes this one try back from each of `spared`. */
		forgive: async (cleared: readonly string[], spared: readonly string[]): Promise<void> => {
			if (cleared.length > 0) await connection.del(cleared.map(keyOf));
			if (spared.length > 0) await commands.takeBack(spared.length, ...spared.map(keyOf));
		},
		/** Remembers for `keptMs` that a try by this name was right. */
		know: async (name: string, keptMs: number): Promise<void> => {
			await connection.set(knownOf(name), "", "PX", keptMs);
		},
		isKnown: async (name: string): Promise<boolean> => (await connection.exists(knownOf(name))) === 1,
	};
}
