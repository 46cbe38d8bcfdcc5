// `lethe policy explain MSG`: why a message was decided as it was, as a person reads it.

import { Command } from "commander";
import type { DecisionExplanation, RuleWords } from "../../client/types.ts";
import { exitCodes, run } from "../run.ts";
import { call, type TargetOptions, withTarget } from "./call.ts";
import { approvalWords } from "./proposal.ts";

/** Exit 0: the record still gives the same decision; 1: it does not, or there is no such message. */
export function explainCommand(): Command {
	const command = new Command("explain")
		.description(
			"say why a message was decided as it was: rules, sources, dates and who set them; as JSON with all values",
		)
		.argument("<message>", "its id, msg_…");
	return withTarget(command).action((id: string, options: TargetOptions) =>
		run("policy explain", () => explain(id, options)),
	);
}

async function explain(id: string, options: TargetOptions): Promise<number> {
	const answer = await call<DecisionExplanation>(options, `/v1/messages/${encodeURIComponent(id)}/decision`);
	console.log(options.json ? JSON.stringify(answer, null, 2) : describe(answer).join("\n"));
	return answer.replay.agrees ? exitCodes.yes : exitCodes.no;
}

function describe(answer: DecisionExplanation): string[] {
	const { messageId, allowed, judgedAt, reasons, mode, noted, rejected, decisive, others, packs, retimings } = answer;
	return [
		...(rejected ? [`${messageId}: rejected at ${rejected.at}${rejected.code ? `: ${rejected.code}` : ""}`] : []),
		...(rejected?.rule ? ruleLines(rejected.rule) : []),
		`${rejected ? "When it was accepted" : messageId}: ${allowed ? "may be sent" : "may not be sent"}, judged as of ${judgedAt}`,
		...reasons.map(({ code, means }) => `  ${code}: ${means}`),
		...(decisive ? ["Decisive rule:", ...ruleLines(decisive)] : []),
		...(others.length > 0 ? ["Other rules that counted:", ...others.flatMap(ruleLines)] : []),
		...(allowed ? [`Sending: ${sending(answer)}`] : []),
		`Mode: ${mode === "monitor" ? "monitor; it went on, though limits that only watch would have refused it:" : mode}`,
		...noted.map(({ code, means }) => `  ${code}: ${means}`),
		"Kept:",
		...(answer.held ? ["  held: nothing of it is erased before the hold's release, whatever its dates"] : []),
		...answer.retention.map(keptLine),
		"Judged by:",
		...packs.map(({ id, version, origin, sha256, approval }) => {
			const by = approval ? `, ${approvalWords(approval)}` : "";
			return `  ${id} ${version}${origin ? `, ${origin}${by}, sha256 ${sha256?.slice(0, 12)}` : ", not known here any more"}`;
		}),
		...(retimings.length > 0 ? ["Policies that came into force since:"] : []),
		...retimings.map(
			({ at, from, to, effects }) =>
				`  ${at}  ${names(from)} → ${names(to)}: ${effects.join(", ") || "nothing changed"}`,
		),
		replayLine(answer.replay),
	];
}

function ruleLines({
	rule,
	version,
	says,
	whenBriefly: when,
	citations,
	basis,
	confidence,
	verifiedOn,
	note,
}: RuleWords): string[] {
	const known = basis ? ` (${basis}, confidence ${confidence}, verified on ${verifiedOn})` : "";
	return [
		`  ${rule} of ${version}${known}`,
		`    ${says}`,
		...(when === "always" ? [] : [`    when ${when}`]),
		`    source: ${citations.join("; ")}`,
		...(note ? [`    ${note}`] : []),
	];
}

function sending({ releaseUtc, releaseLocal, deliveryMode }: DecisionExplanation): string {
	const local = releaseLocal ? ` (${releaseLocal} at the recipient)` : "";
	const when = releaseUtc ? `not before ${releaseUtc}${local}` : "at once";
	return `${when}${deliveryMode ? `, by ${deliveryMode.replace("_", " ")}` : ""}`;
}

function keptLine({ object, eraseBy, atFinal, erasedAt, min, max }: DecisionExplanation["retention"][number]): string {
	// What is not encrypted has no end with the message: it goes by its date.
	const endsWithMessage = atFinal && (object === "content" || object === "address");
	const until = endsWithMessage ? `until the message is final, ${eraseBy} at the latest` : `until ${eraseBy}`;
	const bounds = [
		...(min?.duration && !/^PT?0/.test(min.duration)
			? [`at least ${min.words} by ${min.rule} (${min.citations.join("; ")})`]
			: []),
		...(max ? [`at most ${max.words} by ${max.rule} (${max.citations.join("; ")})`] : []),
	];
	const kept = erasedAt ? `erased ${erasedAt}` : until;
	return `  ${object.replaceAll("_", " ")}: ${[kept, ...bounds].join("; ")}`;
}

function replayLine({ agrees, missing, differences }: DecisionExplanation["replay"]): string {
	if (agrees) return "Judged anew from this record: the same decision.";
	if (missing.length > 0) return `NOT judged anew: ${names(missing)} is not here any more.`;
	return `Judged anew from this record: NOT THE SAME (${differences.join(", ")}).`;
}

function names(refs: { id: string; version: string }[]): string {
	return refs.map(({ id, version }) => `${id} ${version}`).join(", ") || "none";
}
