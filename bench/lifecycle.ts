// The lifecycle against a bare one-activity workflow on the same server: rate at a concurrency, and latency when idle.

import { Client, Connection } from "@temporalio/client";
import { dataConverter } from "../adapters/temporal/client.ts";
import { magicNumber } from "../stack/carrier/magic.ts";
import { latenciesOf, rateOf, spread } from "./measure.ts";

export type LifecycleTarget = {
	temporalAddress: string;
	temporalNamespace: string;
	apiUrl: string;
	apiKey: string;
	carrierUrl: string;
	carrierToken: string;
};

const concurrency = 40;

/**
 * From POST to closed workflow, real processes, journaled store, interleaved with the baseline.
 * `ratio`: messages a second over bare workflows a second, median of the rounds' ratios.
 * `latencyRatio`: median from POST to the carrier over median from start to result of a bare workflow, one at a time, idle.
 */
export async function lifecycleSuite(
	target: LifecycleTarget,
	options: { rounds: number; perRound: number; probes: number },
) {
	const connection = await Connection.connect({ address: target.temporalAddress });
	const bare = new Client({ connection, namespace: target.temporalNamespace });
	const lethe = new Client({ connection, namespace: target.temporalNamespace, dataConverter });
	try {
		const warmUp = Math.max(concurrency * 2, 100);
		await rateOf(warmUp, concurrency, () => runBare(bare));
		await rateOf(warmUp, concurrency, async () => void (await runMessage(target, lethe)));
		const bareRates: number[] = [];
		const letheRates: number[] = [];
		const sampled: string[] = [];
		for (let round = 0; round < options.rounds; round++) {
			bareRates.push(await rateOf(options.perRound, concurrency, () => runBare(bare)));
			letheRates.push(
				await rateOf(options.perRound, concurrency, async (index) => {
					const submissionId = await runMessage(target, lethe);
					if (index % 25 === 0) sampled.push(submissionId);
				}),
			);
		}
		const history = await historyOf(lethe, sampled);
		const latency = await measureLatency(target, bare, lethe, options.probes);
		const ratios = letheRates.map((rate, round) => rate / (bareRates[round] as number));
		return {
			suite: "lifecycle",
			concurrency,
			rounds: options.rounds,
			messagesPerRound: options.perRound,
			messagesPerSecond: spread(letheRates),
			baseline: { what: "bare one-activity workflow", workflowsPerSecond: spread(bareRates) },
			ratio: spread(ratios).median,
			ratios: spread(ratios),
			...history,
			...latency,
		};
	} finally {
		await connection.close();
	}
}

let sequence = 0;

async function runBare(client: Client): Promise<void> {
	const workflowId = `bare-${process.pid}-${sequence++}`;
	const handle = await client.workflow.start("bare", { workflowId, taskQueue: "bare", args: ["id"] });
	await handle.result();
}

/** One message from POST to closed workflow; answers its submission's id. */
async function runMessage(target: LifecycleTarget, client: Client): Promise<string> {
	const { submissionId } = await post(target, sequence++);
	const handle = client.workflow.getHandle(submissionId);
	// 202 does not wait for Temporal, and no receipt comes within this time: asking at once would be a load of its own.
	await new Promise((resolve) => setTimeout(resolve, 100));
	for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 80)) {
		try {
			await handle.result();
			return submissionId;
		} catch (error) {
			if ((error as Error).name !== "WorkflowNotFoundError") throw error;
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
		}
	}
}

async function post(target: LifecycleTarget, index: number): Promise<{ id: string; submissionId: string }> {
	const response = await fetch(`${target.apiUrl}/v1/messages`, {
		method: "POST",
		headers: { authorization: `Bearer ${target.apiKey}`, "content-type": "application/json" },
		body: JSON.stringify({
			to: magicNumber("delivered"),
			body: `Your order ${index} is ready to be collected at the counter`,
			category: "transactional",
			dataClasses: ["contact"],
		}),
	});
	const answer = (await response.json()) as { id: string; submissionId: string; code?: string };
	if (response.status !== 202) throw new Error(`POST /v1/messages answered ${response.status} ${answer.code}`);
	return answer;
}

async function historyOf(client: Client, submissionIds: string[]) {
	const events: number[] = [];
	const bytes: number[] = [];
	for (const id of submissionIds) {
		const description = await client.workflow.getHandle(id).describe();
		events.push(description.historyLength);
		bytes.push(description.historySize ?? Number.NaN);
	}
	return { eventsPerMessage: spread(events).max, historyBytesPerMessage: spread(bytes).max };
}

// Idle: nothing else runs, one at a time, the two sides in turn.
async function measureLatency(target: LifecycleTarget, bare: Client, lethe: Client, probes: number) {
	const bareMs: number[] = [];
	const letheMs: number[] = [];
	for (let probe = 0; probe < probes; probe++) {
		bareMs.push(...(await latenciesOf(1, async () => void (await runBare(bare)))));
		letheMs.push(...(await latenciesOf(1, () => postToCarrier(target, lethe))));
	}
	return {
		postToCarrierMs: spread(letheMs),
		bareStartToResultMs: spread(bareMs),
		latencyRatio: spread(letheMs).median / spread(bareMs).median,
	};
}

async function postToCarrier(target: LifecycleTarget, lethe: Client): Promise<number> {
	const postedAt = Date.now();
	await runMessage(target, lethe);
	const { total } = await readLedger(target, "limit=1");
	const [last] = (await readLedger(target, `after=${total - 1}`)).messages;
	if (!last || last.at < postedAt) throw new Error("the carrier's ledger shows no new message");
	return last.at - postedAt;
}

async function readLedger(target: LifecycleTarget, query: string) {
	const response = await fetch(`${target.carrierUrl}/ledger?${query}`, {
		headers: { authorization: `Bearer ${target.carrierToken}` },
	});
	return (await response.json()) as { total: number; messages: { at: number }[] };
}
