// Batches of 500 against the bare one-activity workflow, and what a one-time code waits while a bulk runs beside it.

import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../domain/limits.ts";
import { magicNumber } from "../stack/carrier/magic.ts";
import type { Engine } from "./engine.ts";
import { percentile95, rateOf, spread, spreadOfRatios } from "./measure.ts";

type Options = { rounds: number; batches: number; bare: number; probes: number; bulkMessages: number };

export const batchMessages = limits.submissionMessagesMax;
const concurrency = 40;
const batchesAtOnce = 4;
const pollMs = 20;
const betweenCodesMs = 200;
const bulkMsMax = 600_000;

/**
 * From POST to the last closed workflow, real processes, journaled store, interleaved with the baseline.
 * `ratio`: messages a second over bare workflows a second, median of the rounds' ratios. `eventsPerMessage`: the most of
 * any batch. `receipts`: milliseconds from the first POST of a round to its first and last receipt. `codes`: what
 * one-time codes waited with nothing beside them, and while `bulkMessages` went out.
 */
export async function batchSuite(engine: Engine, options: Options) {
	await rateOf(concurrency * 2, concurrency, engine.runBare);
	await runBatches(engine, 1);
	const bareRates: number[] = [];
	const rounds: Awaited<ReturnType<typeof runBatches>>[] = [];
	for (let round = 0; round < options.rounds; round++) {
		bareRates.push(await rateOf(options.bare, concurrency, engine.runBare));
		rounds.push(await runBatches(engine, options.batches));
	}
	const rates = rounds.map(({ messagesPerSecond }) => messagesPerSecond);
	const ratios = spreadOfRatios(rates, bareRates);
	const history = await engine.historyOf(rounds.flatMap(({ submissionIds }) => submissionIds));
	return {
		suite: "batch",
		rounds: options.rounds,
		messagesEach: batchMessages,
		messagesPerRound: batchMessages * options.batches,
		messagesPerSecond: spread(rates),
		baseline: { what: "bare one-activity workflow", workflowsPerSecond: spread(bareRates), concurrency },
		ratio: ratios.median,
		ratios,
		eventsPerMessage: history.events / batchMessages,
		historyBytesPerMessage: history.bytes / batchMessages,
		acceptedPerSecond: spread(rounds.map(({ acceptedPerSecond }) => acceptedPerSecond)),
		receipts: {
			firstMs: spread(rounds.map(({ firstReceiptMs }) => firstReceiptMs)),
			lastMs: spread(rounds.map(({ lastReceiptMs }) => lastReceiptMs)),
		},
		codes: await measureCodes(engine, options),
	};
}

let sequence = 0;

/** One batch of 500, accepted; answers its submission's id. */
export async function acceptBatch({ post }: Engine): Promise<string> {
	const messages = Array.from({ length: batchMessages }, () => ({
		to: magicNumber("delivered"),
		body: `Your order ${sequence++} is ready to be collected at the counter`,
	}));
	const { id } = await post("/v1/batches", { category: "transactional", dataClasses: ["contact"], messages });
	return id;
}

/** Some batches from the first POST until each run is closed, watching the carrier's receipts. */
export async function runBatches(engine: Engine, batches: number) {
	const before = (await engine.readLedger("limit=1")).receipts.taken;
	const startedAt = performance.now();
	const since = () => performance.now() - startedAt;
	const submissionIds: string[] = [];
	const closing: Promise<void>[] = [];
	const receipts = watchReceipts(engine, before, batches * batchMessages, since);
	await rateOf(batches, batchesAtOnce, async () => {
		const id = await acceptBatch(engine);
		submissionIds.push(id);
		closing.push(engine.untilClosed(id));
	});
	const acceptedMs = since();
	await Promise.all(closing);
	const closedMs = since();
	return {
		submissionIds,
		messagesPerSecond: (batches * batchMessages * 1000) / closedMs,
		acceptedPerSecond: (batches * batchMessages * 1000) / acceptedMs,
		...(await receipts),
	};
}

async function watchReceipts({ readLedger }: Engine, before: number, count: number, since: () => number) {
	let firstReceiptMs = Number.NaN;
	for (;;) {
		const taken = (await readLedger("limit=1")).receipts.taken - before;
		if (taken > 0 && Number.isNaN(firstReceiptMs)) firstReceiptMs = since();
		if (taken >= count) return { firstReceiptMs, lastReceiptMs: since() };
		if (since() > bulkMsMax) throw new Error(`the carrier brought ${taken} receipts of ${count}`);
		await sleep(pollMs);
	}
}

type Code = { submissionId: string; text: string; postedAt: number; acceptedAt: number };

async function measureCodes(engine: Engine, { probes, bulkMessages }: Options) {
	const startedAt = (await engine.readLedger("limit=1")).total;
	const idle: Code[] = [];
	while (idle.length < probes) idle.push(await sendCode(engine));
	const loaded: Code[] = [];
	const bulkAt = performance.now();
	let over = false;
	const bulk = sendBulk(engine, bulkMessages).finally(() => {
		over = true;
	});
	while (!over) loaded.push(await sendCode(engine));
	await bulk;
	const bulkSeconds = (performance.now() - bulkAt) / 1000;
	await Promise.all([...idle, ...loaded].map(({ submissionId }) => engine.untilClosed(submissionId)));
	const arrivals = await readArrivals(engine, startedAt);
	const [alone, beside] = [waitsOf(idle, arrivals), waitsOf(loaded, arrivals)];
	return {
		bulkMessages,
		bulkSeconds,
		idle: alone,
		duringBulk: beside,
		acceptToCarrierP95AddedMs: beside.acceptToCarrierP95Ms - alone.acceptToCarrierP95Ms,
	};
}

async function sendCode({ post }: Engine): Promise<Code> {
	const text = `${String(100_000 + (sequence++ % 900_000))} is your code ${sequence}`;
	const postedAt = Date.now();
	const { submissionId } = await post("/v1/messages", {
		...{ to: magicNumber("delivered"), body: text, category: "otp", dataClasses: ["contact", "otp_secret"] },
		validFor: "PT5M",
	});
	const acceptedAt = Date.now();
	await sleep(betweenCodesMs);
	return { submissionId, text, postedAt, acceptedAt };
}

/** Resolves once the carrier has all of it. */
async function sendBulk(engine: Engine, messages: number): Promise<void> {
	const ids: string[] = [];
	await rateOf(
		Math.ceil(messages / batchMessages),
		batchesAtOnce,
		async () => void ids.push(await acceptBatch(engine)),
	);
	await Promise.all(ids.map(engine.untilClosed));
}

/** Text → epoch milliseconds at which the carrier took it. */
async function readArrivals({ readLedger }: Engine, after: number): Promise<Map<string, number>> {
	const arrivals = new Map<string, number>();
	for (let from = after; ; ) {
		const { messages } = await readLedger(`after=${from}&limit=1000`);
		for (const { text, at } of messages) arrivals.set(text, at);
		const last = messages.at(-1);
		if (!last) return arrivals;
		from = last.seq;
	}
}

/** The carrier may have a code before its caller has the answer: then it waited for nothing. */
function waitsOf(codes: Code[], arrivals: Map<string, number>) {
	const waits = codes.map(({ text, postedAt, acceptedAt }) => {
		const at = arrivals.get(text);
		if (at === undefined) throw new Error(`the carrier never had the code "${text}"`);
		return { accept: acceptedAt - postedAt, toCarrier: Math.max(0, at - acceptedAt), whole: at - postedAt };
	});
	return {
		codes: codes.length,
		acceptMs: spread(waits.map(({ accept }) => accept)),
		acceptToCarrierMs: spread(waits.map(({ toCarrier }) => toCarrier)),
		acceptToCarrierP95Ms: percentile95(waits.map(({ toCarrier }) => toCarrier)),
		postToCarrierP95Ms: percentile95(waits.map(({ whole }) => whole)),
	};
}
