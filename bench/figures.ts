// The table of recorded figures in the README: what was measured beside what, and by which command.

import type { Spread } from "./measure.ts";
import { recorded } from "./records.ts";
import type { Suites } from "./suites.ts";

const marks = ["<!-- figures: made by `npm run docs` of docs/benchmarks -->\n", "<!-- /figures -->"] as const;

/** The README with the figures that are on record now. @throws Error when its place for them is gone */
export function renderFigures(readme: string): string {
	const [before, rest] = readme.split(marks[0]);
	const after = rest?.split(marks[1])[1];
	if (before === undefined || after === undefined) throw new Error("the README has no place for figures");
	return `${before}${marks[0]}${renderTable()}${marks[1]}${after}`;
}

const round = (figure: number, places = 2) => String(Number(figure.toFixed(places)));
const whole = (figure: number) => Math.round(figure).toLocaleString("en-US");
const seconds = (ms: number) => `${round(ms / 1000)} s`;

/** One row a suite that is on record. */
function renderTable(): string {
	const rows = Object.entries(words).flatMap(([suite, tell]) => {
		const figures = recorded(suite);
		if (!figures) return [];
		const [what, told] = (tell as (figures: unknown) => Row)(figures);
		return [`| ${what} | ${told} | \`npm run bench -- ${suite}\` |`];
	});
	const table = `\n| what | beside its baseline, in one run | command |\n|---|---|---|\n${rows.join("\n")}\n\n`;
	const peers = recorded("peers") as Suites["peers"] | undefined;
	return peers ? `${table}${renderPeers(peers)}\n` : table;
}

type Row = [what: string, figures: string];

/** In the order of the table. Peers have a table of their own, and what a message costs has one in docs/sizing.md. */
const words: { [Suite in Exclude<keyof Suites, "cost" | "peers">]: (figures: Suites[Suite]) => Row } = {
	lifecycle: (of) => [
		"one message, from POST to its closed run",
		`${round(of.ratio)} of the rate of a bare workflow with one activity (${round(of.messagesPerSecond.median, 0)} a second beside ${round(of.baseline.workflowsPerSecond.median, 0)}); where messages under load may share runs, ${round(of.sharing.waiting.ratios.median)} by callers that wait for their run as the bare workflow's do, ${round(of.sharedRatio, 1)} by callers that go on once they have their answer; ${of.eventsPerMessage} events, ${whole(of.historyBytesPerMessage)} bytes of history; idle, ${round(of.latencyRatio)} of a bare workflow's time until the carrier has it`,
	],
	batch: (of) => [
		"batches of 500",
		`${round(of.ratio, 1)} messages for each bare workflow (${whole(of.messagesPerSecond.median)} a second), ${round(of.eventsPerMessage, 3)} events each; one-time codes beside a bulk of ${whole(of.codes.bulkMessages)} wait ${seconds(of.codes.acceptToCarrierP95AddedMs)} longer (95th percentile)`,
	],
	accept: (of) => [
		"acceptance: authenticated, judged, encrypted, journaled",
		`${round(of.ratio)} of bare inserts of the same document (${whole(of.messagesPerSecond.median)} a second), in ${round(of.loaded.latencyRatio, 1)} times the insert's time by 40 callers, one at a time in ${round(of.latencyRatio)}; batches of 100 ${round(of.batches.ratio, 1)} times that; at ${round(of.overload.timesCapacity, 1)} times its rate ${whole(of.overload.accepted)} accepted, ${of.overload.missing} lost, well again after ${seconds(of.overload.recoveryMs)}`,
	],
	encrypt: (of) => [
		"encryption and decryption",
		`${round(of.ratio)} of the bare cryptography; ${round(of.vaultRatio, 1)} times one call to Vault a message`,
	],
	policy: (of) => [
		"decisions on a message, by all published packs",
		`${whole(of.evaluationsPerSecond.median)} a second in one process, ${round(of.ratio)} of reading and writing the same facts as JSON`,
	],
	queues: (of) => [
		"send queues",
		`a limit of ${of.limitPerSecond} held at ${round(of.rate.segmentsPerSecond.min, 1)} to ${round(of.rate.segmentsPerSecond.max, 1)} a second by two senders; without one ${round(of.ratio)} of bare BullMQ jobs; ${of.fairness.messages} messages behind another tenant's ${whole(of.fairness.behind)} wait ${seconds(of.fairness.waitMs.max)} at most`,
	],
	purge: (of) => [
		"purge of a cohort",
		`${round(of.ratio)} of bare updates and deletions (${whole(of.messagesPerSecond.median)} messages a second), certified`,
	],
	growth: (of) => [
		`with ${whole(of.storedMessages)} stored and ${whole(of.openMessages)} open messages`,
		`${round(of.ratios.single)} of the empty system's rate of single messages, ${round(of.ratios.batch)} of batches (the bare workflow, of which nothing is ours, ${round(of.ratios.bare)}); all processes together ${whole(of.memory.letheSharedOnceBytes / 1e6)} MB`,
	],
	soak: (of) => [
		`${of.minutes} minutes at ${round(100 * of.load, 0)} % of the rate`,
		`${whole(of.messages)} messages, ${of.failed} failed; last third over first: ${Object.entries(of.ratios)
			.map(([name, ratio]) => `${name} ${round(ratio)}`)
			.join(", ")}`,
	],
	page: (of) => [
		"a secure link's page, on slow 3G and a processor slowed four times",
		`${round(of.withoutPin.bytes / 1000, 1)} kB, readable after ${seconds(of.withoutPin.readableMs)}; with a PIN ${round(of.withPin.bytes / 1000, 1)} kB and ${seconds(of.withPin.readableMs)}`,
	],
};

/** One row a peer: medians over medians, beside them the slowest round over the other's fastest, and the other way round. */
function renderPeers({ peers, ratios, messages }: Suites["peers"]): string {
	const ours = Object.keys(ratios);
	const rows = Object.entries(peers).map(([peer, { endToEndPerSecond: theirs, killed }]) => {
		const over = ours.map((name) => {
			const ratio = ratios[name]?.[peer];
			return ratio === undefined ? "" : `${round(ratio)}${rangeOf(peers[name]?.endToEndPerSecond, theirs)}`;
		});
		return `| ${[peer, theirs ? whole(theirs.median) : "", ...over, killed ? tellKilled(killed, messages) : ""].join(" | ")} |`;
	});
	const heads = ["peer", "a second", ...ours.map((name) => `${name} beside it`), "killed half way: missing, twice"];
	return `${whole(messages)} messages over the same SMSC, end to end (\`npm run bench -- peers\`): of Lethe until it answers the receipt (\`deliver_sm_resp\`), which is in its store then, of the others until the receipt is at the caller's URL. [What the others leave out](docs/benchmarks.md#what-the-peers-do-not-do); *missing* is what had been accepted and was not at the SMSC once nothing had moved for thirty seconds, which [of Lethe is not forgotten](docs/benchmarks.md#what-a-kill-leaves).

| ${heads.join(" | ")} |
|${heads.map(() => "---").join("|")}|
${rows.join("\n")}
`;
}

function rangeOf(ours: Spread | undefined, theirs: Spread | undefined): string {
	return ours && theirs ? ` (${round(ours.min / theirs.max)}–${round(ours.max / theirs.min)})` : "";
}

type Killed = NonNullable<Suites["peers"]["peers"][string]["killed"]>;

function tellKilled({ lost, inDoubt = 0, twice, submittedAtKill, killedAtHalf }: Killed, messages: number): string {
	// A record of before tells only what was at the SMSC then.
	const atHalf = killedAtHalf ?? submittedAtKill >= messages / 4;
	const early = atHalf
		? ""
		: ` (killed with ${whole(submittedAtKill)} of ${whole(Math.ceil(messages / 2))} at the SMSC)`;
	return `${lost}${inDoubt > 0 ? ` (and ${inDoubt} in doubt)` : ""}, ${twice}${early}`;
}
