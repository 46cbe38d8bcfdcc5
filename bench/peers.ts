// Lethe beside Kannel, Jasmin and a plain sender, each over the same SMSC: rates, and what a kill -9 half way loses.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../domain/limits.ts";
import { makePrivateFolder } from "../stack/files.ts";
import type { Stack } from "../stack/stack.ts";
import { rateOf, type Spread, spread } from "./measure.ts";
import { openJasmin } from "./peers/jasmin.ts";
import { openKannel } from "./peers/kannel.ts";
import { openLethe } from "./peers/lethe.ts";
import { createSite, type Peer } from "./peers/peer.ts";
import { openPlain } from "./peers/plain.ts";
import { type RunningSmsc, startSink, startSmsc } from "./peers/smsc.ts";

type Options = { rounds: number; messages: number; only: string | undefined; log: (line: string) => void };
type Sink = Awaited<ReturnType<typeof startSink>>;
type Place = { smsc: RunningSmsc; sink: Sink };
type Rates = Awaited<ReturnType<typeof measure>>;
type Killed = Omit<Awaited<ReturnType<typeof killHalfWay>>, "killedAtHalf" | "inDoubt"> & {
	/** Not in a record of before. */
	killedAtHalf?: boolean;
	/** Nor of a peer that can't be asked. */
	inDoubt?: number;
};
type Figures = {
	absent?: string;
	failed?: string;
	about?: string;
	endToEndPerSecond?: Spread;
	killed?: Killed;
} & Record<string, unknown>;

export const peerNames = [
	"kannel-spool",
	"kannel-memory",
	"jasmin",
	"jasmin-nodelay",
	"plain",
	"lethe-single",
	"lethe-batch",
] as const;
const connections = 20;
const pollMs = 100;
const stillMsMax = 60_000;
// What was lost never comes: after a kill there is always something to wait for in vain.
const stillAfterKillMsMax = 30_000;

/**
 * One peer after the other, for each has servers of its own: all rounds of one, `messages` each over 20 connections, then
 * half as many during which it is killed; then the next. Rates are from the first call: accepted until the last answer,
 * submitted until the SMSC has the last one, end to end until the last receipt is where the peer delivers it. `ratios`: end
 * to end, medians, Lethe over each other; a machine that drifts drifts between them.
 */
export async function peersSuite(stack: Stack, options: Options) {
	const smsc = await startSmsc();
	const sink = await startSink();
	const place = { smsc, sink };
	const measured: Record<string, Figures> = {};
	const endToEnd: Record<string, number> = {};
	try {
		for (const [name, open] of Object.entries(openers(stack, place, options.log))) {
			if (options.only && !options.only.split(",").some((part) => name.includes(part))) continue;
			options.log(`${name}:`);
			const found = await runPeer(name, open, place, options);
			measured[name] = found;
			if (found.endToEndPerSecond) endToEnd[name] = found.endToEndPerSecond.median;
			options.log(`  ${JSON.stringify(found)}`);
		}
	} finally {
		await sink.stop();
		await smsc.stop();
	}
	const ratios = ratiosOf(endToEnd);
	return {
		suite: "peers",
		...{ rounds: options.rounds, messages: options.messages, connections },
		smsc: "jSMPP 2.3.11's server sessions: answers at once, receipt 50 ms later, TCP_NODELAY",
		peers: measured,
		baseline: { what: "kannel-spool: Kannel with its durable store, end to end" },
		/** Of batches; absent where one of the two was not measured. */
		ratio: ratios["lethe-batch"]?.["kannel-spool"],
		ratios,
	};
}

/** Name → what opens it; each names what is absent by throwing. */
function openers(stack: Stack, { smsc, sink }: Place, log: (line: string) => void) {
	const programs = makePrivateFolder(join(stack.dir, "..", "peers"));
	const redisUrl = stack.state().servers.redis.url;
	const site = (name: string) =>
		createSite({
			dir: makePrivateFolder(join(stack.dir, "peers", name)),
			stack,
			smsc: smsc.smsc,
			callbackUrl: sink.callbackUrl,
			log,
		});
	const lethe = (each: number) => async () => openLethe(stack, { smsc: smsc.smsc, each, log });
	return {
		"kannel-spool": () => openKannel(site("kannel-spool"), { programs, spool: true }),
		"kannel-memory": () => openKannel(site("kannel-memory"), { programs, spool: false }),
		jasmin: () => openJasmin(site("jasmin"), { programs, redisUrl, noDelay: false }),
		"jasmin-nodelay": () => openJasmin(site("jasmin-nodelay"), { programs, redisUrl, noDelay: true }),
		plain: () => openPlain(site("plain"), { redisUrl }),
		"lethe-single": lethe(1),
		"lethe-batch": lethe(limits.submissionMessagesMax),
	} satisfies Record<(typeof peerNames)[number], () => Promise<Peer>>;
}

/** A peer's figures; one that can't be had, or fails, says why and has none. */
async function runPeer(name: string, open: () => Promise<Peer>, place: Place, options: Options): Promise<Figures> {
	let peer: Peer;
	try {
		peer = await open();
	} catch (error) {
		return { absent: (error as Error).message };
	}
	try {
		await peer.start();
		// The first messages pay for connections and caches of all sides.
		await measure(peer, place, `${name}-w-`, Math.max(peer.each, Math.ceil(options.messages / 10)));
		const rounds: Rates[] = [];
		for (let round = 0; round < options.rounds; round++) {
			await peer.settle?.();
			rounds.push(await measure(peer, place, `${name}-${round}-`, options.messages));
		}
		await peer.settle?.();
		const killed = await killHalfWay(peer, place, `${name}-k-`, Math.ceil(options.messages / 2));
		return {
			about: peer.about,
			acceptedPerSecond: spread(rounds.map(({ accepted }) => accepted)),
			submittedPerSecond: spread(rounds.map(({ submitted }) => submitted)),
			endToEndPerSecond: spread(rounds.map(({ endToEnd }) => endToEnd)),
			unfinished: rounds.reduce((sum, { unfinished }) => sum + unfinished, 0),
			killed,
		};
	} catch (error) {
		return { about: peer.about, failed: (error as Error).message };
	} finally {
		await peer.stop().catch((error: Error) => options.log(error.message));
	}
}

async function measure(peer: Peer, place: Place, prefix: string, messages: number) {
	const texts = Array.from({ length: messages }, (_, index) => `${prefix}${index}`);
	const startedAt = Date.now();
	const calls = Math.ceil(messages / peer.each);
	await rateOf(calls, connections, (call) => peer.send(texts.slice(call * peer.each, (call + 1) * peer.each)));
	const acceptedAt = Date.now();
	const { seen, received } = await untilSettled(peer, place, prefix, texts);
	const sent = [...seen.values()];
	const perSecond = (count: number, at: number) => (count * 1000) / Math.max(1, at - startedAt);
	return {
		accepted: perSecond(messages, acceptedAt),
		submitted: perSecond(sent.length, Math.max(...sent.map(({ cameAt }) => cameAt))),
		endToEnd: perSecond(received.size, Math.max(...received.values())),
		unfinished: messages - received.size,
	};
}

/** Waits for the receipt of each of these texts, or until nothing has moved for so long. */
export async function untilSettled(
	peer: Pick<Peer, "receipts">,
	place: { smsc: Pick<RunningSmsc, "texts">; sink: Pick<Sink, "heard"> },
	prefix: string,
	texts: string[],
	stillMs = stillMsMax,
) {
	let last = { count: -1, at: Date.now() };
	for (;;) {
		const seen = await place.smsc.texts(prefix);
		const received = receiptsOf(peer, place, prefix, seen);
		const count = seen.size + received.size;
		if (count !== last.count) last = { count, at: Date.now() };
		// What a peer took without saying so comes, too: as many are not the same ones.
		const isOver = texts.every((text) => received.has(text));
		if (isOver || Date.now() - last.at > stillMs) return { seen, received };
		await sleep(pollMs);
	}
}

/** Text → when its receipt came out. */
function receiptsOf(
	peer: Pick<Peer, "receipts">,
	{ sink }: { sink: Pick<Sink, "heard"> },
	prefix: string,
	seen: Awaited<ReturnType<RunningSmsc["texts"]>>,
) {
	if (peer.receipts === "callback") {
		return new Map([...sink.heard].filter(([text]) => text.startsWith(prefix)));
	}
	return new Map(
		[...seen].flatMap(([text, { acknowledgedAt }]) => (acknowledgedAt === undefined ? [] : [[text, acknowledgedAt]])),
	) as Map<string, number>;
}

/**
 * Only what the peer said it has accepted counts as lost, and not what it says is in doubt. One that has not sent half of it
 * in time is killed all the same: `killedAtHalf` is false then.
 */
async function killHalfWay(peer: Peer, place: Place, prefix: string, messages: number) {
	const texts = Array.from({ length: messages }, (_, index) => `${prefix}${index}`);
	const accepted: string[] = [];
	let over = false;
	const watching = (async () => {
		while (!over && (await place.smsc.texts(prefix)).size < messages / 2) await sleep(20);
		await peer.kill();
	})();
	await rateOf(Math.ceil(messages / peer.each), connections, async (call) => {
		const some = texts.slice(call * peer.each, (call + 1) * peer.each);
		// Half of them may be at the SMSC before all are accepted: what comes after the kill is refused, and no loss.
		await peer.send(some).then(
			() => void accepted.push(...some),
			() => undefined,
		);
	});
	const stuck = setTimeout(() => {
		over = true;
	}, stillMsMax);
	await watching;
	clearTimeout(stuck);
	const atKill = (await place.smsc.texts(prefix)).size;
	await peer.restart();
	const { seen, received } = await untilSettled(peer, place, prefix, accepted, stillAfterKillMsMax);
	const missing = accepted.filter((text) => !seen.has(text));
	const inDoubt = await peer.inDoubt?.(missing);
	return {
		accepted: accepted.length,
		submittedAtKill: atKill,
		killedAtHalf: atKill >= messages / 2,
		lost: missing.length - (inDoubt?.length ?? 0),
		...(inDoubt ? { inDoubt: inDoubt.length } : {}),
		twice: [...seen.values()].filter(({ times }) => times > 1).length,
		receiptsLost: accepted.filter((text) => seen.has(text) && !received.has(text)).length,
	};
}

function ratiosOf(endToEnd: Record<string, number>): Record<string, Record<string, number>> {
	const lethe = Object.entries(endToEnd).filter(([name]) => name.startsWith("lethe"));
	const others = Object.entries(endToEnd).filter(([name]) => !name.startsWith("lethe"));
	return Object.fromEntries(
		lethe.map(([name, rate]) => [name, Object.fromEntries(others.map(([other, theirs]) => [other, rate / theirs]))]),
	);
}
