// Connections to Redis: what each has in common, and one for calls that must end soon, whether Redis is there or not.

import { Redis, type RedisOptions } from "ioredis";
import type { ServerTls } from "../serverTls.ts";

// Longer than any command takes, of those that wait for a job too: BullMQ's wait ten seconds at the most.
const silentMsMax = 12_000;

/** What every connection is opened with, so that none outlives what it was to. */
export function lineOptions(tls: ServerTls | undefined): RedisOptions {
	return {
		...(tls ? { tls } : {}),
		connectTimeout: 5_000,
		retryStrategy: (times) => Math.min(times * 100, 2_000),
		// A line without an end, as a host leaves that is gone, would be written to for a quarter of an hour.
		socketTimeout: silentMsMax,
		// One that has become a replica answers still, and takes nothing that is written any more.
		reconnectOnError: ({ message }) => message.includes("READONLY"),
	};
}

type Options = Pick<RedisOptions, "commandTimeout" | "enableAutoPipelining" | "maxRetriesPerRequest">;

/**
 * `connect` begins to connect when it is first called, and settles after that first attempt, whatever came of it. Until
 * connected, every call fails at once.
 */
export function connectRedis(url: string, { tls, ...options }: Options & { tls?: ServerTls | undefined } = {}) {
	const connection = new Redis(url, {
		...lineOptions(tls),
		maxRetriesPerRequest: 1,
		enableOfflineQueue: false,
		lazyConnect: true,
		...options,
	});
	connection.on("error", () => undefined);
	let ready: Promise<void> | undefined;
	const connect = () => {
		ready ??= connection.connect().catch(() => undefined);
		return ready;
	};
	return { connection, connect };
}
