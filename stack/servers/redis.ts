// Redis with an append-only file, and without the right to evict a queue's keys.

import { join } from "node:path";
import { Redis } from "ioredis";
import { writePrivateFile } from "../files.ts";
import type { ForeignOptions, ForeignServer, Server, ServerOptions } from "./server.ts";

export type RedisAddress = { url: string };

/** Plans a server with its data in a folder of its own. */
export async function planRedis(options: ServerOptions): Promise<Server<RedisAddress>> {
	const { program, dataDir } = options;
	const port = await options.port("redis");
	const url = `redis://127.0.0.1:${port}`;
	const settings = join(dataDir, "redis.conf");
	writePrivateFile(settings, configure(port, dataDir));
	return {
		address: { url },
		command: program.command,
		args: [...program.args, settings],
		answers: () => checkRedis(url),
		readyMs: 30_000,
	};
}

/** A Redis that runs elsewhere. */
export function adoptRedis({ url }: ForeignOptions): ForeignServer<RedisAddress> {
	return { address: { url }, answers: () => checkRedis(url) };
}

/** @throws when the server does not answer a PING, or still loads its data */
async function checkRedis(url: string): Promise<void> {
	const redis = new Redis(url, {
		lazyConnect: true,
		connectTimeout: 2_000,
		retryStrategy: null,
		enableReadyCheck: false,
	});
	// Its failures reach us by the call below; unheard events would be printed.
	redis.on("error", () => undefined);
	try {
		await redis.connect();
		await redis.ping();
	} finally {
		redis.disconnect();
	}
}

function configure(port: number, dataDir: string): string {
	return [
		"bind 127.0.0.1",
		`port ${port}`,
		`dir ${JSON.stringify(dataDir)}`,
		"daemonize no",
		"appendonly yes",
		"appendfsync everysec",
		'save ""',
		"maxmemory-policy noeviction",
		"loglevel warning",
		"",
	].join("\n");
}
