// A cohort's whole purge, with its certificates, against the bare writes that take the same ciphertext out of the same documents.

import { randomBytes } from "node:crypto";
import { createPurge, type PurgeDeps } from "../activities/purge.ts";
import { connectMongo, type MongoConnection } from "../adapters/mongo/connection.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import { spread, spreadOfRatios } from "./measure.ts";

type PurgeTarget = {
	/** The worker's own parts. */
	deps: PurgeDeps & { encryption: { prepareCohort: (cohortId: string) => Promise<void> } };
	mongodb: { url: string; database: string };
};

type Purge = ReturnType<typeof createPurge>;

const ciphertextBytes = 240;
const insertItems = 500;
const day = 24 * 3600_000;

/**
 * `ratio`: messages a second of a purge (note, erase, read back, sign and keep a certificate, destroy the key, certify
 * that) over those of bare `updateMany`s that unset the ciphertext, in pages of the same size, and a `deleteMany` of the
 * wrapped keys; median of interleaved rounds over like documents in one collection.
 */
export async function purgeSuite(target: PurgeTarget, options: { rounds: number; messages: number }) {
	const connection = await connectMongo(target.mongodb);
	const purge = createPurge(target.deps);
	try {
		const small = Math.min(options.messages, limits.purgePageItems);
		await purgeRate(purge, await fill(target, connection, small), small);
		await bareRate(connection, await fill(target, connection, small), small);
		const [ours, bare]: [number[], number[]] = [[], []];
		for (let round = 0; round < options.rounds; round++) {
			const cohorts = [];
			for (let side = 0; side < 2; side++) cohorts.push(await fill(target, connection, options.messages));
			const [mine, theirs] = cohorts as [string, string];
			// Whoever goes first may find a colder store.
			const [first, second] = round % 2 === 0 ? [runOurs, runBare] : [runBare, runOurs];
			await first();
			await second();
			async function runOurs() {
				ours.push(await purgeRate(purge, mine, options.messages));
			}
			async function runBare() {
				bare.push(await bareRate(connection, theirs, options.messages));
			}
		}
		const ratios = spreadOfRatios(ours, bare);
		return {
			suite: "purge" as const,
			rounds: options.rounds,
			messagesPerCohort: options.messages,
			pageItems: limits.purgePageItems,
			messagesPerSecond: spread(ours),
			baseline: { what: "updateMany a page, deleteMany of the wrapped keys", messagesPerSecond: spread(bare) },
			ratio: ratios.median,
			ratios,
			targets: { ratioMin: 0.5 },
		};
	} finally {
		await connection.close();
	}
}

/** A due cohort of its own with as many delivered messages; answers its id. */
async function fill({ deps }: PurgeTarget, connection: MongoConnection, count: number): Promise<string> {
	const tenantId = deps.ids.random("tenant");
	const dueAt = deps.clock() - 1;
	const cohortId = await deps.cohorts.ensure({ tenantId, region: "US", retentionClass: "content/PT1H", dueAt });
	await deps.encryption.prepareCohort(cohortId);
	const messages = connection.collection<Message>("messages");
	for (let start = 0; start < count; start += insertItems) {
		const length = Math.min(insertItems, count - start);
		await messages.insertMany(Array.from({ length }, () => messageIn(deps, tenantId, cohortId)) as never[]);
	}
	return cohortId;
}

function messageIn({ ids, clock }: PurgeTarget["deps"], tenantId: string, cohortId: string): Message {
	const now = clock();
	const record = { eraseBy: now + 90 * day, atFinal: false };
	return {
		_id: ids.random("message"),
		tenantId,
		submissionId: ids.random("submission"),
		submissionSize: 1,
		group: 0,
		principalId: ids.random("apiKey"),
		category: "transactional",
		dataClasses: ["contact"],
		deliveryMode: "sms",
		country: "US",
		region: "US",
		sendQueue: "bench",
		subject: { version: 1, mac: randomBytes(32).toString("base64url") },
		facts: { recipientCountry: "US", category: "transactional", dataClasses: ["contact"] },
		decision: { allowed: true, reasons: [], citations: [], packs: [], rules: [] },
		state: "delivered",
		attempt: 1,
		acceptedAt: now - day,
		stateAt: now - day,
		deadlineAt: now - day,
		closeAt: now - day,
		attempts: [],
		receipts: [],
		evidence: [],
		integrated: 0,
		holds: [],
		content: {
			cohortId,
			wrappingKeyId: ids.random("wrappingKey"),
			wrappedKey: randomBytes(61),
			ciphertext: randomBytes(ciphertextBytes),
		},
		retention: { content: { ...record, cohortId }, receipt: record, decision_record: record },
		certificates: [],
		nextCheckAt: now + 90 * day,
	};
}

async function purgeRate({ closeCohort, erasePage, destroyCohort }: Purge, cohortId: string, count: number) {
	const startedAt = performance.now();
	if (!(await closeCohort(cohortId))) throw new Error("the cohort is not due");
	let gone = 0;
	for (let page = -1; page !== 0; gone += page) page = (await erasePage(cohortId)).count;
	const { outcome } = await destroyCohort(cohortId);
	const rate = count / ((performance.now() - startedAt) / 1000);
	if (gone !== count || outcome !== "destroyed") throw new Error(`${gone} of ${count} erased, ${outcome}`);
	return rate;
}

async function bareRate(connection: MongoConnection, cohortId: string, count: number): Promise<number> {
	const messages = connection.collection<Message>("messages");
	const startedAt = performance.now();
	let gone = 0;
	for (;;) {
		const filter = { "content.cohortId": cohortId } as never;
		const page = await messages
			.find(filter, { projection: { _id: 1 } })
			.limit(limits.purgePageItems)
			.toArray();
		if (page.length === 0) break;
		const ids = page.map(({ _id }) => _id) as unknown as string[];
		const update = { $unset: { content: 1 }, $set: { "retention.content.erasedAt": Date.now() } } as never;
		gone += (await messages.updateMany({ _id: { $in: ids } } as never, update)).modifiedCount;
	}
	await connection.collection("wrappingKeys").deleteMany({ cohortId });
	const rate = count / ((performance.now() - startedAt) / 1000);
	if (gone !== count) throw new Error(`${gone} of ${count} erased`);
	return rate;
}
