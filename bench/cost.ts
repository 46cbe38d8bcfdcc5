// What a message costs, counted: commands and documents of the store, Redis commands, Vault calls, events, bytes, processor
// time; beside what the design says it should, and what so many messages a second would therefore need.

import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { batchMessages, runBatches } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { dataBytes, storedBytes } from "./footprint.ts";
import { runMessage } from "./lifecycle.ts";
import { rateOf } from "./measure.ts";
import type { Commands, startMongoProxy } from "./mongoProxy.ts";

type Options = { messages: number; rates: number[] };
type Proxy = Awaited<ReturnType<typeof startMongoProxy>>;
export type Cost = Awaited<ReturnType<typeof costOf>>;

const concurrency = 40;
const ticksPerSecond = 100;
const secondsADay = 86_400;
const written = ["insert", "update", "delete"];
/** The most that a message may leave behind, by the design's section 3; and documents once it has ended, text and number gone. */
const budget = {
	single: { events: 14, historyBytes: 3_072, storedBytes: 2_048 },
	batch: { events: 0.3, historyBytes: 1_024, storedBytes: 2_048 },
};

/** `perMessage`: single ones at 40 callers, and batches of 500. `needs`: by messages a second, cores and rates of each part. */
export async function costSuite(engine: Engine, proxy: Proxy, { messages, rates }: Options) {
	const single = async () => {
		const ids: string[] = [];
		await rateOf(messages, concurrency, async () => void ids.push(await runMessage(engine)));
		return { ids, messages };
	};
	const batch = async () => {
		const batches = Math.ceil(messages / batchMessages) + 1;
		const { submissionIds } = await runBatches(engine, batches);
		return { ids: submissionIds, messages: batches * batchMessages };
	};
	await single();
	await batch();
	const perMessage = {
		single: await costOf(engine, proxy, single),
		batch: await costOf(engine, proxy, batch),
	};
	const over = Object.entries(budget).flatMap(([kind, most]) =>
		Object.entries(most).flatMap(([name, value]) => {
			const found = perMessage[kind as keyof typeof budget][name as keyof typeof budget.single];
			return found > value ? [`${kind}: ${name} is ${found}, at most ${value} by the design`] : [];
		}),
	);
	const needs = Object.fromEntries(
		rates.map((rate) => [rate, { single: needsOf(perMessage.single, rate), batch: needsOf(perMessage.batch, rate) }]),
	);
	return { suite: "cost", messages, perMessage, budget, over, needs };
}

/** What these messages cost, each. */
async function costOf(engine: Engine, proxy: Proxy, run: () => Promise<{ ids: string[]; messages: number }>) {
	const before = await look(engine, proxy);
	const { ids, messages } = await run();
	const after = await look(engine, proxy);
	const history = await engine.historyOf(ids.slice(0, 40));
	const each = (value: number) => Math.round((value / messages) * 1000) / 1000;
	const perRun = messages / ids.length;
	const commands = Object.entries(after.commands).map(([name, now]) => {
		const then = before.commands[name] ?? { count: 0, documents: 0, bytes: 0 };
		return [name, now.count - then.count, now.documents - then.documents, now.bytes - then.bytes] as const;
	});
	const sum = (of: (one: (typeof commands)[number]) => number, only?: string[]) =>
		each(commands.reduce((total, one) => total + (only && !only.includes(one[0]) ? 0 : of(one)), 0));
	const more = (of: "stored" | "cpuMs" | "disk", rounded = (value: number) => value): Record<string, number> =>
		Object.fromEntries(
			Object.entries(after[of]).map(([name, value]) => [name, rounded(each(value - (before[of][name] ?? 0)))]),
		);
	const stored = more("stored", Math.round);
	return {
		events: Math.round((history.events / perRun) * 1000) / 1000,
		historyBytes: Math.round(history.bytes / perRun),
		storeCommands: sum((one) => one[1]),
		storeCommandsByName: Object.fromEntries(commands.map(([name, count]) => [name, each(count)])),
		documentsWritten: sum((one) => one[2], written),
		bytesToStore: Math.round(sum((one) => one[3])),
		storedBytes: Math.round(Object.values(stored).reduce((total, bytes) => total + bytes, 0)),
		storedBytesByCollection: Object.fromEntries(Object.entries(stored).filter(([, bytes]) => bytes !== 0)),
		redisCommands: each(after.redis - before.redis),
		vaultCalls: each(after.vault - before.vault),
		diskBytes: more("disk", Math.round),
		cpuMs: more("cpuMs"),
	};
}

async function look({ stack }: Engine, proxy: Proxy) {
	const { servers, processes } = stack.state();
	const redis = new Redis(servers.redis.url);
	const total = /total_commands_processed:(\d+)/.exec(await redis.info("stats"))?.[1];
	await redis.quit();
	const { auditFile } = servers.vault;
	const parts = Object.entries({ ...servers, ...processes });
	return {
		commands: proxy.read() as Commands,
		redis: Number(total),
		vault: auditFile === null ? Number.NaN : readFileSync(auditFile, "utf8").split('"type":"response"').length - 1,
		cpuMs: Object.fromEntries(parts.flatMap(([name, { pid }]) => (pid ? [[name, cpuMsOf(pid)]] : []))),
		disk: dataBytes(stack),
		stored: await storedBytes(stack),
	};
}

/** Of a process and its threads, in its own code and in the system's. */
function cpuMsOf(pid: number): number {
	const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
	const [user = 0, system = 0] = stat
		.slice(stat.lastIndexOf(")") + 2)
		.split(" ")
		.slice(11, 13)
		.map(Number);
	return ((user + system) * 1000) / ticksPerSecond;
}

/** Straight lines only: what each part does a second, and the cores that it is busy on. */
function needsOf(cost: Cost, messagesPerSecond: number) {
	const perSecond = (value: number) => Math.round(value * messagesPerSecond * 10) / 10;
	const cores = Object.entries(cost.cpuMs).map(([name, ms]) => [name, Math.round(ms * messagesPerSecond) / 1000]);
	return {
		cores: Object.fromEntries(cores) as Record<string, number>,
		eventsPerSecond: perSecond(cost.events),
		storeCommandsPerSecond: perSecond(cost.storeCommands),
		documentsWrittenPerSecond: perSecond(cost.documentsWritten),
		redisCommandsPerSecond: perSecond(cost.redisCommands),
		vaultCallsPerSecond: perSecond(cost.vaultCalls),
		storeBytesPerDay: Math.round((cost.diskBytes.mongodb ?? Number.NaN) * messagesPerSecond * secondsADay),
	};
}
