// Redis read through its server: every key and value of every database, jobs and streams among them, and the slow log.

import { Redis } from "ioredis";
import type { ServerTls } from "../../adapters/serverTls.ts";
import { bytesOf, joined } from "./bytes.ts";
import type { Sample } from "./encodings.ts";
import type { Open, Place } from "./examine.ts";
import type { Sink } from "./search.ts";

const pageItems = 500;
// Should this process be killed, the controls still go.
const controlTtlSeconds = 600;

/** Opens a client for reading; the caller closes it. */
export function openRedis(url: string, tls?: ServerTls): Redis {
	const redis = new Redis(url, { maxRetriesPerRequest: 2, connectTimeout: 5_000, ...(tls ? { tls } : {}) });
	// Without a listener, ioredis prints every failed attempt to connect; the commands fail all the same.
	redis.on("error", () => undefined);
	return redis;
}

export function redisPlace(redis: Redis, id: string): Place {
	return {
		name: "redis, through the server",
		holds: "bytes",
		plant: (samples) => plant(redis, `lethe-canary-control-${id}`, samples),
		async read(open) {
			const keyspace = await redis.info("keyspace");
			const databases = [...keyspace.matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number));
			try {
				for (const database of databases) await readDatabase(redis, database, open);
			} finally {
				await redis.select(0);
			}
			// Commands that were slow stand there with their arguments.
			const sink = open("slow log and clients");
			await sink.write(
				bytesOf([await redis.callBuffer("SLOWLOG", "GET", "-1"), await redis.callBuffer("CLIENT", "LIST")]),
			);
			await sink.end();
		},
	};
}

/** One key of each type, so that the reader of each is proven. */
async function plant(redis: Redis, prefix: string, samples: readonly Sample[]) {
	const values = samples.map((sample) => sample.bytes);
	const names = samples.map((_, index) => `control-${index}`);
	const named = values.flatMap((value, index) => [names[index] as string, value]);
	const key = (type: string) => `${prefix}-${type}`;
	const types = ["string", "list", "set", "hash", "zset", "stream"];
	const write = redis.multi();
	write.set(key("string"), joined(samples));
	write.rpush(key("list"), ...values);
	write.sadd(key("set"), ...values);
	write.hset(key("hash"), ...named);
	write.zadd(key("zset"), ...values.flatMap((value, index) => [index, value]));
	write.xadd(key("stream"), "*", ...named);
	for (const type of types) write.expire(key(type), controlTtlSeconds);
	const results = await write.exec();
	const failed = results?.find(([error]) => error)?.[0];
	if (!results || failed) throw failed ?? new Error("Redis dropped the controls");
	return {
		sources: types.map((type) => `db0 ${key(type)}`),
		remove: async () => {
			await redis.del(...types.map(key));
		},
	};
}

async function readDatabase(redis: Redis, database: number, open: Open): Promise<void> {
	await redis.select(database);
	await pages(redis, ["SCAN"], [], async (keys) => {
		for (const key of keys) {
			const sink = open(`db${database} ${key.toString("utf8")}`);
			await sink.write(key);
			await sink.write(lineEnd);
			await readKey(redis, key, sink);
			await sink.end();
		}
	});
}

async function readKey(redis: Redis, key: Buffer, sink: Sink): Promise<void> {
	const type = (await redis.type(key)) as string;
	const write = (answer: unknown) => sink.write(bytesOf(answer));
	if (type === "string") return write(await redis.getBuffer(key));
	if (type === "hash") return pages(redis, ["HSCAN", key], [], write);
	if (type === "set") return pages(redis, ["SSCAN", key], [], write);
	if (type === "zset") return pages(redis, ["ZSCAN", key], [], write);
	if (type === "list") return readList(redis, key, write);
	if (type === "stream") return readStream(redis, key, write);
	// Gone by now, or of a module's type, which its serialised form shows as it is.
	if (type !== "none") return write(await redis.callBuffer("DUMP", key));
}

async function pages(
	redis: Redis,
	command: [string, ...Buffer[]],
	options: string[],
	visit: (items: Buffer[]) => Promise<void>,
): Promise<void> {
	const [name, ...keys] = command;
	let cursor = "0";
	do {
		const answer = await redis.callBuffer(name, ...keys, cursor, "COUNT", String(pageItems), ...options);
		const [next, items] = answer as [Buffer, Buffer[]];
		await visit(items);
		cursor = next.toString();
	} while (cursor !== "0");
}

async function readList(redis: Redis, key: Buffer, write: (items: Buffer[]) => Promise<void>): Promise<void> {
	for (let from = 0; ; from += pageItems) {
		const items = await redis.lrangeBuffer(key, from, from + pageItems - 1);
		if (items.length === 0) return;
		await write(items);
	}
}

async function readStream(redis: Redis, key: Buffer, write: (answer: unknown) => Promise<void>): Promise<void> {
	let from = "-";
	for (;;) {
		const entries = (await redis.callBuffer("XRANGE", key, from, "+", "COUNT", String(pageItems))) as [
			Buffer,
			Buffer[],
		][];
		const last = entries.at(-1);
		if (!last) return;
		await write(entries);
		from = `(${last[0].toString()}`;
	}
}

const lineEnd = Buffer.from("\n");
