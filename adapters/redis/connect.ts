// One connection to Redis for calls that must end soon, whether Redis is there or not.

import { Redis, type RedisOptions } from "ioredis";
import type { ServerTls } from "../serverTls.ts";

type Options = Pick<RedisOptions, "commandTimeout" | "enableAutoPipelining" | "maxRetriesPerRequest">;

/**
 * `connect` begins to connect when it is first called, and settles after that first attempt, whatever came of it. Until
 * connected, every call fails at once.
 */
export function connectRedis(url: string, { tls, ...options }: Options & { tls?: ServerTls | undefined } = {}) {
	const connection = new Redis(url, {
		...(tls ? { tls } : {}),
		maxRetriesPerRequest: 1,
		enableOfflineQueue: false,
		lazyConnect: true,
		connectTimeout: 5_000,
		retryStrategy: (times) => Math.min(times * 100, 2_000),
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
