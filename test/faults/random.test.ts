// A random schedule of faults from a printed seed, under load; then everything that anybody wrote down must agree.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makePrivateFolder, writePrivateFile } from "../../stack/files.ts";
import { root } from "../harness/programs.ts";
import { findViolations, repairMs, type Sent } from "./checker.ts";
import { acceptMsMax, createClient } from "./client.ts";
import { exitOnSignal } from "./exitOnSignal.ts";
import { listen } from "./listen.ts";
import { checkpointMsMax, observe, settleMsMax, watch } from "./observe.ts";
import { type Befallen, type Fault, type FaultKind, faultKinds, planFaults, type Target } from "./schedule.ts";
import { missingKinds, startTargets, type Targets } from "./targets.ts";

const firstSeed = Number(process.env.LETHE_TEST_SEED ?? randomInt(1, 1_000_000));
const minutes = Number(process.env.LETHE_TEST_MINUTES ?? 0.75);
const schedules = Number(process.env.LETHE_TEST_SCHEDULES ?? 1);
// Most of a schedule is waiting until all of it has ended and is due: others have their faults meanwhile.
const besideMax = 3;
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
	let readLogs = async () => "";
	try {
		// Others' load and faults would be in the way of its codes.
		const { targets, sights, told, sent, faults } = await inTurn(async () => {
			const targets = await startTargets(dir);
			({ stop, readLogs } = targets);
			const { told, close } = await listen({ apiUrl: targets.apiUrl, apiKey: targets.demo.apiKey }, seed);
			stop = () => targets.stop().finally(close);
			const sights = watch(targets, watching.signal);
			return { targets, sights, told, ...(await endure(targets, { seed, planned, context })) };
		});
		assertLoad(sent, faults, context);
		const record = await observe(targets, sent, told);
		watching.abort();
		const violations = findViolations({ ...record, faults, sights: await sights });
		results.push({ seed, messages: sent.length, faults: faults.length, violations: violations.length });
		const destroyed = record.cohorts.filter(({ state }) => state === "destroyed").length;
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
		const lines = await readLogs().catch((unread: Error) => `not read: ${unread.message}\n`);
		writePrivateFile(join(makePrivateFolder(kept), "lines.log"), lines);
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
	const erased = sent.filter(({ erasure }) => erasure).length;
	const blocked = sent.filter(({ blockedAt }) => blockedAt).length - erased;
	context.diagnostic(`${blocked} recipients opted out, ${erased} asked to be forgotten`);
	assert.ok(blocked > 0 && erased > 0, "nobody opted out, or asked to be forgotten");
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
