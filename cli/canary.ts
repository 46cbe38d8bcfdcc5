// `lethe canary`: sends marked messages, then searches every store, log, history and metric for them. Nothing may be found.

import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import type { SendQueueDocument } from "../adapters/mongo/models.ts";
import { type CanaryFound, signCanaryResult } from "../audit/canaryResult.ts";
import { loadConfig } from "../config.ts";
import { readStackFile, type StackState } from "../stack/stackFile.ts";
import type { KeptAnswer } from "./canary/answers.ts";
import { createExamine, type PlaceReport } from "./canary/examine.ts";
import { findLinks } from "./canary/links.ts";
import { createControls, createMarks, type MarkedMessage, sendMarkedMessages } from "./canary/messages.ts";
import { openMongo } from "./canary/mongo.ts";
import { excludedPlaces, openPlaces } from "./canary/places.ts";
import { type Check, examineProcesses } from "./canary/processes.ts";
import { addExample } from "./examples.ts";
import { explain } from "./explain.ts";
import { exitCodes } from "./run.ts";
import { canaryReading } from "./target.ts";

const patienceMs = 180_000;
// Servers write their files behind; what is acknowledged is on them within this time.
const settleMs = 2_000;

/** Exit 0: no hit, every place read; 1: a hit, or a place that could not be read; 2: it may not or can't be run here. */
export function canaryCommand(): Command {
	return addExample(new Command("canary"), "lethe canary --json")
		.description(
			"send marked messages, then search every store, log, history and metric for them; the result is entered in the evidence log",
		)
		.option("--stack <file>", "the stack's file", fileURLToPath(new URL("../.lethe/stack.json", import.meta.url)))
		.option("--json", "print the report as JSON")
		.action(async (options: { stack: string; json?: boolean }) => {
			const interrupt = new AbortController();
			const stop = () => interrupt.abort(new Error("interrupted"));
			process.once("SIGINT", stop).once("SIGTERM", stop);
			try {
				const report = await run(options.stack, interrupt.signal, (line) => console.error(line));
				console.log(options.json ? JSON.stringify(report, null, "  ") : describe(report));
				process.exitCode = report.clean ? exitCodes.yes : exitCodes.no;
			} catch (error) {
				console.error(`lethe canary: ${explain(error)}`);
				process.exitCode = exitCodes.misuse;
			} finally {
				process.off("SIGINT", stop).off("SIGTERM", stop);
			}
		});
}

type Report = {
	/** No hit, every place read, every check passed, every essential kind of message sent and final. */
	clean: boolean;
	messages: MarkedMessage[];
	places: PlaceReport[];
	checks: Check[];
	excluded: readonly { place: string; why: string }[];
	problems: string[];
};

/** With the result of the report, signed; `lethe verify` checks it. */
type SignedReport = Report & { signed: { id: string; jws: string } };

async function run(stackFile: string, signal: AbortSignal, progress: (line: string) => void): Promise<SignedReport> {
	const stack = runningStack(stackFile);
	const sender = await findSender(stack);
	const logs = await canaryReading(stackFile);
	try {
		await logs.evidence.append([{ type: "logs_read", code: "all", by: "logreader" }]);
		const begunAt = logs.clock();
		const report = await search({ stack, logs, sender, signal, progress });
		const signed = await signCanaryResult(logs.signCanary, toFound(report, logs, begunAt));
		// Checkpoints cover it with all else: who runs this can't keep a bad result from being known later. By its id the log
		// names the signed result, and no other.
		const act = { type: "canary_run", code: resultOf(report), by: "admin" } as const;
		await logs.evidence.append([logs.canaryId, signed.id].map((about) => ({ ...act, about })));
		return { ...report, signed };
	} finally {
		await logs.close();
	}
}

async function search(given: {
	stack: StackState;
	logs: Awaited<ReturnType<typeof canaryReading>>;
	sender: string | undefined;
	signal: AbortSignal;
	progress: (line: string) => void;
}): Promise<Report> {
	const { stack, logs, sender, signal, progress } = given;
	const marks = createMarks(randomBytes);
	const { url, apiKey } = { url: stack.processes.api?.url ?? "", apiKey: stack.demo?.apiKey ?? "" };
	const errors: KeptAnswer[] = [];
	const messages = await sendMarkedMessages({ url, apiKey, marks, sender, patienceMs, signal, progress, errors });
	const links = await findLinks(stack, marks.numbers, signal);
	const problems = [...messages.flatMap(problemOf), ...(links.length > 0 ? [] : ["no link reached the carrier"])];
	await new Promise((resolve) => setTimeout(resolve, settleMs));
	const messageIds = messages.flatMap((message) => message.id ?? []);
	const examine = createExamine({
		canaries: [marks.text, marks.pin, ...marks.numbers, ...links],
		controls: createControls(randomBytes),
		signal,
	});
	const id = randomBytes(6).toString("hex");
	const { mongodb, redis } = loadConfig();
	const tls = { mongodb: mongodb.tls, redis: redis.tls };
	const opened = openPlaces({ stack, messageIds, id, errors, logs: async () => logs, signal, tls });
	const places: PlaceReport[] = [];
	try {
		for (const place of opened.places) {
			signal.throwIfAborted();
			progress(`searching ${place.name} (${places.length + 1} of ${opened.places.length})`);
			places.push(await examine(place));
		}
	} finally {
		await opened.close();
	}
	const checks = examineProcesses(stack);
	const isRead = places.every((place) => place.read) && checks.every(({ ok }) => ok);
	const clean = problems.length === 0 && isRead && places.every((place) => place.hits.length === 0);
	return { clean, messages, places, checks, excluded: excludedPlaces, problems };
}

function toFound(
	report: Report,
	{ clock, version }: Pick<Awaited<ReturnType<typeof canaryReading>>, "clock" | "version">,
	begunAt: number,
): CanaryFound {
	const { messages, places, checks, excluded, problems } = report;
	const iso = (at: number) => new Date(at).toISOString();
	return {
		schema: "lethe/canary-result/v1",
		result: resultOf(report),
		version,
		...{ begunAt: iso(begunAt), endedAt: iso(clock()) },
		messages: { sent: messages.length, final: messages.filter(({ final }) => final).length },
		places: places.map(({ place, read, sourceCount: sources, bytes, controls: { planted, found }, hits }) => ({
			...{ place, read, sources, bytes },
			controls: { planted, found },
			hits: hits.length,
		})),
		checks: checks.map(({ check, ok }) => ({ check, ok })),
		excluded: excluded.map(({ place }) => place),
		problems: problems.length,
	};
}

function resultOf({ clean, places }: Report): CanaryFound["result"] {
	if (clean) return "clean";
	return places.some(({ hits }) => hits.length > 0) ? "found" : "unread";
}

function runningStack(file: string): StackState {
	const stack = readStackFile(file);
	if (!stack || stack.pid === null || !stack.processes.api?.url || !stack.demo) {
		throw new Error("nothing runs here. Start it with `npm start`, then run this again.");
	}
	return stack;
}

type Queue = Pick<SendQueueDocument, "_id" | "carrier" | "sender" | "draining">;

/**
 * The marked messages must reach no real network: every send queue of the tenant that takes messages is the simulator's.
 * Beside drained ones they ask for a sender that none of those has, so that whoever resumes one meanwhile gives it none of
 * them. Answers that sender, undefined where there is nothing but simulated queues.
 * @throws Error that names the mend
 */
async function findSender({ servers, demo }: StackState): Promise<string | undefined> {
	const { database: name, tls } = loadConfig().mongodb;
	const tenantId = demo?.tenantId ?? "";
	const mongo = openMongo(servers.mongodb.url, tls);
	try {
		const database = mongo.db(name);
		const tenant = await database
			.collection<{ _id: string; sendQueues: string[] }>("tenants")
			.findOne({ _id: tenantId });
		const wanted = tenant?.sendQueues ?? [];
		if (wanted.length === 0) throw new Error("the demo tenant has no send queue. Run `npm start` again.");
		const queues = await database
			.collection<Queue>("sendQueues")
			.find({ _id: { $in: wanted } })
			.toArray();
		return senderAmong(wanted, queues, tenantId);
	} finally {
		await mongo.close();
	}
}

function senderAmong(wanted: readonly string[], queues: readonly Queue[], tenantId: string): string | undefined {
	const isSimulated = ({ carrier }: Queue) => carrier === "simulator";
	const simulated = queues.filter(isSimulated);
	const drained = queues.filter((queue) => !isSimulated(queue) && queue.draining);
	// What nothing is known of may be any carrier's.
	const harmless = new Set([...simulated, ...drained].map(({ _id }) => _id));
	const real = wanted.filter((id) => !harmless.has(id));
	const steps = simulated.length > 0 ? [] : [`\`lethe admin tenant routes ${tenantId} --send-queue simulator-demo …\``];
	const why = "marked messages must reach no real network, and the demo tenant has";
	if (real.length > 0) {
		const drains = real.map((id) => `\`lethe queue drain ${id} --move\``);
		throw new Error(`${why} ${real.join(", ")}. Run ${[...steps, ...drains].join(", then ")}.`);
	}
	const open = simulated.filter(({ draining }) => !draining);
	if (open.length === 0) {
		const resume = simulated.map(({ _id }) => `\`lethe queue resume ${_id}\``).slice(0, 1);
		throw new Error(`no simulated send queue of the demo tenant takes messages. Run ${[...steps, ...resume].join()}.`);
	}
	if (drained.length === 0) return undefined;
	const own = open.find(({ sender }) => drained.every((other) => other.sender !== sender));
	if (own) return own.sender;
	const removals = drained.map(({ _id }) => `\`lethe admin remove-queue ${_id}\``);
	throw new Error(
		`${why} drained queues with the sender of the simulated one, which could take them once resumed. Run ${removals.join(", ")}, or give either another sender.`,
	);
}

function problemOf({ label, essential, id, final, outcome }: MarkedMessage): string[] {
	if (id && !final) return [`"${label}" is not final after ${patienceMs / 1000} s: ${outcome}`];
	return essential && !id ? [`"${label}" was not accepted: ${outcome}`] : [];
}

function placeLine({ place, read, sourceCount, bytes, controls, hits, error }: PlaceReport): string {
	const mark = !read ? "NOT READ" : hits.length > 0 ? "HIT" : "clean";
	const size = `${(bytes / 2 ** 20).toFixed(1)} MiB in ${sourceCount}`;
	const proof = `controls ${controls.found}/${controls.planted}`;
	return `${mark.padEnd(9)}${place.padEnd(30)}${size.padEnd(22)}${proof}${error ? `  ${error}` : ""}`;
}

function describe({ clean, messages, places, checks, excluded, problems, signed }: SignedReport): string {
	const hits = places.flatMap(({ place, hits }) => hits.map((hit) => ({ place, ...hit })));
	const missing = places.flatMap(({ place, controls }) =>
		controls.missing.slice(0, 5).map((name) => `${place}: ${name}`),
	);
	const lines = [
		"Marked messages:",
		...messages.map(({ label, outcome, id }) => `  ${outcome.padEnd(28)}${label}${id ? `  ${id}` : ""}`),
		"Places:",
		...places.map((place) => `  ${placeLine(place)}`),
		"Processes:",
		...checks.map(({ check, ok, detail }) => `  ${(ok ? "ok" : "FAIL").padEnd(9)}${check.padEnd(30)}${detail}`),
		...excluded.map(({ place, why }) => `  excluded ${place}: ${why}`),
		...hits.map(
			(hit) =>
				`HIT ${hit.place}: ${hit.term} as ${hit.encoding}, ${hit.count} times, first at ${hit.offset} in ${hit.source}`,
		),
		...missing.map((name) => `CONTROL NOT FOUND ${name}`),
		...problems.map((problem) => `PROBLEM ${problem}`),
		`Signed as ${signed.id}; --json has it.`,
		clean ? "0 hits; every place was read." : "NOT CLEAN.",
	];
	return lines.join("\n");
}
