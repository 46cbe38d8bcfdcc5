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

let sequence = 0;

/** One message from POST to closed workflow; answers its submission's id. */
export async function runMessage({ post, untilClosed }: Engine): Promise<string> {
	const { submissionId } = await post("/v1/messages", {
		to: magicNumber("delivered"),
		body: `Your order ${sequence++} is ready to be collected at the counter`,
		category: "transactional",
		dataClasses: ["contact"],
	});
	// 202 does not wait for Temporal, and no receipt comes within this time: asking at once would be a load of its own.
	await new Promise((resolve) => setTimeout(resolve, 100));
	await untilClosed(submissionId);
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
