// Acceptance against bare inserts of the same document: rate, latency, batches, overload, and what becomes of it all.

import mongoose, { type Connection } from "mongoose";
import { Agent, request } from "undici";
import { connectMongo } from "../adapters/mongo/connection.ts";
import { magicNumber } from "../stack/carrier/magic.ts";
import { offerSteadily, rateOf, residentBytes, spread, spreadOfRatios, untilStill } from "./measure.ts";

export type AcceptTarget = {
	apiUrl: string;
	apiKey: string;
	/** Of the API's process. */
	apiPid: () => number;
	mongodb: { url: string; database: string };
	/** Worker and sender, which accept nothing. */
	pauseWorkers: () => Promise<void>;
	resumeWorkers: () => Promise<void>;
	/** How many runs there are, and how many of them are not closed. */
	countRuns: () => Promise<number>;
	countOpenRuns: () => Promise<number>;
};

type Options = { rounds: number; perRound: number; probes: number; overloadSeconds: number; overloadLanes: number };

const concurrency = 40;
const batchMessages = 100;
const overloadFactor = 2;
const recoveryMsMax = 5_000;
const residentRatioMax = 1.25;
const warmUpRounds = 3;
const stillMs = 1_000;
const closingMsMax = 20_000;
const runsMsMax = 1_200_000;

/**
 * `ratio`: messages accepted a second over bare inserts a second of the same document with the same durability, median of
 * interleaved rounds, with no worker running. `latencyRatio`: the median of one at a time over the insert's;
 * `loaded.latencyRatio`: the same of the rounds' 40 at once.
 * `withWorkersRunning`, first: the rate while worker and sender have these very messages to drive, and none from before.
 */
export async function acceptSuite(target: AcceptTarget, options: Options) {
	const connection = await connectMongo({ ...target.mongodb, poolMax: concurrency });
	const agent = new Agent({ connections: options.overloadLanes });
	try {
		const call = createCaller(target, agent);
		const running = await measureRunning(target, options, call);
		await target.pauseWorkers();
		const insert = await createInsert(connection, (await call.accept(1)).id);
		const untilStarted = () => untilStill(target.countRuns, { stillMs });
		const paused = await measureRates(options, call, insert, untilStarted);
		await untilStarted();
		const latency = await measureLatency(options, call, insert);
		const capacityPerSecond = paused.messagesPerSecond.median;
		const overload = await overloadFor(target, { ...options, capacityPerSecond }, call, connection);
		await target.resumeWorkers();
		return {
			suite: "accept",
			concurrency,
			rounds: options.rounds,
			...paused,
			...latency,
			withWorkersRunning: running,
			overload,
			...(await untilRun(connection)),
		};
	} finally {
		await agent.close();
		await connection.close();
	}
}

type Caller = ReturnType<typeof createCaller>;
type Accepted = { id: string; items?: { id?: string }[] };

function createCaller({ apiUrl, apiKey }: AcceptTarget, agent: Agent) {
	let sequence = 0;
	const message = () => ({ to: magicNumber("delivered"), body: `Your order ${sequence++} is ready at the counter` });
	const shared = { category: "transactional", dataClasses: ["contact"] };

	async function post(messages: number): Promise<{ status: number; body: Accepted }> {
		const body =
			messages === 1
				? { ...message(), ...shared }
				: { ...shared, messages: Array.from({ length: messages }, () => message()) };
		const answer = await request(`${apiUrl}/v1/${messages === 1 ? "messages" : "batches"}`, {
			method: "POST",
			dispatcher: agent,
			headers: {
				authorization: `Bearer ${apiKey}`,
				"content-type": "application/json",
				"idempotency-key": `bench-${process.pid}-${sequence}`,
			},
			body: JSON.stringify(body),
		});
		return { status: answer.statusCode, body: (await answer.body.json()) as Accepted };
	}

	return {
		post,
		async accept(messages: number): Promise<Accepted> {
			const { status, body } = await post(messages);
			if (status !== 202) throw new Error(`POST answered ${status} ${(body as { code?: string }).code}`);
			return body;
		},
	};
}

/** Inserts one message's document again and again, each time with an id of its own, as mongoose does it. */
async function createInsert(connection: Connection, id: string): Promise<() => Promise<void>> {
	const messages = connection.collection("messages");
	const sample = await messages.findOne({ _id: id as never });
	if (!sample) throw new Error("the accepted message is not in the store");
	const schema = new mongoose.Schema({ _id: String }, { strict: false, versionKey: false });
	const model = connection.model("bare", schema, "bare_inserts");
	let sequence = 0;
	return async () => {
		// Nothing of it is due, so that no sweep comes across it.
		await model.create({ ...sample, _id: `bare_${process.pid}_${sequence++}` });
	};
}

async function measureRunning({ countRuns, countOpenRuns }: AcceptTarget, { perRound }: Options, call: Caller) {
	const single = async () => void (await call.accept(1));
	const untilWorkedOff = async () => {
		// Runs are started behind the answers: none being open yet is no sign that all are closed.
		await untilStill(countRuns, { stillMs });
		await untilStill(countOpenRuns, { stillMs: closingMsMax, end: 0 });
	};
	// A process that serves has long since compiled what it runs: fewer would measure the compiler.
	await rateOf(warmUpRounds * perRound, concurrency, single);
	await untilWorkedOff();
	const messagesPerSecond = await rateOf(perRound, concurrency, single);
	await untilWorkedOff();
	return { what: "beside worker and sender, which drive the same messages and none from before", messagesPerSecond };
}

/**
 * By a process that is warm already. Each side begins once the runs of what was accepted before have been started: they
 * go on behind the answers, and would be a load on whatever is measured next.
 */
async function measureRates(
	{ rounds, perRound }: Options,
	call: Caller,
	insert: () => Promise<void>,
	untilStarted: () => Promise<void>,
) {
	const single = async () => void (await call.accept(1));
	await rateOf(warmUpRounds * perRound, concurrency, insert);
	const inserts: number[] = [];
	const messages: number[] = [];
	const batches: number[] = [];
	const insertMs: number[] = [];
	const acceptMs: number[] = [];
	for (let round = 0; round < rounds; round++) {
		await untilStarted();
		inserts.push(await rateOf(perRound, concurrency, timed(insert, insertMs)));
		messages.push(await rateOf(perRound, concurrency, timed(single, acceptMs)));
		const count = Math.max(4, Math.round(perRound / batchMessages));
		await untilStarted();
		batches.push(batchMessages * (await rateOf(count, 4, async () => void (await call.accept(batchMessages)))));
	}
	const ratios = spreadOfRatios(messages, inserts);
	const batchRatio = spreadOfRatios(batches, messages).median;
	return {
		messagesPerSecond: spread(messages),
		baseline: { what: "bare mongoose insert of the same document", insertsPerSecond: spread(inserts) },
		ratio: ratios.median,
		ratios,
		loaded: compareLatencies(acceptMs, insertMs),
		batches: { messagesEach: batchMessages, messagesPerSecond: spread(batches), ratio: batchRatio },
	};
}

/** The same call, which notes how many milliseconds it took. */
function timed(call: () => Promise<void>, took: number[]): () => Promise<void> {
	return async () => {
		const startedAt = performance.now();
		await call();
		took.push(performance.now() - startedAt);
	};
}

async function measureLatency({ probes }: Options, call: Caller, insert: () => Promise<void>) {
	const insertMs: number[] = [];
	const acceptMs: number[] = [];
	const insertOne = timed(insert, insertMs);
	const acceptOne = timed(async () => void (await call.accept(1)), acceptMs);
	for (let count = 0; count < probes; count++) {
		await insertOne();
		await acceptOne();
	}
	return compareLatencies(acceptMs, insertMs);
}

function compareLatencies(acceptMs: number[], insertMs: number[]) {
	const [latencyMs, baselineLatencyMs] = [spread(acceptMs).median, spread(insertMs).median];
	return { latencyMs, baselineLatencyMs, latencyRatio: latencyMs / baselineLatencyMs };
}

/**
 * Requests at twice the rate that was just measured, whether or not those before were answered: who is told 202 is in the
 * store, memory does not go on growing, and the process is soon well again.
 */
async function overloadFor(
	target: AcceptTarget,
	options: Options & { capacityPerSecond: number },
	call: Caller,
	connection: Connection,
) {
	const before = residentBytes(target.apiPid()) ?? 0;
	const memory = watchMemory(target);
	const { accepted, refused, offered, seconds } = await offer(options, call);
	const { first, second } = memory.stop();
	const recoveryMs = await recover(call);
	const missing = await countMissing(connection, accepted);
	const timesCapacity = offered / seconds / options.capacityPerSecond;
	return {
		seconds,
		offeredPerSecond: offered / seconds,
		timesCapacity,
		accepted: accepted.length,
		missing,
		refused,
		residentBytesBefore: before,
		residentBytesMost: Math.max(first, second),
		// What grows for as long as the overload lasts is more in its second half; a heap that filled once is not.
		residentRatio: second / first,
		recoveryMs,
		met: {
			overloaded: timesCapacity >= overloadFactor * 0.95,
			durable: missing === 0,
			memoryBounded: second <= first * residentRatioMax,
			recovered: recoveryMs <= recoveryMsMax,
		},
	};
}

/** Sends at a steady rate; what would be more than so many at once is sent as soon as there is room again. */
async function offer(
	{ capacityPerSecond, overloadSeconds, overloadLanes }: Options & { capacityPerSecond: number },
	call: Caller,
) {
	const accepted: string[] = [];
	const refused: Record<string, number> = {};
	const one = async () => {
		const { status, body } = await call.post(1).catch(() => ({ status: 0, body: undefined }));
		if (status === 202 && body) accepted.push(body.id);
		else refused[status] = (refused[status] ?? 0) + 1;
	};
	const pace = { perSecond: overloadFactor * capacityPerSecond, seconds: overloadSeconds, lanesMax: overloadLanes };
	return { accepted, refused, ...(await offerSteadily(pace, one)) };
}

/** The most memory of the API's process in either half of what is watched. */
function watchMemory({ apiPid }: AcceptTarget) {
	const samples: number[] = [];
	const watching = setInterval(() => void samples.push(residentBytes(apiPid()) ?? 0), 200);
	return {
		stop() {
			clearInterval(watching);
			const middle = Math.ceil(samples.length / 2);
			const most = (some: number[]) => Math.max(...some, residentBytes(apiPid()) ?? 0);
			return { first: most(samples.slice(0, middle)), second: most(samples.slice(middle)) };
		},
	};
}

/** How many of these are not in the store. */
async function countMissing(connection: Connection, ids: string[]): Promise<number> {
	let missing = 0;
	for (let at = 0; at < ids.length; at += 1_000) {
		const page = ids.slice(at, at + 1_000);
		missing +=
			page.length - (await connection.collection("messages").countDocuments({ _id: { $in: page as never[] } }));
	}
	return missing;
}

/** Milliseconds until ten in a row are accepted, each within a quarter of a second. */
async function recover(call: Caller): Promise<number> {
	const startedAt = performance.now();
	for (let well = 0; well < 10; ) {
		const from = performance.now();
		const { status } = await call.post(1);
		well = status === 202 && performance.now() - from < 250 ? well + 1 : 0;
		if (performance.now() - startedAt > 4 * recoveryMsMax) break;
	}
	return performance.now() - startedAt;
}

/** Waits until every accepted message is driven. */
async function untilRun(connection: Connection) {
	const startedAt = performance.now();
	for (;;) {
		const waiting = await connection.collection("messages").countDocuments({ state: "accepted" });
		const seconds = (performance.now() - startedAt) / 1000;
		if (waiting === 0 || seconds * 1000 > runsMsMax) return { withoutRun: waiting, runsCaughtUpSeconds: seconds };
		await new Promise((resolve) => setTimeout(resolve, 1_000));
	}
}
