// How many messages went to numbers of one country and first four digits of late, counted in Redis.

import type { Redis } from "ioredis";
import { createBatcher } from "../batcher.ts";
import { aMomentLater } from "./aMomentLater.ts";
import { createEstimates } from "./estimates.ts";

export type Velocity = ReturnType<typeof createVelocity>;

/** `seen` counts the message that is asked for. */
export type Pace = { within: boolean; seen: number };

type Range = { tenantId: string; prefix: string; windowSeconds: number; messagesMax: number };

// Two windows, the last one weighted by how much of it lies within the time that is looked at: windows that merely end
// would let twice the limit through at their edge. Many ranges in one call, in order: each sees those before it.
const script = `
local time = redis.call("TIME")
local now = time[1] + time[2] / 1000000
local paces = {}
for index, key in ipairs(KEYS) do
	local window, most, takes = tonumber(ARGV[3 * index - 2]), tonumber(ARGV[3 * index - 1]), ARGV[3 * index]
	local slot = math.floor(now / window)
	local share = 1 - (now / window - slot)
	local before = tonumber(redis.call("HGET", key, slot - 1) or 0)
	local current = tonumber(redis.call("HGET", key, slot) or 0)
	local seen = math.floor(before * share) + current + 1
	local within = seen <= most and 1 or 0
	if takes == "always" or (takes == "within" and within == 1) then
		redis.call("HINCRBY", key, slot, 1)
		redis.call("HDEL", key, slot - 2, slot - 3)
		redis.call("EXPIRE", key, window * 2)
	end
	paces[index] = {within, seen}
end
return paces`;

type Takes = "always" | "within" | "never";
type Asked = { key: string; windowSeconds: number; messagesMax: number; takes: Takes };
type Answer = [within: number, seen: number];
type Command = (keyCount: number, ...keysAndArgs: (string | number)[]) => Promise<Answer[]>;

const rangesMax = 10_000;
const rangesACallMax = 200;
const callsInFlightMax = 8;
const patienceMs = 250;

/**
 * Counters below a prefix, by tenant and number range. What this process has counted itself is the least that it
 * believes: a Redis that is away, or was emptied, forgets only what the others counted. Until half of a limit is used, and
 * where nothing is refused, a message is counted without waiting for the count, unless many are under way
 * already (see estimates.ts).
 * @param monotonic milliseconds that no one can set
 */
export function createVelocity(options: { connection: Redis; prefix: string; monotonic: () => number }) {
	const { connection, monotonic } = options;
	connection.defineCommand("countRanges", { lua: script });
	const command = (connection as unknown as { countRanges: Command }).countRanges.bind(connection);
	const own = createOwnCounts(monotonic);
	const estimates = createEstimates(monotonic);

	// A batch of messages asks for as many ranges at once.
	const ask = createBatcher<Asked, Answer | undefined>({
		itemsMax: rangesACallMax,
		inFlightMax: callsInFlightMax,
		async run(items) {
			const keys = items.map(({ key }) => key);
			const args = items.flatMap(({ windowSeconds, messagesMax, takes }) => [windowSeconds, messagesMax, takes]);
			const answers = await Promise.race([command(keys.length, ...keys, ...args).catch(() => undefined), patience()]);
			return items.map((_, index) => answers?.[index]);
		},
	});

	return {
		/**
		 * Whether one more message is within the limit. `always` counts it in any case, `within` if it is, `never` not at all.
		 */
		async count(range: Range, takes: Takes): Promise<Pace> {
			const { tenantId, prefix, windowSeconds, messagesMax } = range;
			const key = `${options.prefix}:velocity:${tenantId}:${prefix}:${windowSeconds}`;
			const seenHere = own.count(key, windowSeconds) + 1;
			// Decided before anything is waited for: of many at once each sees those before it.
			const isWithinHere = seenHere <= messagesMax;
			const countsHere = takes === "always" || (takes === "within" && isWithinHere);
			if (countsHere) own.add(key, windowSeconds);
			const told = isWithinHere || takes === "always" ? takes : "never";
			const expected = takes === "never" ? undefined : estimates.next(key);
			const likely = Math.max(seenHere, expected?.counted ?? 0);
			const isFar = expected !== undefined && (takes === "always" || 2 * likely <= messagesMax);
			const one = { key, windowSeconds, messagesMax, takes: told };
			const asked = isFar ? aMomentLater(() => ask(one)) : ask(one);
			const answered = asked.then(([within, seen] = [1, 0]) => {
				const isWithin = isWithinHere && within === 1;
				if (countsHere && takes === "within" && !isWithin) own.takeBack(key);
				return { within: isWithin, seen: Math.max(seenHere, seen) };
			});
			if (countsHere)
				void estimates.note(
					key,
					asked.then((answer) => answer && { counted: answer[1], lastsMs: windowSeconds * 1_000 }),
				);
			return isFar ? { within: likely <= messagesMax, seen: likely } : answered;
		},
	};
}

// A Redis that hangs must not keep messages from being accepted: then what is counted here has to do.
function patience(): Promise<undefined> {
	return new Promise((resolve) => setTimeout(() => resolve(undefined), patienceMs).unref());
}

/** The same two windows in this process's memory. */
function createOwnCounts(monotonic: () => number) {
	const counts = new Map<string, { slot: number; current: number; before: number }>();
	const at = (windowSeconds: number) => monotonic() / 1000 / windowSeconds;

	function current(key: string, windowSeconds: number) {
		const slot = Math.floor(at(windowSeconds));
		const known = counts.get(key);
		if (known?.slot === slot) return known;
		return { slot, current: 0, before: known?.slot === slot - 1 ? known.current : 0 };
	}

	return {
		count(key: string, windowSeconds: number): number {
			const known = current(key, windowSeconds);
			return Math.floor(known.before * (1 - (at(windowSeconds) - known.slot))) + known.current;
		},
		add(key: string, windowSeconds: number): void {
			const known = current(key, windowSeconds);
			counts.delete(key);
			counts.set(key, { ...known, current: known.current + 1 });
			const [oldest] = counts.keys();
			if (oldest !== undefined && counts.size > rangesMax) counts.delete(oldest);
		},
		takeBack(key: string): void {
			const known = counts.get(key);
			if (known) counts.set(key, { ...known, current: Math.max(0, known.current - 1) });
		},
	};
}
