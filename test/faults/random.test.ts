// A random schedule of faults from a printed seed, under load; then everything that anybody wrote down must agree.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type StoredMessage, whole } from "../../adapters/mongo/archive.ts";
import { readCertificate, type StoredCertificate } from "../../adapters/mongo/certificates.ts";
import type { WrappingKeyDocument } from "../../adapters/mongo/models.ts";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import type { Entry } from "../../domain/evidence.ts";
import { finalStates, isFinal } from "../../domain/lifecycle.ts";
import { type Message, sealedObjects } from "../../domain/message.ts";
import { magic, magicNumber } from "../../stack/carrier/magic.ts";
import { writePrivateFile } from "../../stack/files.ts";
import { ofArray } from "../audit/memoryEvidence.ts";
import { root } from "../harness/programs.ts";
import { type CohortSeen, findViolations, repairMs, type Sent, type Sight } from "./checker.ts";
import { exitOnSignal } from "./exitOnSignal.ts";
import { readLedger } from "./ledger.ts";
import {
	type Befallen,
	createRandom,
	type Fault,
	type FaultKind,
	faultKinds,
	planFaults,
	type Target,
} from "./schedule.ts";
import { missingKinds, startTargets, type Targets } from "./targets.ts";

const firstSeed = Number(process.env.LETHE_TEST_SEED ?? randomInt(1, 1_000_000));
const minutes = Number(process.env.LETHE_TEST_MINUTES ?? 0.75);
const schedules = Number(process.env.LETHE_TEST_SCHEDULES ?? 1);
// Most of a schedule is waiting until all of it has ended and is due: others have their faults meanwhile.
const besideMax = 3;
const lanes = 4;
const pauseMsMax = 2_000;
const batchShare = 0.15;
const batchMessages = 8;
const codeShare = 0.2;
// Were troubles the rule, the carrier would be left alone by its circuit most of the time.
const plainShare = 0.4;
const repeatShare = 0.1;
const laterShare = 0.15;
const laterMsMax = 30_000;
const cancelShare = 0.1;
const acceptMsMax = 240_000;
// A code's text may be there for ten minutes, and its key until its purge; by then each message has ended, look-ups for
// receipts that were lost included.
const settleMsMax = 720_000;
const checkpointMsMax = 90_000;
const sightEveryMs = 1_000;
const codeValidForMs = 30_000;
// Load that no fault is in the way of any more: a code that is lost then has no excuse.
const quietMs = 20_000;
const quietCodesMin = 3;
const messagesPerMinuteMin = 60;

type Result = { seed: number; messages: number; faults: number; violations: number };

exitOnSignal();
const folders = Array.from({ length: besideMax }, (_, index) => join(root, ".lethe", `faults-random-${index + 1}`));
const missing = missingKinds();
const results: Result[] = [];
const inTurn = createTurns();
const faultsMsMax = 120_000 + minutes * 60_000 + repairMs + quietMs + acceptMsMax;

describe("random faults", { concurrency: besideMax }, () => {
	for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
		test(
			`seed ${seed}: whatever befalls it, nothing is lost, sent twice, late, remembered or taken back`,
			{ timeout: besideMax * faultsMsMax + settleMsMax + checkpointMsMax + 120_000 },
			(context) => survive(seed, context),
		);
	}
});

test("all schedules ran to their ends", (context) => {
	const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
	const [violations, messages] = [sum((one) => one.violations), sum((one) => one.messages)];
	context.diagnostic(
		`${results.length} random fault schedules of ${minutes} minutes, ${violations} violations; ${messages} messages in all`,
	);
	assert.equal(results.length, schedules);
});

/** One schedule, from an empty store to the comparison of what everybody wrote down. */
async function survive(seed: number, context: TestContext): Promise<void> {
	const kinds = Object.keys(missing) as FaultKind[];
	const planned = planFaults(seed, { forMs: minutes * 60_000, without: kinds });
	context.diagnostic(`${planned.length} faults in ${minutes} minutes; again with --seed ${seed} --minutes ${minutes}`);
	for (const why of Object.values(missing)) context.diagnostic(why);
	const dir = folders.pop() as string;
	const watching = new AbortController();
	let stop: () => Promise<void> = async () => undefined;
	try {
		// Others' load and faults would be in the way of its codes.
		const { targets, sights, sent, faults } = await inTurn(async () => {
			const targets = await startTargets(dir);
			stop = targets.stop;
			const sights = watch(targets, watching.signal);
			return { targets, sights, ...(await endure(targets, { seed, planned, context })) };
		});
		assertLoad(sent, faults, context);
		const record = await observe(targets, sent);
		watching.abort();
		const violations = findViolations({ ...record, faults, sights: await sights });
		results.push({ seed, messages: sent.length, faults: faults.length, violations: violations.length });
		const destroyed = record.cohorts.filter(isDestroyed).length;
		const { size } = record.certificates;
		context.diagnostic(`${destroyed} of ${record.cohorts.length} cohorts were destroyed; ${size} certificates`);
		context.diagnostic(
			`seed ${seed}: ${sent.length} messages, ${faults.length} faults (${count(faults)}), ${violations.length} violations`,
		);
		// Others may follow for hours: whoever looks on is told now.
		for (const violation of violations) context.diagnostic(violation);
		if (violations.length > 0) writePrivateFile(join(dir, "logs", "record.json"), tellAll({ ...record, faults }));
		assert.deepEqual(violations, [], `seed ${seed}:\n${violations.join("\n")}`);
	} catch (error) {
		// The next schedule in this folder begins with an empty one.
		const kept = join(root, ".lethe", `faults-failed-${seed}`);
		if (existsSync(join(dir, "logs"))) cpSync(join(dir, "logs"), kept, { recursive: true });
		context.diagnostic(`What everybody wrote down is in ${kept}`);
		throw error;
	} finally {
		watching.abort();
		await stop();
		folders.push(dir);
	}
}

function tellAll(record: object): string {
	return JSON.stringify(record, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value), "\t");
}

/** Answers what has each act wait for the end of the one before it, however that ended. */
function createTurns() {
	let last: Promise<unknown> = Promise.resolve();
	return <T>(act: () => Promise<T>): Promise<T> => {
		const mine = last.then(act);
		last = mine.catch(() => undefined);
		return mine;
	};
}

/** Load while faults befall, and for some time after all is whole again. */
async function endure(
	targets: Targets,
	{ seed, planned, context }: { seed: number; planned: Fault[]; context: TestContext },
): Promise<{ sent: Sent[]; faults: Befallen[] }> {
	const until = Date.now() + minutes * 60_000;
	const over = new AbortController();
	async function breakAndRest(): Promise<Befallen[]> {
		try {
			const faults = await unleash(targets, planned, context);
			await sleep(Math.max(until - Date.now(), repairMs + quietMs));
			return faults;
		} finally {
			over.abort();
		}
	}
	// One that fails does not leave the other at work on what is ended.
	const both = [createClient(targets, seed).load(over.signal), breakAndRest()] as const;
	await Promise.allSettled(both);
	const [sent, faults] = await Promise.all(both);
	return { sent, faults };
}

/** That what was sent can show anything: while faults befell, and once none was in its way. */
function assertLoad(sent: Sent[], faults: Befallen[], context: TestContext): void {
	const wholeAt = Math.max(0, ...faults.map(({ to }) => to));
	const troubled = sent.filter(({ askedAt }) => askedAt < wholeAt).length;
	const quiet = sent.filter(({ category, askedAt }) => category === "otp" && askedAt > wholeAt + repairMs).length;
	context.diagnostic(
		`${sent.length} messages were accepted, ${troubled} of them among faults; of ${quiet} codes none was in the way`,
	);
	assert.ok(troubled >= minutes * messagesPerMinuteMin, `${troubled} messages in ${minutes} minutes are no load`);
	assert.ok(quiet >= quietCodesMin, `${quiet} codes show nothing`);
}

function count(faults: Fault[]): string {
	const kinds = faultKinds.map((kind) => [kind, faults.filter((fault) => fault.kind === kind).length] as const);
	return kinds.flatMap(([kind, times]) => (times > 0 ? `${times} ${kind}` : [])).join(", ");
}

/**
 * Begins each fault at its time, and mends it at its; resolves once all is whole to those that there were.
 * @throws what the first one that could not be mended says, once all others are
 */
async function unleash(targets: Targets, faults: Fault[], context: TestContext): Promise<Befallen[]> {
	const startedAt = Date.now();
	const begun: Befallen[] = [];
	const broken = new Set<Target>();
	async function befall(fault: Fault): Promise<void> {
		await sleep(fault.atMs);
		const from = Date.now();
		const what = `${((from - startedAt) / 1000).toFixed(1)} s: ${fault.kind} ${fault.target}`;
		// What needs another one that is broken may take long to start again.
		if (broken.has(fault.target)) return context.diagnostic(`${what} is left out: it is not whole yet`);
		broken.add(fault.target);
		context.diagnostic(`${what} for ${(fault.forMs / 1000).toFixed(1)} s`);
		// What another fault has ended just now can't be broken again.
		const mend = await targets.begin(fault).catch((error: Error) => context.diagnostic(error.message));
		await sleep(fault.forMs);
		await mend?.();
		begun.push({ ...fault, from, to: Date.now() });
		broken.delete(fault.target);
	}
	const ends = await Promise.allSettled(faults.map(befall));
	const failed = ends.find((end) => end.status === "rejected");
	if (failed) throw failed.reason;
	return begun;
}

const usable = magic.map(({ name }) => name);
const codesOnly = ["no_receipt", "never_available"];

type Answer = { id: string; items?: { id: string }[]; state?: string; code?: string };

/** A caller that repeats a request until it is answered, and some of those that were; it may think better of a message. */
function createClient({ apiUrl, demo }: Targets, seed: number) {
	const random = createRandom(seed + 1_000_000);
	let sequence = 0;
	const pick = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)] as T;

	function draw(category: Sent["category"], key: string): Sent {
		const troubled = pick(category === "otp" ? usable : usable.filter((one) => !codesOnly.includes(one)));
		const name = random() < plainShare ? "delivered" : troubled;
		return {
			...{ key, category, magic: name, text: `Order ${seed}-${sequence++} is ready` },
			...{ ids: [], askedAt: Date.now(), answeredAt: 0 },
			...(category === "otp" ? { validForMs: codeValidForMs } : {}),
		};
	}

	/** Undefined when it was not answered, or with an error that is to be tried again. */
	async function ask(path: string, key: string, body: object) {
		const headers = {
			authorization: `Bearer ${demo.apiKey}`,
			"content-type": "application/json",
			"idempotency-key": key,
		};
		const request = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) };
		try {
			const response = await fetch(`${apiUrl}/v1/${path}`, request);
			const answer = (await response.json()) as Answer;
			return response.ok || answer.code === "not_cancellable" ? answer : undefined;
		} catch {
			return undefined;
		}
	}

	/** Until it is answered. */
	async function insist(path: string, key: string, body: object): Promise<Answer> {
		for (const end = Date.now() + acceptMsMax; ; await sleep(200)) {
			const answer = await ask(path, key, body);
			if (answer) return answer;
			assert.ok(Date.now() < end, `${key} was not answered in time`);
		}
	}

	async function send(key: string, drawn: Sent[]): Promise<void> {
		const isBatch = drawn.length > 1;
		const one = ({ magic: name, text }: Sent) => ({ to: magicNumber(name), body: text });
		const shared =
			drawn[0]?.category === "otp"
				? { category: "otp", dataClasses: ["contact", "otp_secret"], validFor: `PT${codeValidForMs / 1000}S` }
				: { category: "transactional", dataClasses: ["contact"] };
		const [{ sendAt }] = drawn as [Sent];
		const when = sendAt === undefined ? {} : { sendAt: new Date(sendAt).toISOString() };
		const body = isBatch ? { messages: drawn.map(one) } : one(drawn[0] as Sent);
		const answer = await insist(isBatch ? "batches" : "messages", key, { ...shared, ...when, ...body });
		const ids = isBatch ? answer.items?.map(({ id }) => id) : [answer.id];
		for (const [index, message] of drawn.entries()) {
			message.ids.push(ids?.[index] ?? "none");
			message.answeredAt ||= Date.now();
		}
	}

	async function cancel(drawn: Sent): Promise<void> {
		const { state } = await insist(`messages/${drawn.ids[0]}/cancel`, `${drawn.key}-cancel`, {});
		drawn.cancel = state === "cancelled" ? "granted" : "refused";
	}

	/** Sends until the signal aborts. */
	async function load(signal: AbortSignal): Promise<Sent[]> {
		const sent: Sent[] = [];
		const lane = async (number: number) => {
			for (let index = 0; !signal.aborted; index++) {
				const key = `faults-${seed}-${number}-${index}`;
				const category = random() < codeShare ? "otp" : "transactional";
				const count = category === "transactional" && random() < batchShare ? batchMessages : 1;
				const drawn = Array.from({ length: count }, () => draw(category, key));
				const [isLater, isRepeated, isCancelled] = [laterShare, repeatShare, cancelShare].map(
					(share) => random() < share,
				);
				const [laterMs, pauseMs] = [laterMsMax, pauseMsMax].map((most) => random() * most) as [number, number];
				if (isLater && category !== "otp") for (const one of drawn) one.sendAt = Math.ceil(Date.now() + laterMs);
				await send(key, drawn);
				if (isRepeated) await send(key, drawn);
				if (isCancelled) await cancel(drawn[0] as Sent);
				sent.push(...drawn);
				await sleep(pauseMs);
			}
		};
		await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
		return sent;
	}

	return { load };
}

/** Waits until all has ended, or its time is over, and gathers what everybody wrote down. @throws when any does not answer */
async function observe(targets: Targets, sent: Sent[]) {
	const known = new Set(sent.flatMap((one) => one.ids));
	const read = <T>(name: string) => targets.store.collection(name).find({}).toArray() as unknown as Promise<T[]>;
	const readMessages = async () => (await read<StoredMessage>("messages")).map((stored) => whole(stored));
	const readCohorts = () => read<CohortSeen>("cohorts");
	for (const end = Date.now() + settleMsMax; Date.now() < end; await sleep(2_000)) {
		// While the store is being started again it has no answer.
		const [messages, cohorts] = await Promise.all([readMessages(), readCohorts()]).catch(() => [[], []]);
		if (messages.length === known.size && messages.every(isSettled) && cohorts.some(isDestroyed)) break;
	}
	const messages = await readMessages();
	const ended = messages.filter(({ state }) => isFinal(state)).map(({ _id }) => _id);
	const entries = await readEvidence(targets, ended);
	const now = Date.now();
	const cohorts = await readCohorts();
	assert.ok(cohorts.some(isDestroyed), `of ${cohorts.length} cohorts none was destroyed: that shows nothing`);
	return {
		...{ sent, entries, now, cohorts },
		messages: new Map(messages.map((message) => [message._id, message])),
		ledger: await readLedger(targets.carrier),
		// After the cohorts: a key goes before its cohort is told to be destroyed.
		transitKeys: await targets.transitKeys(),
		wrappingKeys: await read<WrappingKeyDocument>("wrappingKeys"),
		certificates: await verifyAll(targets, await read<StoredCertificate>("certificates")),
	};
}

function isSettled({ state, retention, unintegratedSince }: Message): boolean {
	const isCertified = sealedObjects.every((name) => retention[name]?.verifiedAt ?? retention[name]?.certificateId);
	return isFinal(state) && isCertified && unintegratedSince === undefined;
}

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
async function watch({ store }: Targets, signal: AbortSignal): Promise<Map<string, Sight[]>> {
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

/** The log, whole and verified, once its checkpoint covers what these messages ended with, or its time is over. */
async function readEvidence(targets: Targets, ended: string[]): Promise<Entry[]> {
	const { apiUrl, demo } = targets;
	const headers = { authorization: `Bearer ${demo.apiKey}` };
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
		const entries = lines.slice(1).map((line) => JSON.parse(line) as Entry);
		const known = new Set(entries.flatMap(({ type, about }) => (about && isEnd(type) ? [about] : [])));
		if (Date.now() > end || ended.every((id) => known.has(id))) return entries;
	}
}

async function readKeys({ apiUrl }: Targets): Promise<{ keys: { x: string }[] }> {
	return (await (await fetch(`${apiUrl}/.well-known/jwks.json`)).json()) as { keys: { x: string }[] };
}

const isEnd = (type: string) => (finalStates as string[]).includes(type);
