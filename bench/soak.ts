// Hours in small: single messages at a part of what the machine can do, and what grows meanwhile.

import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { Redis } from "ioredis";
import type { Engine } from "./engine.ts";
import { dataBytes, memoryOf, ownPids } from "./footprint.ts";
import { runMessage } from "./lifecycle.ts";
import { offerSteadily, rateOf, type Spread, spread } from "./measure.ts";

/** `load`: the share of the rate that the machine was found to do. */
type Options = { minutes: number; load: number; perRound: number };

/** At one moment: bytes, or how many. `atSeconds` since the load began. */
export type Sample = { atSeconds: number } & Record<SeriesName, number>;
export type SeriesName = (typeof seriesNames)[number];

export const seriesNames = ["memoryBytes", "handles", "openRuns", "redisKeys", "databaseBytes"] as const;
const concurrency = 40;
const samplesMax = 120;
/** More messages at once than this wait for room: where that lasts, the load is less than was asked for, and `offered` shows it. */
const lanesMax = 400;

/**
 * `ratios`: the median of the last third of each series over that of its first. The database grows with what is kept:
 * `databaseBytesPerMessage`. `messagesPerSecond` is what was offered, of `capacityPerSecond`.
 */
export async function soakSuite(engine: Engine, { minutes, load, perRound }: Options) {
	await rateOf(perRound, concurrency, async () => void (await runMessage(engine)));
	const capacityPerSecond = await rateOf(perRound, concurrency, async () => void (await runMessage(engine)));
	const seconds = minutes * 60;
	const watched = await watch(engine, Math.max(1, seconds / samplesMax));
	const offered = await offer(engine, { perSecond: load * capacityPerSecond, seconds });
	const samples = await watched.stop();
	const ratios = Object.fromEntries(seriesNames.map((name) => [name, lastOverFirst(samples, name)]));
	const grown = (samples.at(-1)?.databaseBytes ?? Number.NaN) - (samples[0]?.databaseBytes ?? Number.NaN);
	return {
		suite: "soak",
		...{ minutes, load, capacityPerSecond, messages: offered.messages, failed: offered.failed },
		messagesPerSecond: offered.messages / seconds,
		endToEndMs: offered.endToEndMs,
		ratios,
		databaseBytesPerMessage: grown / Math.max(1, offered.messages),
		samples,
	};
}

/** Begins messages at a steady rate, and waits for the last of them. */
async function offer(engine: Engine, { perSecond, seconds }: { perSecond: number; seconds: number }) {
	const took: { first: number[]; last: number[] } = { first: [], last: [] };
	const halfAt = performance.now() + (seconds * 1000) / 2;
	let failed = 0;
	const one = async () => {
		const begunAt = performance.now();
		const half = begunAt < halfAt ? took.first : took.last;
		await runMessage(engine).then(
			() => half.push(performance.now() - begunAt),
			() => failed++,
		);
	};
	const { offered: messages } = await offerSteadily({ perSecond, seconds, lanesMax }, one);
	const endToEndMs: Record<string, Spread> = { firstHalf: spread(took.first), lastHalf: spread(took.last) };
	return { messages, failed, endToEndMs };
}

/** Looks at everything at its pace until it is stopped. */
async function watch({ stack }: Engine, everySeconds: number) {
	const { temporal, redis: redisServer } = stack.state().servers;
	const connection = await Connection.connect({ address: temporal.address });
	const client = new Client({ connection, namespace: temporal.namespace });
	const redis = new Redis(redisServer.url);
	const startedAt = performance.now();
	const samples: Sample[] = [];
	const look = async (): Promise<Sample> => {
		const pids = Object.values(ownPids(stack)).flatMap((pid) => pid ?? []);
		return {
			atSeconds: Math.round((performance.now() - startedAt) / 1000),
			memoryBytes: memoryOf(stack).letheBytes,
			handles: pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0),
			openRuns: (await client.workflow.count("ExecutionStatus = 'Running'")).count,
			redisKeys: await redis.dbsize(),
			databaseBytes: dataBytes(stack).mongodb ?? Number.NaN,
		};
	};
	const stopping = new AbortController();
	const watching = (async () => {
		while (!stopping.signal.aborted) {
			samples.push(await look());
			await sleep(everySeconds * 1000, undefined, { signal: stopping.signal }).catch(() => undefined);
		}
	})();
	return {
		async stop(): Promise<Sample[]> {
			stopping.abort();
			await watching;
			await Promise.all([connection.close(), redis.quit()]);
			return samples;
		},
	};
}

function lastOverFirst(samples: Sample[], name: SeriesName): number {
	const third = Math.ceil(samples.length / 3);
	const median = (some: Sample[]) => spread(some.map((one) => one[name])).median;
	return median(samples.slice(-third)) / median(samples.slice(0, third));
}
