// A random schedule of faults from a printed seed, under load; then everything that anybody wrote down must agree.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type StoredMessage, whole } from "../../adapters/mongo/archive.ts";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import type { Entry } from "../../domain/evidence.ts";
import { finalStates, isFinal } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";
import { magic, magicNumber } from "../../stack/carrier/magic.ts";
import { ofArray } from "../audit/memoryEvidence.ts";
import { root } from "../harness/programs.ts";
import { type CohortSeen, findViolations, type Sent, type Sight } from "./checker.ts";
import { readLedger } from "./ledger.ts";
import {
	clockErrorMsMax,
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
// A code's deadline, its grace of two minutes, and the sweep's rounds after that; look-ups for receipts that were lost.
const settleMsMax = 420_000;
const checkpointMsMax = 90_000;
const sightEveryMs = 1_000;

type Result = { seed: number; messages: number; faults: number; violations: number };

const dir = join(root, ".lethe", "faults-random");
const missing = missingKinds(dir);
const results: Result[] = [];

for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
	test(
		`seed ${seed}: whatever befalls it, nothing is lost, sent twice, late, remembered or taken back`,
		{
			timeout: minutes * 60_000 + acceptMsMax + settleMsMax + checkpointMsMax + 240_000,
		},
		(context) => survive(seed, context),
	);
}

if (schedules > 1) {
	test("all schedules ran to their ends", (context) => {
		const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
		const [violations, messages] = [sum((one) => one.violations), sum((one) => one.messages)];
		context.diagnostic(
			`${results.length} random fault schedules of ${minutes} minutes, ${violations} violations; ${messages} messages in all`,
		);
		assert.equal(results.length, schedules);
	});
}

/** One schedule, from an empty store to the comparison of what everybody wrote down. */
async function survive(seed: number, context: TestContext): Promise<void> {
	const kinds = Object.keys(missing) as FaultKind[];
	const planned = planFaults(seed, { forMs: minutes * 60_000, without: kinds });
	context.diagnostic(`${planned.length} faults in ${minutes} minutes; again with --seed ${seed} --minutes ${minutes}`);
	for (const why of Object.values(missing)) context.diagnostic(why);
	const targets = await startTargets(dir);
	const watching = new AbortController();
	try {
		const client = createClient(targets, seed);
		const sights = watch(targets, watching.signal);
		const until = Date.now() + minutes * 60_000;
		// One that fails does not leave the other at work on what is ended.
		const both = [client.load(until), unleash(targets, planned, context)] as const;
		await Promise.allSettled(both);
		const [sent, faults] = await Promise.all(both);
		context.diagnostic(`${sent.length} messages were accepted`);
		assert.ok(sent.length > 0);
		const record = await observe(targets, sent);
		watching.abort();
		const violations = findViolations({ ...record, sights: await sights, clockErrorMs: clockErrorMsMax(faults) });
		results.push({ seed, messages: sent.length, faults: faults.length, violations: violations.length });
		context.diagnostic(
			`seed ${seed}: ${sent.length} messages, ${faults.length} faults (${count(faults)}), ${violations.length} violations`,
		);
		assert.deepEqual(violations, [], `seed ${seed}:\n${violations.join("\n")}`);
	} finally {
		watching.abort();
		await targets.stop();
	}
}

function count(faults: Fault[]): string {
	const kinds = faultKinds.map((kind) => [kind, faults.filter((fault) => fault.kind === kind).length] as const);
	return kinds.flatMap(([kind, times]) => (times > 0 ? `${times} ${kind}` : [])).join(", ");
}

/** Begins each fault at its time, and mends it at its; resolves once all is whole to those that there were. */
async function unleash(targets: Targets, faults: Fault[], context: TestContext): Promise<Fault[]> {
	const startedAt = Date.now();
	const begun: Fault[] = [];
	const broken = new Set<Target>();
	await Promise.all(
		faults.map(async (fault) => {
			await sleep(fault.atMs);
			const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
			const what = `${seconds} s: ${fault.kind} ${fault.target}`;
			// What needs another one that is broken may take long to start again.
			if (broken.has(fault.target)) return context.diagnostic(`${what} is left out: it is not whole yet`);
			broken.add(fault.target);
			begun.push(fault);
			context.diagnostic(`${what} for ${(fault.forMs / 1000).toFixed(1)} s`);
			// What another fault has ended just now can't be broken again.
			const mend = await targets.begin(fault).catch((error: Error) => context.diagnostic(error.message));
			await sleep(fault.forMs);
			await mend?.();
			broken.delete(fault.target);
		}),
	);
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
		return { key, magic: name, text: `Order ${seed}-${sequence++} is ready`, category, ids: [] };
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
				? { category: "otp", dataClasses: ["contact", "otp_secret"], validFor: "PT30S" }
				: { category: "transactional", dataClasses: ["contact"] };
		const [{ sendAt }] = drawn as [Sent];
		const when = sendAt === undefined ? {} : { sendAt: new Date(sendAt).toISOString() };
		const body = isBatch ? { messages: drawn.map(one) } : one(drawn[0] as Sent);
		const answer = await insist(isBatch ? "batches" : "messages", key, { ...shared, ...when, ...body });
		const ids = isBatch ? answer.items?.map(({ id }) => id) : [answer.id];
		for (const [index, message] of drawn.entries()) message.ids.push(ids?.[index] ?? "none");
	}

	async function cancel(drawn: Sent): Promise<void> {
		const { state } = await insist(`messages/${drawn.ids[0]}/cancel`, `${drawn.key}-cancel`, {});
		drawn.cancel = state === "cancelled" ? "granted" : "refused";
	}

	async function load(until: number): Promise<Sent[]> {
		const sent: Sent[] = [];
		const lane = async (number: number) => {
			for (let index = 0; Date.now() < until; index++) {
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

/** Waits until all has ended, or its time is over, and gathers what everybody wrote down. */
async function observe(targets: Targets, sent: Sent[]) {
	const known = new Set(sent.flatMap((one) => one.ids));
	// While the store is being started again it has no answer.
	const read = <T>(name: string) =>
		targets.store
			.collection(name)
			.find({})
			.toArray()
			.catch(() => []) as unknown as Promise<T[]>;
	const isSettled = ({ state, certificates, unintegratedSince }: Message) =>
		isFinal(state) && certificates.length > 0 && unintegratedSince === undefined;
	let messages: Message[] = [];
	for (const end = Date.now() + settleMsMax; Date.now() < end; await sleep(2_000)) {
		messages = (await read<StoredMessage>("messages")).map((stored) => whole(stored));
		if (messages.length === known.size && messages.every(isSettled)) break;
	}
	const ended = messages.filter(({ state }) => isFinal(state)).map(({ _id }) => _id);
	return {
		sent,
		messages: new Map(messages.map((message) => [message._id, message])),
		ledger: await readLedger(targets.carrier),
		entries: await readEvidence(targets, ended),
		cohorts: await read<CohortSeen>("cohorts"),
		now: Date.now(),
	};
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
		for (const { _id, state, attempt } of found as unknown as (Sight & { _id: string })[]) {
			const seen = sights.get(_id) ?? [];
			sights.set(_id, seen);
			const last = seen.at(-1);
			if (last?.state !== state || last.attempt !== attempt) seen.push({ state, attempt });
		}
	}
	return sights;
}

/** The log, whole and verified, once its checkpoint covers what these messages ended with, or its time is over. */
async function readEvidence({ apiUrl, demo }: Targets, ended: string[]): Promise<Entry[]> {
	const headers = { authorization: `Bearer ${demo.apiKey}` };
	for (const end = Date.now() + checkpointMsMax; ; await sleep(1_000)) {
		const jwks = (await (await fetch(`${apiUrl}/.well-known/jwks.json`)).json()) as { keys: { x: string }[] };
		const lines = (await (await fetch(`${apiUrl}/v1/evidence/export`, { headers })).text()).trimEnd().split("\n");
		const result = await verifyEvidence(ofArray(lines), jwks.keys);
		assert.ok(result.valid, JSON.stringify(result));
		const entries = lines.slice(1).map((line) => JSON.parse(line) as Entry);
		const known = new Set(entries.flatMap(({ type, about }) => (about && isEnd(type) ? [about] : [])));
		if (Date.now() > end || ended.every((id) => known.has(id))) return entries;
	}
}

const isEnd = (type: string) => (finalStates as string[]).includes(type);
