// `lethe consents`: who agreed to what and where the proof is, recorded, looked up and withdrawn.

import { Command, Option } from "commander";
import type { Consent, ConsentFound, ConsentsFound } from "../client/types.ts";
import { consentTypes } from "../domain/subject.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct } from "./policy/call.ts";
import { act, listOf, numberHelp, parseTime, readNumber, show, withExample } from "./records.ts";

type Numbered = TargetOptions & { number: string };
type RecordOptions = Numbered & Record<string, string> & { purpose: string[] };

const base = "/v1/consents";

export function consentsCommand(): Command {
	return new Command("consents")
		.description("record, look up and withdraw what recipients have agreed to")
		.addCommand(
			listOf<Consent>(new Command("list").description("list the consents, newest first, without numbers"), {
				path: () => base,
				line: lineOf,
				example: "lethe consents list",
			}),
		)
		.addCommand(checkCommand())
		.addCommand(recordCommand())
		.addCommand(withdrawCommand());
}

function checkCommand(): Command {
	const command = new Command("check").description("what a number has agreed to");
	return withExample(command, "lethe consents check --number -")
		.requiredOption("--number <number>", numberHelp)
		.action((options: Numbered) =>
			act("consents check", async () => {
				const body = { number: await readNumber(options.number) };
				show(options, await call<ConsentsFound>(options, `${base}/search`, body), linesOf);
			}),
		);
}

function recordCommand(): Command {
	const example =
		"lethe consents record --number - --type express --purpose marketing \\\n" +
		"    --obtained-at 2026-11-26T09:00:00Z --wording form-v3 --evidence form-12";
	return addExample(withAct(new Command("record").description("record a consent with its proof")), example)
		.requiredOption("--number <number>", numberHelp)
		.addOption(new Option("--type <type>", "what kind it is").choices(consentTypes).makeOptionMandatory())
		.requiredOption("--purpose <word...>", "what it is for, such as marketing")
		.requiredOption("--obtained-at <time>", "when it was given, RFC 3339", parseTime)
		.requiredOption("--wording <token>", "reference and version of the wording agreed to")
		.requiredOption("--evidence <token>", "where the proof is kept")
		.option("--source <word>", "how it came, in a word")
		.option("--ground <word>", "the law's ground, in a word")
		.action((options: RecordOptions) =>
			act("consents record", async () => {
				const { type, purpose: purposes, obtainedAt, wording, evidence, source, ground } = options;
				const number = await readNumber(options.number);
				const body = { number, type, purposes, obtainedAt, wording, evidence, source, ground };
				show(options, await call<Consent>(options, base, body), (consent) => [lineOf(consent)]);
			}),
		);
}

function withdrawCommand(): Command {
	const command = new Command("withdraw").description("record that a consent was withdrawn; it reaches what waits");
	return addExample(withAct(command), "lethe consents withdraw cns_…")
		.argument("<id>", "the consent's id")
		.option("--at <time>", "when it was withdrawn, RFC 3339 (default: now)", parseTime)
		.option("--evidence <token>", "where the proof is kept")
		.action((id: string, options: TargetOptions & { at?: string; evidence?: string }) =>
			act("consents withdraw", async () => {
				const body = { withdrawnAt: options.at, evidence: options.evidence };
				const withdrawn = await call<Consent>(options, `${base}/${encodeURIComponent(id)}/withdraw`, body);
				show(options, withdrawn, (consent) => [lineOf(consent)]);
			}),
		);
}

function linesOf({ items, optedInAt, optedOut }: ConsentsFound): string[] {
	const block = optedOut === "none" ? [] : [`blocked: ${optedOut}, whatever is agreed to`];
	const optIn = optedInAt ? [`opted in to marketing again at ${optedInAt}: an express consent to it`] : [];
	const lines = [...block, ...items.map((item) => `${lineOf(item)}${effectOf(item)}`), ...optIn];
	return lines.length > 0 ? lines : ["nothing is on record"];
}

function effectOf({ purposes, inEffectFor, withdrawn }: ConsentFound): string {
	if (withdrawn || inEffectFor.length === purposes.length) return "";
	if (inEffectFor.length > 0) return `  now for ${inEffectFor.join(" ")} alone`;
	return "  counts for nothing: an opt-out or another withdrawal came after it, or its time is over where the number is";
}

function lineOf({ id, type, purposes, obtainedAt, evidence, withdrawn }: Consent): string {
	const end = withdrawn ? `, withdrawn at ${withdrawn.at}` : "";
	return `${id}  ${type}  ${purposes.join(" ")}  obtained at ${obtainedAt}${end}  ${evidence}`;
}
