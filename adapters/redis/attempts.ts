// Failed tries in Redis: each is counted before it is made, so that many at once get no further than one after the other.

import type { Redis } from "ioredis";

/** Who is slowed: `name` is a keyed hash; `freeCount` tries cost nothing. */
export type Attempted = { name: string; freeCount: number };

// A count, and the time before which no further try is made, by the clock of Redis. Tries that have to wait count for
// nothing: whoever waits as told gets their turn, also while somebody else hammers.
const script = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waitMax, keep = tonumber(ARGV[1]), tonumber(ARGV[2])
local wait = 0
for _, key in ipairs(KEYS) do
	local untilMs = tonumber(redis.call("HGET", key, "until") or 0)
	wait = math.max(wait, math.min(untilMs - now, waitMax))
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
	local count = redis.call("HINCRBY", key, "count", 1)
	local over = count - tonumber(ARGV[2 + i])
	if over >= 0 then redis.call("HSET", key, "until", now + math.min(waitMax, 1000 * 2 ^ math.min(over, 30))) end
	redis.call("PEXPIRE", key, keep)
end
return 0`;

type Command = (keyCount: number, ...args: (string | number)[]) => Promise<number>;

/** After `freeCount` tries the next waits one second, and each further one twice as long; nobody is locked out for good. */
export function createAttempts({ connection, prefix }: { connection: Redis; prefix: string }) {
	connection.defineCommand("tryOnce", { lua: script });
	const command = (connection as unknown as { tryOnce: Command }).tryOnce.bind(connection);
	const keyOf = (name: string) => `${prefix}:attempts:${name}`;

	return {
		/** Milliseconds to wait before a try; zero when it was counted and may be made now. */
		take: (of: readonly Attempted[], { waitMsMax, keptMs }: { waitMsMax: number; keptMs: number }): Promise<number> => {
			const free = of.map(({ freeCount }) => freeCount);
			return command(of.length, ...of.map(({ name }) => keyOf(name)), waitMsMax, keptMs, ...free);
		},
		/** After a success: forgets the failures of `cleared`, and takes this one try back from each of `spared`. */
		forgive: async (cleared: string | undefined, spared: readonly string[]): Promise<void> => {
			if (cleared) await connection.del(keyOf(cleared));
			for (const name of spared) await connection.hincrby(keyOf(name), "count", -1);
		},
	};
}
