// How the carriers of the send queues do, told by the senders for whoever routes: a circuit that is open, attempts that fail.

import type { Redis } from "ioredis";
import { isLasting, type Told } from "../../domain/circuit.ts";

const slotSeconds = 30;
const keptSeconds = 120;
const flushMs = 500;
// An open circuit that nobody tells of any more is one that nobody knows of.
const openMs = 90_000;
const attemptsMin = 10;
const failingShare = 0.5;
// A failure that no success has followed is remembered for so long: whoever has to mend it may come the next day.
const failureMs = 24 * 3600_000;
// Whether a carrier brings anything is told again every two seconds.
const broughtMs = 15_000;

const fateKey = (prefix: string, sendQueue: string, slot: number) => `${prefix}:fate:${sendQueue}:${slot}`;
const openKey = (prefix: string, sendQueue: string) => `${prefix}:open:${sendQueue}`;
const leftKey = (prefix: string, sendQueue: string) => `${prefix}:left:${sendQueue}`;
const failureKey = (prefix: string, sendQueue: string) => `${prefix}:failure:${sendQueue}`;
const broughtKey = (prefix: string, sendQueue: string) => `${prefix}:brought:${sendQueue}`;
const silenceKey = (prefix: string, sendQueue: string) => `${prefix}:silence:${sendQueue}`;

// Of several waits that were asked for the longest counts, as in the queue's rate bucket.
const leaveScript = `
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then redis.call("SET", KEYS[1], "1", "PX", ARGV[1]) end`;

/** Why a queue's carrier fails: a code of ours, and since when no attempt was well, epoch ms; absent where nobody told. */
export type Failing = { code?: string; since?: number };

/** `clock`: epoch milliseconds; those of several machines may differ by less than a slot. */
type HealthOf = { prefix: string; sendQueue: string; clock: () => number };

const slotOf = (now: number) => Math.floor(now / 1000 / slotSeconds);

/** Tells of one queue's attempts; what is lost of it makes a route look better than it is, for a moment. */
export function tellHealth(connection: Redis, { prefix, sendQueue, clock }: HealthOf) {
	const counts = { well: 0, ill: 0 };
	let isOpen = false;
	let wasOpen = false;
	let last: Told;
	const flush = async () => {
		const { well, ill } = counts;
		if (well + ill === 0) return;
		counts.well = 0;
		counts.ill = 0;
		const key = fateKey(prefix, sendQueue, slotOf(clock()));
		const batch = connection.multi().hincrby(key, "well", well).hincrby(key, "ill", ill).expire(key, keptSeconds);
		if (isOpen) batch.set(openKey(prefix, sendQueue), "1", "PX", openMs);
		else if (wasOpen) batch.del(openKey(prefix, sendQueue));
		wasOpen = isOpen;
		const failure = failureKey(prefix, sendQueue);
		if (last === true) batch.del(failure);
		else if (last) batch.hset(failure, "code", last.code).hsetnx(failure, "since", clock()).pexpire(failure, failureMs);
		await batch.exec();
	};
	const timer = setInterval(() => void flush().catch(() => undefined), flushMs);
	timer.unref();
	return {
		/** What came of an attempt, as the circuit is told, and whether the circuit is open after it. */
		tell(told: Told, open: boolean): void {
			isOpen = open;
			if (told === undefined) return;
			last = told;
			counts[told === true ? "well" : "ill"]++;
		},
		/** The carrier asked to be left alone for so long that who has another goes there; a longer wait stays. */
		async leave(ms: number): Promise<void> {
			await connection.eval(leaveScript, 1, leftKey(prefix, sendQueue), Math.ceil(ms));
		},
		async close(): Promise<void> {
			clearInterval(timer);
			await flush().catch(() => undefined);
		},
	};
}

/**
 * Tells whether a queue's carrier brings receipts and what recipients write (true), or why it does not: it may take what is
 * sent all the same. Where the account has fewer links than there are senders, one of them brings all, and no other counts.
 */
export async function tellBrought(connection: Redis, of: HealthOf, told: true | string): Promise<void> {
	const brought = broughtKey(of.prefix, of.sendQueue);
	const silence = silenceKey(of.prefix, of.sendQueue);
	if (told === true) {
		await connection.multi().set(brought, "1", "PX", broughtMs).del(silence).exec();
	} else if (!(await connection.exists(brought))) {
		const telling = connection.multi().hset(silence, "code", told).hsetnx(silence, "since", of.clock());
		await telling.pexpire(silence, broughtMs).exec();
	}
}

/** Those of the queues whose carrier is left alone at present, or failed more often than not within the last minute. */
export async function findIll(
	connection: Redis,
	{ prefix, clock }: Omit<HealthOf, "sendQueue">,
	sendQueues: readonly string[],
): Promise<Set<string>> {
	if (sendQueues.length === 0) return new Set();
	const slot = slotOf(clock());
	const reading = connection.pipeline();
	for (const name of sendQueues) {
		reading.exists(openKey(prefix, name), leftKey(prefix, name));
		for (const at of [slot, slot - 1]) reading.hmget(fateKey(prefix, name, at), "well", "ill");
	}
	const answers = ((await reading.exec()) ?? []).map(([error, answer]) => {
		if (error) throw error;
		return answer;
	});
	return new Set(
		sendQueues.filter((_, index) => {
			const [open, ...fates] = answers.slice(index * 3, index * 3 + 3) as [number, ...(string | null)[][]];
			const sum = (field: number) => fates.reduce((total, fate) => total + Number(fate[field] ?? 0), 0);
			const [well, ill] = [sum(0), sum(1)];
			return open > 0 || (well + ill >= attemptsMin && ill / (well + ill) > failingShare);
		}),
	);
}

/**
 * Those of the queues that people have to see to, and why: `findIll`, whose last attempt found that they lack what they
 * need or that their carrier refuses it, even if that was a while ago, and whose carrier brings nothing.
 */
export async function findFailing(
	connection: Redis,
	of: Omit<HealthOf, "sendQueue">,
	sendQueues: readonly string[],
): Promise<Map<string, Failing>> {
	const ill = await findIll(connection, of, sendQueues);
	const reading = connection.pipeline();
	for (const name of sendQueues) {
		for (const keyOf of [failureKey, silenceKey]) reading.hmget(keyOf(of.prefix, name), "code", "since");
	}
	const answers = sendQueues.length > 0 ? ((await reading.exec()) ?? []) : [];
	const told = answers.map(([error, answer]): Failing => {
		if (error) throw error;
		const [code, since] = (answer ?? []) as (string | null)[];
		return code ? { code, since: Number(since) } : {};
	});
	const failing = new Map<string, Failing>();
	for (const [index, name] of sendQueues.entries()) {
		const [failure = {}, silence = {}] = told.slice(index * 2, index * 2 + 2);
		if (ill.has(name) || (failure.code && isLasting(failure.code))) failing.set(name, failure);
		else if (silence.code) failing.set(name, silence);
	}
	return failing;
}

/** Whoever gives a queue other credentials starts anew. */
export async function forgetHealth(connection: Redis, prefix: string, sendQueue: string): Promise<void> {
	const keys = [openKey, leftKey, failureKey, broughtKey, silenceKey].map((keyOf) => keyOf(prefix, sendQueue));
	await connection.del(...keys);
}
