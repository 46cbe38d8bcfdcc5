// The same rates on an empty system and on one that holds much: finished messages, open ones, and what they all cost.

import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "mongoose";
import type { State } from "../domain/lifecycle.ts";
import { magicNumber } from "../stack/carrier/magic.ts";
import { acceptBatch, batchMessages, runBatches } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { bsonBytes, connectToStore, dataBytes, memoryOf } from "./footprint.ts";
import { runMessage } from "./lifecycle.ts";
import { rateOf, spread } from "./measure.ts";

type Options = { rounds: number; perRound: number; stored: number; open: number };

const concurrency = 40;
const fillAtOnce = 4;
const sampledMax = 1_000;
const sentMsMax = 600_000;

/**
 * `ratios`: rates with `stored` finished and `open` unfinished messages over those with none; `bare` is what the bare
 * workflow's own rate did meanwhile, of which nothing is ours. `bytesPerMessage`: BSON of all collections over all messages
 * once they have ended; of one ended message's document, and of an open one's (`openDocument`), without their ciphertext.
 */
export async function growthSuite(engine: Engine, options: Options) {
	const connection = await connectToStore(engine.stack);
	try {
		await measure(engine, { ...options, rounds: 1 });
		const empty = await measure(engine, options);
		const before = { bytes: dataBytes(engine.stack), messages: await countMessages(connection) };
		const fillMessagesPerSecond = await store(engine, options.stored);
		const stored = dataBytes(engine.stack);
		const kept = await countMessages(connection);
		const bytesPerMessage = await weigh(connection, kept);
		await leaveOpen(engine, options.open);
		const openDocument = await weighDocuments(connection, "submitted");
		const memory = memoryOf(engine.stack);
		const grown = await measure(engine, options);
		return {
			suite: "growth",
			...{ storedMessages: kept, openMessages: options.open, fillMessagesPerSecond },
			baseline: { what: "the same rates on the empty system, earlier in this run", ...empty },
			grown,
			ratio: Math.min(over(grown, empty).single, over(grown, empty).batch),
			ratios: over(grown, empty),
			memory,
			bytesPerMessage: { ...bytesPerMessage, openDocument, ...perMessage(before, { bytes: stored, messages: kept }) },
		};
	} finally {
		await connection.close();
	}
}

type Rates = Awaited<ReturnType<typeof measure>>;

async function measure(engine: Engine, { rounds, perRound }: Options) {
	const [bare, single, batch] = [[], [], []] as number[][] as [number[], number[], number[]];
	for (let round = 0; round < rounds; round++) {
		bare.push(await rateOf(perRound, concurrency, engine.runBare));
		single.push(await rateOf(perRound, concurrency, async () => void (await runMessage(engine))));
		batch.push((await runBatches(engine, Math.max(1, Math.round(perRound / 100)))).messagesPerSecond);
	}
	return {
		bareWorkflowsPerSecond: spread(bare),
		singleMessagesPerSecond: spread(single),
		batchMessagesPerSecond: spread(batch),
	};
}

function over(grown: Rates, empty: Rates) {
	const ratio = (name: keyof Rates) => grown[name].median / empty[name].median;
	return {
		bare: ratio("bareWorkflowsPerSecond"),
		single: ratio("singleMessagesPerSecond"),
		batch: ratio("batchMessagesPerSecond"),
	};
}

/** Sends messages in batches until each has ended; answers how many a second. */
async function store(engine: Engine, messages: number): Promise<number> {
	const batches = Math.ceil(messages / batchMessages);
	const rate = await rateOf(batches, fillAtOnce, async () => engine.untilClosed(await acceptBatch(engine)));
	return rate * batchMessages;
}

/** Sends messages whose receipts never come: each keeps a run open. Resolves once the carrier has them. */
async function leaveOpen({ post, readLedger }: Engine, messages: number): Promise<void> {
	const before = (await readLedger("limit=1")).total;
	await rateOf(messages, concurrency, async (index) => {
		const to = magicNumber("no_receipt");
		const body = `Your order ${index} waits at the counter`;
		await post("/v1/messages", { to, body, category: "transactional", dataClasses: ["contact"] });
	});
	const end = Date.now() + sentMsMax;
	for (;;) {
		const sent = (await readLedger("limit=1")).total - before;
		if (sent >= messages) return;
		if (Date.now() > end) throw new Error(`the carrier has ${sent} of ${messages} open messages`);
		await sleep(500);
	}
}

type Sizes = Record<string, number>;

function perMessage(before: { bytes: Sizes; messages: number }, after: { bytes: Sizes; messages: number }) {
	const more = Math.max(1, after.messages - before.messages);
	const each = Object.entries(after.bytes).map(([name, bytes]) => [
		name,
		Math.round((bytes - (before.bytes[name] ?? 0)) / more),
	]);
	return { onDiskByServer: Object.fromEntries(each) as Sizes };
}

const countMessages = (connection: Connection) => connection.collection("messages").estimatedDocumentCount();

/** Mean sizes over samples, whatever store it is and however it compresses. */
async function weigh(connection: Connection, messages: number) {
	const collections = await connection.listCollections();
	const byCollection: Sizes = {};
	for (const { name } of collections) {
		const collection = connection.collection(name);
		const sample = await collection.find({}).limit(sampledMax).toArray();
		const mean = sample.reduce((sum, document) => sum + bsonBytes(document), 0) / Math.max(1, sample.length);
		byCollection[name] = Math.round((mean * (await collection.estimatedDocumentCount())) / Math.max(1, messages));
	}
	return {
		document: await weighDocuments(connection, "delivered"),
		all: Object.values(byCollection).reduce((sum, bytes) => sum + bytes, 0),
		byCollection: Object.fromEntries(Object.entries(byCollection).filter(([, bytes]) => bytes > 0)),
	};
}

/** The median of messages in that state, each without its ciphertext. */
async function weighDocuments(connection: Connection, state: State): Promise<number> {
	const found = connection.collection("messages").find({});
	const sizes: number[] = [];
	for await (const message of found) {
		if (message.state === state) sizes.push(bsonBytes(withoutCiphertext(message)));
		if (sizes.length === sampledMax) break;
	}
	return Math.round(spread(sizes).median);
}

// What is kept of content and number, wrapped data key and all, is content; an ended message has none.
function withoutCiphertext({ content: _, address: __, ...rest }: Record<string, unknown>) {
	return rest;
}
