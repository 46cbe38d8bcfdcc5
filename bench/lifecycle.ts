// The lifecycle against a bare one-activity workflow on the same server: rate at a concurrency, and latency when idle.

import { magicNumber } from "../stack/carrier/magic.ts";
import type { Engine } from "./engine.ts";
import { latenciesOf, rateOf, spread, spreadOfRatios } from "./measure.ts";

const concurrency = 40;

/**
 * From POST to closed workflow, real processes, journaled store, interleaved with the baseline.
 * `ratio`: messages a second over bare workflows a second, median of the rounds' ratios.
 * `latencyRatio`: median from POST to the carrier over median from start to result of a bare workflow, one at a time, idle.
 */
export async function lifecycleSuite(engine: Engine, options: { rounds: number; perRound: number; probes: number }) {
	const warmUp = Math.max(concurrency * 2, 100);
	await rateOf(warmUp, concurrency, engine.runBare);
	await rateOf(warmUp, concurrency, async () => void (await runMessage(engine)));
	const bareRates: number[] = [];
	const letheRates: number[] = [];
	const sampled: string[] = [];
	for (let round = 0; round < options.rounds; round++) {
		bareRates.push(await rateOf(options.perRound, concurrency, engine.runBare));
		letheRates.push(
			await rateOf(options.perRound, concurrency, async (index) => {
				const submissionId = await runMessage(engine);
				if (index % 25 === 0) sampled.push(submissionId);
			}),
		);
	}
	const history = await engine.historyOf(sampled);
	const latency = await measureLatency(engine, options.probes);
	const ratios = spreadOfRatios(letheRates, bareRates);
	return {
		suite: "lifecycle",
		concurrency,
		rounds: options.rounds,
		messagesPerRound: options.perRound,
		messagesPerSecond: spread(letheRates),
		baseline: { what: "bare one-activity workflow", workflowsPerSecond: spread(bareRates) },
		ratio: ratios.median,
		ratios,
		eventsPerMessage: history.events,
		historyBytesPerMessage: history.bytes,
		...latency,
	};
}

/**
 * Single messages on an engine whose messages may share runs, interleaved with the baseline.
 * `sharedRatio`: messages a second over bare workflows a second, from the first POST of a round to its last closed run, by
 * 40 callers that each go on once they have their answer. `waiting`: by 40 callers that go on once their run is closed, so
 * that the carrier's time for a receipt counts, too. `eventsPerRun`: the most of any.
 */
export async function sharingSuite(engine: Engine, options: { rounds: number; perRound: number }) {
	await rateOf(concurrency * 2, concurrency, engine.runBare);
	await runShared(engine, concurrency * 4, { waits: false });
	const bareRates: number[] = [];
	const rounds: { [of in "going" | "waiting"]: Awaited<ReturnType<typeof runShared>>[] } = { going: [], waiting: [] };
	for (let round = 0; round < options.rounds; round++) {
		bareRates.push(await rateOf(options.perRound, concurrency, engine.runBare));
		rounds.going.push(await runShared(engine, options.perRound, { waits: false }));
		rounds.waiting.push(await runShared(engine, options.perRound, { waits: true }));
	}
	const ratesOf = (of: keyof typeof rounds) => rounds[of].map(({ messagesPerSecond }) => messagesPerSecond);
	const shared = rounds.going.flatMap(({ members }) => [...members]);
	const [ratios, waiting] = [
		spreadOfRatios(ratesOf("going"), bareRates),
		spreadOfRatios(ratesOf("waiting"), bareRates),
	];
	return {
		sharedRatio: ratios.median,
		sharing: {
			messagesPerSecond: spread(ratesOf("going")),
			baseline: { what: "bare one-activity workflow", workflowsPerSecond: spread(bareRates) },
			ratios,
			messagesPerRun: spread(shared.map(([, count]) => count)),
			eventsPerRun: (await engine.historyOf(shared.map(([id]) => id))).events,
			waiting: { messagesPerSecond: spread(ratesOf("waiting")), ratios: waiting },
		},
	};
}

/** Some single messages from the first POST until each run is closed; how many each run had. */
async function runShared(engine: Engine, count: number, { waits }: { waits: boolean }) {
	const members = new Map<string, number>();
	const closing = new Map<string, Promise<void>>();
	const startedAt = performance.now();
	await rateOf(count, concurrency, async () => {
		const submissionId = await postMessage(engine);
		members.set(submissionId, (members.get(submissionId) ?? 0) + 1);
		// Asked once a run: its members' callers are told together.
		const closed = closing.get(submissionId) ?? engine.untilClosed(submissionId);
		closing.set(submissionId, closed);
		if (waits) await closed;
	});
	await Promise.all(closing.values());
	return { members, messagesPerSecond: (count * 1000) / (performance.now() - startedAt) };
}

let sequence = 0;

async function postMessage({ post }: Engine): Promise<string> {
	const { submissionId } = await post("/v1/messages", {
		to: magicNumber("delivered"),
		body: `Your order ${sequence++} is ready to be collected at the counter`,
		category: "transactional",
		dataClasses: ["contact"],
	});
	return submissionId;
}

/** One message from POST to closed workflow; answers its submission's id. */
export async function runMessage(engine: Engine): Promise<string> {
	const submissionId = await postMessage(engine);
	// 202 does not wait for Temporal, and no receipt comes within this time: asking at once would be a load of its own.
	await new Promise((resolve) => setTimeout(resolve, 100));
	await engine.untilClosed(submissionId);
	return submissionId;
}

// Idle: nothing else runs, one at a time, the two sides in turn.
async function measureLatency(engine: Engine, probes: number) {
	const bareMs: number[] = [];
	const letheMs: number[] = [];
	for (let probe = 0; probe < probes; probe++) {
		bareMs.push(...(await latenciesOf(1, async () => void (await engine.runBare()))));
		letheMs.push(...(await latenciesOf(1, () => postToCarrier(engine))));
	}
	return {
		postToCarrierMs: spread(letheMs),
		bareStartToResultMs: spread(bareMs),
		latencyRatio: spread(letheMs).median / spread(bareMs).median,
	};
}

async function postToCarrier(engine: Engine): Promise<number> {
	const postedAt = Date.now();
	await runMessage(engine);
	const { total } = await engine.readLedger("limit=1");
	const [last] = (await engine.readLedger(`after=${total - 1}`)).messages;
	if (!last || last.at < postedAt) throw new Error("the carrier's ledger shows no new message");
	return last.at - postedAt;
}
