// `lethe requests`: what people ask for about their data, from the record of it to the answer, and the records that laws ask for.

import { Command, Option } from "commander";
import type { SubjectRequest } from "../client/types.ts";
import { requestKinds, requestOutcomes, taskVerdicts } from "../domain/subjectRequest.ts";
import { dataClasses } from "../policies/facts.ts";
import { addExamples } from "./examples.ts";
import { nextStep } from "./nextStep.ts";
import { call, type TargetOptions, withAct, withTarget } from "./policy/call.ts";
import { act, listOf, parseTime, readNumber, show } from "./records.ts";
import { Refusal } from "./run.ts";
import { writeNew } from "./writeNew.ts";

type RecordOptions = TargetOptions & Record<string, string> & { dataClass?: string[]; coveredEntity?: boolean };
type ReportOptions = TargetOptions & { html?: boolean; out?: string };

const base = "/v1/subject-requests";
/** A task may be about many messages: so many are named. */
const namedMax = 5;
/** The packs know some laws, not all: that none of theirs sets a date does not mean that none does. */
const noDate = "no pack here sets a date for this; have counsel look";
const said = {
	erase: "under way",
	settle: "under way, waiting some two minutes for messages that were being accepted as it began",
	certify: "under way, being certified",
	done: "done",
} as const;
/** What was asked for and is not to be done: it ends where it was. */
const givenUpOutcomes = ["refused", "withdrawn"];

/** Exit 0: done; 1: a negative answer; 2: misuse. */
export function requestsCommand(): Command {
	const requests = new Command("requests").description("what people ask for about their data, and how it was answered");
	const reading = [listCommand(), showCommand(), logCommand(), processingCommand()];
	const acting = [recordCommand(), acknowledgeCommand(), identityCommand(), decideCommand(), extendCommand()];
	for (const command of [...reading, ...acting, exportCommand(), closeCommand()]) requests.addCommand(command);
	return addExamples(requests, examples);
}

const examples = {
	show: "lethe requests show dsr_…",
	log: "lethe requests log --from 2026-01-01T00:00:00Z --html --out log.html",
	processing: "lethe requests processing --html --out processing.html",
	record: "lethe requests record --number - --kind erasure --channel letter",
	acknowledge: "lethe requests acknowledge dsr_…",
	identity: "lethe requests identity dsr_… --method id_document --evidence case-4711 --owned-from 2020-01-01T00:00:00Z",
	decide: "lethe requests decide dsr_… --task correction --verdict done --ground mended",
	extend: "lethe requests extend dsr_… --to 2027-03-31 --reason complexity --told-at 2027-01-20T09:00:00Z",
	export: "lethe requests export dsr_… --purpose access --out data.json",
	close: "lethe requests close dsr_… --outcome granted",
};

function listCommand(): Command {
	const command = new Command("list").description("list the requests, newest first");
	return listOf<SubjectRequest>(command, { path: () => base, line: lineOf, example: "lethe requests list --limit 50" });
}

function showCommand(): Command {
	return withTarget(new Command("show").description("show one request: clocks, tasks, what is kept and why"))
		.argument("<id>", "the request's id")
		.action((id: string, options: TargetOptions) => act("requests show", () => tell(options, id)));
}

function recordCommand(): Command {
	return withAct(new Command("record").description("record a request; its clocks start"))
		.requiredOption(
			"--number <number>",
			"the person's, E.164, kept as keyed hashes only; `-` asks for it, so that no shell remembers it",
		)
		.addOption(new Option("--kind <kind>", "what is asked for").choices(requestKinds).makeOptionMandatory())
		.option("--channel <word>", "how it came, such as email or letter", "other")
		.option("--received-at <time>", "when it came, RFC 3339 (default: now)")
		.option("--reference <token>", "your own opaque token")
		.option(
			"--region <region>",
			"where the person is, ISO 3166-2, such as US-CA: its law sets the clocks and says what goes; by the number unless told",
		)
		.option(
			"--residence <place>",
			"where the person lives, ISO 3166-1 or 3166-2, where that is elsewhere: some laws follow their residents, as California's",
		)
		.option("--covered-entity", "the sender answers as a covered entity under HIPAA, or for one")
		.addOption(new Option("--data-class <name...>", "classes of data in question").choices(dataClasses))
		.option("--ground <word>", "the duty or claim that speaks against it")
		.addOption(new Option("--scope <scope>", "what an objection or erasure blocks").choices(["marketing", "all"]))
		.action((options: RecordOptions) =>
			act("requests record", async () => {
				const { kind, channel, receivedAt, reference, region, residence, dataClass, ground, scope } = options;
				const number = await readNumber(options.number as string);
				const body = { number, kind, channel, receivedAt, reference, recipientRegion: region, ground, scope };
				const law = { subjectResidence: residence, dataClasses: dataClass, hipaaCoveredEntity: options.coveredEntity };
				report(options, await call<SubjectRequest>(options, base, { ...body, ...law }), "recorded");
			}),
		);
}

function acknowledgeCommand(): Command {
	return withAct(new Command("acknowledge").description("the person was told that the request has come"))
		.argument("<id>", "the request's id")
		.action((id: string, options: TargetOptions) =>
			act("requests acknowledge", () => step(options, id, "acknowledge", {}, "acknowledged")),
		);
}

function identityCommand(): Command {
	return withAct(new Command("identity").description("who asks was checked, and since when the number is theirs"))
		.argument("<id>", "the request's id")
		.requiredOption("--method <word>", "how, such as id_document")
		.requiredOption("--evidence <token>", "where the proof is kept")
		.requiredOption("--owned-from <time>", "since when the number is theirs, RFC 3339", parseTime)
		.option("--owned-until <time>", "until when it was (default: it still is)", parseTime)
		.option("--failed", "the check has failed")
		.action((id: string, options: TargetOptions & Record<string, string> & { failed?: boolean }) =>
			act("requests identity", () => {
				const { method, evidence, ownedFrom, ownedUntil, failed = false } = options;
				const body = { confirmed: !failed, method, evidence, ownedFrom, ownedUntil };
				return step(
					options,
					id,
					"identity",
					body,
					failed ? "the check has failed: nothing begins" : "identity confirmed",
				);
			}),
		);
}

function decideCommand(): Command {
	return withAct(new Command("decide").description("decide a task that only a person can"))
		.argument("<id>", "the request's id")
		.requiredOption("--task <name>", "which, as `show` names it")
		.addOption(new Option("--verdict <verdict>", "what is done").choices(taskVerdicts).makeOptionMandatory())
		.requiredOption("--ground <word>", "why, in a word")
		.action((id: string, options: TargetOptions & Record<string, string>) =>
			act("requests decide", () => {
				const { task, verdict, ground } = options;
				return step(options, id, "decide", { task, verdict, ground }, `decided: ${task} ${verdict}`);
			}),
		);
}

function extendCommand(): Command {
	const description =
		"extend the time to answer, within what the law permits: only if the person was told, and why, before the first time was over (GDPR: within a month)";
	return withAct(new Command("extend").description(description))
		.argument("<id>", "the request's id")
		.requiredOption("--to <day>", "the new last day, such as 2027-03-31")
		.requiredOption("--reason <word>", "why, in a word")
		.requiredOption("--told-at <time>", "when the person was told, RFC 3339: tell them first", parseTime)
		.action((id: string, options: TargetOptions & Record<string, string>) =>
			act("requests extend", () => {
				const { to, reason, toldAt } = options;
				return step(options, id, "extend", { to, reason, toldAt }, `extended to ${to}`);
			}),
		);
}

function closeCommand(): Command {
	return withAct(new Command("close").description("the request was answered, or withdrawn"))
		.argument("<id>", "the request's id")
		.addOption(new Option("--outcome <outcome>", "how").choices(requestOutcomes).makeOptionMandatory())
		.option("--ground <word>", "why, where it is refused")
		.action((id: string, options: TargetOptions & Record<string, string>) =>
			act("requests close", () => {
				const { outcome, ground } = options;
				return step(options, id, "close", { outcome, ground }, `closed: ${outcome}`);
			}),
		);
}

function exportCommand(): Command {
	return withReport(new Command("export").description("export what is kept of the person; in the evidence log before"))
		.argument("<id>", "the request's id")
		.requiredOption("--purpose <word>", "why, in a word")
		.option("--disclosures", "the disclosures of health data within six years instead, 45 CFR 164.528")
		.action((id: string, options: ReportOptions & { purpose: string; disclosures?: boolean }) =>
			act("requests export", async () => {
				const { html, disclosures, purpose } = options;
				const body = { format: html ? "html" : "json", report: disclosures ? "disclosures" : "data", purpose };
				const path = `${base}/${encodeURIComponent(id)}`;
				await put(options, () => call(options, `${path}/export`, body));
				if (options.out) await tellExported(options, id, `exported to ${options.out}`);
			}),
		);
}

/** The export is made, and on record as that: it has not failed because nobody can tell what follows it. */
async function tellExported(options: ReportOptions, id: string, done: string): Promise<void> {
	try {
		report(options, await call<SubjectRequest>({ ...options, json: false }, `${base}/${encodeURIComponent(id)}`), done);
	} catch (error) {
		const why = error instanceof Refusal ? error.message : "the answer can't be read.";
		const later = `Ask \`lethe requests show ${id}\` later.`;
		console.error(`lethe requests export: ${done}; how the request stands can't be told: ${why} ${later}`);
	}
}

function logCommand(): Command {
	return withReport(new Command("log").description("all requests and how they were answered, 11 CCR 7101"))
		.option("--from <time>", "received from then on, RFC 3339 (default: 24 months back)", parseTime)
		.option("--to <time>", "and up to then (default: now)", parseTime)
		.action((options: ReportOptions & { from?: string; to?: string }) =>
			act("requests log", async () => {
				const { from, to, html } = options;
				const query = new URLSearchParams({ format: html ? "html" : "json", ...(from && { from }), ...(to && { to }) });
				await put(options, () => call(options, `${base}/log?${query}`));
			}),
		);
}

function processingCommand(): Command {
	return withReport(new Command("processing").description("the record of processing activities, GDPR Art. 30")).action(
		(options: ReportOptions) =>
			act("requests processing", async () => {
				await put(options, () => call(options, `/v1/processing-record?format=${options.html ? "html" : "json"}`));
			}),
	);
}

function withReport(command: Command): Command {
	return withTarget(command)
		.option("--html", "a page to read instead of JSON")
		.option("--out <file>", "write it there (default: standard output)");
}

/** @param done what is said once it is done */
async function step(options: TargetOptions, id: string, name: string, body: object, done: string): Promise<void> {
	report(options, await call<SubjectRequest>(options, `${base}/${encodeURIComponent(id)}/${name}`, body), done);
}

function report(options: TargetOptions, view: SubjectRequest, done: string): void {
	const next = nextStep(view);
	show(options, view, (one) => [lineOf(one), done, ...restrictionOf(one), ...(next ? [`next: ${next}`] : [])]);
}

async function tell(options: TargetOptions, id: string): Promise<void> {
	const view = await call<SubjectRequest>(options, `${base}/${encodeURIComponent(id)}`);
	say(options, view);
	if (options.json) return;
	for (const line of [...clocksOf(view), ...placedBy(view)]) console.log(`  ${line}`);
	for (const { name, reasons, citations, messageIds, decided } of view.tasks) {
		const about = messageIds.length > 0 ? `, about ${messageIds.slice(0, namedMax).join(", ")}` : "";
		const more = messageIds.length > namedMax ? " and others: --json names them" : "";
		console.log(
			`  task ${name}: ${decided?.verdict ?? "open"}${inBrackets([...reasons, ...citations])}${about}${more}`,
		);
	}
	// Said of what was: an extension, an acknowledgement or the answer may have come since.
	for (const { code, at } of view.alerts) console.log(`  reminder ${code} at ${at}`);
	if (view.erasure) console.log(`  erasure ${erasureOf(view)}: ${view.erasure.erasedCount} object(s) erased`);
	for (const { object, reason, count, until, citations } of view.erasure?.kept ?? []) {
		console.log(`  kept ${count} ${object}: ${reason}${until ? ` until ${until}` : ""}${inBrackets(citations)}`);
	}
	if (view.erasure?.recheckAt) console.log(`  looked at again at ${view.erasure.recheckAt}`);
	for (const id of view.certificates) console.log(`  certificate ${id}`);
}

function erasureOf({ erasure, closed }: SubjectRequest): string {
	if (erasure && !givenUpOutcomes.includes(closed?.outcome ?? "")) return said[erasure.step];
	return "stopped";
}

/** What stands by the request, whatever becomes of it: others end it. */
function placedBy(view: SubjectRequest): string[] {
	const { reference, identity, optOutId } = view;
	const until = identity?.ownedUntil ?? "now";
	return [
		...(reference ? [`reference ${reference}`] : []),
		...(identity?.confirmed ? [`the number was theirs from ${identity.ownedFrom} to ${until}`] : []),
		...(identity?.confirmed === false ? [`the check of ${identity.checkedAt} has failed: nothing begins`] : []),
		...restrictionOf(view),
		...(optOutId ? [`opt-out ${optOutId}`] : []),
	];
}

/** Of a restriction that has begun: it is a hold, which outlives the answer, and a withdrawal, too. */
function restrictionOf({ holdId }: Pick<SubjectRequest, "holdId">): string[] {
	return holdId ? [`restricted by ${holdId}: \`lethe holds release ${holdId}\` lifts that, no other step does`] : [];
}

function inBrackets(words: readonly string[]): string {
	return words.length > 0 ? ` (${words.join(", ")})` : "";
}

function clocksOf({ clocks, closed }: SubjectRequest): string[] {
	const { ackBy, acknowledgedAt, extendableTo, extendedTo, extensionToldAt } = clocks;
	return [
		...(acknowledgedAt ? [`acknowledged at ${acknowledgedAt}`] : ackBy && !closed ? [`acknowledge by ${ackBy}`] : []),
		...(extendableTo && !extendedTo && !closed
			? [`may be extended to ${extendableTo}, if the person is told in the first time`]
			: []),
		...(extensionToldAt ? [`told of the extension at ${extensionToldAt}`] : []),
	];
}

function say(options: TargetOptions, view: SubjectRequest): void {
	show(options, view, (one) => [lineOf(one)]);
}

function lineOf({ id, kind, state, clocks, closed }: SubjectRequest): string {
	const answerBy = clocks.extendedTo ?? clocks.respondBy;
	const due = closed ? `${closed.outcome} at ${closed.at}` : answerBy ? `answer by ${answerBy}` : noDate;
	return `${id}  ${kind.padEnd(12)}${state.padEnd(10)}${due}`;
}

/**
 * A report may hold what is kept of a person: a file of it is its owner's alone. It is there before the report is asked
 * for: one that is made is on record as that, and must not be lost.
 */
async function put({ out }: ReportOptions, ask: () => Promise<unknown>): Promise<void> {
	const read = async () => {
		const answer = await ask();
		return typeof answer === "string" ? answer : `${JSON.stringify(answer, null, 2)}\n`;
	};
	if (out === undefined) process.stdout.write(await read());
	else await writeNew(out, read, 0o600);
}
