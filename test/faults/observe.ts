// What everybody wrote down: the store as it is seen, and once all has ended, the carrier, the evidence log, Vault.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type StoredMessage, whole } from "../../adapters/mongo/archive.ts";
import { readCertificate, type StoredCertificate } from "../../adapters/mongo/certificates.ts";
import type { WrappingKeyDocument } from "../../adapters/mongo/models.ts";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import type { Entry } from "../../domain/evidence.ts";
import { finalStates, isFinal } from "../../domain/lifecycle.ts";
import { type Message, sealedObjects } from "../../domain/message.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import { eventsOf } from "../../domain/webhook.ts";
import { ofArray } from "../audit/memoryEvidence.ts";
import type { CohortSeen, Sent, Sight, Told } from "./checker.ts";
import { readLedger } from "./ledger.ts";
import type { Targets } from "./targets.ts";

/**
 * A code's text may be there for ten minutes, and its key until its purge; by then each message has ended, look-ups for
 * receipts that were lost included.
 */
export const settleMsMax = 720_000;
export const checkpointMsMax = 90_000;
const sightEveryMs = 1_000;

/** Waits until all has ended, or its time is over, and gathers what everybody wrote down. @throws when any does not answer */
export async function observe(targets: Targets, sent: Sent[], told: Told[]) {
	const { demo, keeper } = targets;
	const known = new Set(sent.flatMap((one) => one.ids));
	const read = <T>(name: string) => targets.store.collection(name).find({}).toArray() as unknown as Promise<T[]>;
	const readMessages = async () => (await read<StoredMessage>("messages")).map((stored) => whole(stored));
	const readRequests = () => read<SubjectRequest>("subjectRequests");
	const readCohorts = () => read<CohortSeen>("cohorts");
	for (const end = Date.now() + settleMsMax; Date.now() < end; await sleep(2_000)) {
		// While the store is being started again it has no answer.
		const [messages, cohorts] = await Promise.all([readMessages(), readCohorts()]).catch(() => [[], []]);
		const taken = new Set(told.flatMap(({ id, isTaken }) => (isTaken ? [id] : [])));
		const toTell = messages.flatMap((one) => (one.tenantId === demo.tenantId ? eventsOf(one) : []));
		const areTold = taken.size === toTell.length;
		const requests = await readRequests().catch(() => undefined);
		const isOver = messages.every(isSettled) && areTold && requests?.every(isDone) && cohorts.some(isDestroyed);
		if (messages.length === known.size && isOver) break;
	}
	const messages = await readMessages();
	const ended = messages.filter(({ state }) => isFinal(state));
	const entries = [...(await readEvidence(targets, demo, ended)), ...(await readEvidence(targets, keeper, ended))];
	const now = Date.now();
	const cohorts = await readCohorts();
	assert.ok(cohorts.some(isDestroyed), `of ${cohorts.length} cohorts none was destroyed: that shows nothing`);
	return {
		...{ sent, told, entries, now, cohorts },
		requests: new Map((await readRequests()).map((request) => [request._id, request])),
		messages: new Map(messages.map((message) => [message._id, message])),
		ledger: await readLedger(targets.carrier),
		// After the cohorts: a key goes before its cohort is told to be destroyed.
		transitKeys: await targets.transitKeys(),
		wrappingKeys: await read<WrappingKeyDocument>("wrappingKeys"),
		certificates: await verifyAll(targets, await read<StoredCertificate>("certificates")),
	};
}

function isSettled({ state, retention, unintegratedSince }: Message): boolean {
	const isOver = sealedObjects.every((name) => {
		const { verifiedAt, certificateId, atFinal, eraseBy = 0 } = retention[name] ?? {};
		return verifiedAt ?? certificateId ?? (!atFinal && eraseBy > Date.now());
	});
	return isFinal(state) && isOver && unintegratedSince === undefined;
}

const isDone = ({ erasure }: SubjectRequest) => erasure?.step === "done";
const isDestroyed = ({ state }: CohortSeen) => state === "destroyed";

/** Each certificate that there is, by its id, as its verifier judges it. */
async function verifyAll(targets: Targets, stored: StoredCertificate[]) {
	const jwks = await readKeys(targets);
	const verify = async (one: StoredCertificate) => {
		const { _id, jws } = readCertificate(one);
		return [_id, await verifyCertificate(jws, jwks, { now: Date.now() })] as const;
	};
	return new Map(await Promise.all(stored.map(verify)));
}

/** What each message was seen as, one after the other. */
export async function watch({ store }: Targets, signal: AbortSignal): Promise<Map<string, Sight[]>> {
	const sights = new Map<string, Sight[]>();
	const projection = { state: 1, attempt: 1 };
	for (; !signal.aborted; await sleep(sightEveryMs)) {
		const found = await store
			.collection("messages")
			.find({}, { projection })
			.toArray()
			.catch(() => []);
		const at = Date.now();
		for (const { _id, state, attempt } of found as unknown as (Sight & { _id: string })[]) {
			const seen = sights.get(_id) ?? [];
			sights.set(_id, seen);
			const last = seen.at(-1);
			if (last?.state !== state || last.attempt !== attempt) seen.push({ state, attempt, at });
		}
	}
	return sights;
}

/** A tenant's log, whole and verified, once its checkpoint covers what its messages ended with, or its time is over. */
async function readEvidence(
	targets: Targets,
	{ tenantId, apiKey }: Targets["demo"],
	ended: Message[],
): Promise<Entry[]> {
	const { apiUrl } = targets;
	const headers = { authorization: `Bearer ${apiKey}` };
	const own = ended.filter((message) => message.tenantId === tenantId);
	for (const end = Date.now() + checkpointMsMax; ; await sleep(1_000)) {
		const jwks = await readKeys(targets);
		const answer = await fetch(`${apiUrl}/v1/evidence/export`, { headers });
		const text = await answer.text();
		// What is shed by an API with too much to do is asked for again.
		if (answer.status === 503 && Date.now() < end) continue;
		assert.equal(answer.status, 200, text);
		const lines = text.trimEnd().split("\n");
		const result = await verifyEvidence(ofArray(lines), jwks.keys);
		assert.ok(result.valid, JSON.stringify(result));
		// Another tenant's stand there as their hashes.
		const shown = lines.slice(1).map((line) => JSON.parse(line) as Entry);
		const entries = shown.filter((entry) => entry.tenantId === tenantId);
		const known = new Set(entries.flatMap(({ type, about }) => (about && isEnd(type) ? [about] : [])));
		if (Date.now() > end || own.every(({ _id }) => known.has(_id))) return entries;
	}
}

async function readKeys({ apiUrl }: Targets): Promise<{ keys: { x: string }[] }> {
	return (await (await fetch(`${apiUrl}/.well-known/jwks.json`)).json()) as { keys: { x: string }[] };
}

const isEnd = (type: string) => (finalStates as string[]).includes(type);
