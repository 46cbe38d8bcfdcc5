// A decision as a person reads it at a terminal; scripts read its JSON.

import type { Decision } from "../../domain/decision.ts";
import { describeDuration } from "../../policies/sentences.ts";
import { describeReason } from "./describeReason.ts";

/** Field → its line, in the order of printing; durations in words. A field that is not here is in the verdict or below it. */
const terms: Partial<Record<keyof Decision, (value: string) => string>> = {
	deferUntilUtc: (at) => `not before ${at}`,
	deferUntilLocal: (at) => `not before ${at} at the recipient`,
	deliveryMode: (mode) => `delivered by ${mode.replace("_", " ")}`,
	purgeContentWithin: (time) => `content erased within ${describeDuration(time)}`,
	contentRetentionMax: (time) =>
		time === "PT0S" ? "content not kept" : `content kept at most ${describeDuration(time)}`,
	recordRetentionMin: (time) => `record kept at least ${describeDuration(time)}`,
	recordRetentionMax: (time) => `record kept at most ${describeDuration(time)}`,
	ackBy: (at) => `acknowledged by ${at}`,
	respondBy: (at) => `answered by ${at}`,
	honorBy: (at) => `honoured by ${at}`,
	backupPurgeBy: (at) => `gone from backups by ${at}`,
	notBefore: (at) => `erased not before ${at}`,
	certificateNotBefore: (at) => `certified not before ${at}`,
	confirmationWithin: (time) => `confirmed within ${describeDuration(time)}`,
	maxConfirmations: (count) => `confirmed ${count} time(s) at most`,
};

/** The verdict first, then why, until when, and by which rules and packs; a line each. */
export function describeDecision(decision: Decision): string[] {
	const { allowed, reasons, rules, citations, packs } = decision;
	const names = packs.map(({ id, version }) => `${id} ${version}`);
	return [
		allowed ? "ALLOWED" : "REFUSED",
		...reasons.map((code) => `  ${describeReason(code)}`),
		...Object.entries(terms).flatMap(([name, tell]) => {
			const value = decision[name as keyof Decision];
			return value === undefined ? [] : [`  ${tell(String(value))}`];
		}),
		...(rules.length > 0 ? [`  rules: ${rules.join(", ")}`] : []),
		...(citations.length > 0 ? [`  sources: ${citations.join("; ")}`] : []),
		`  packs: ${names.join(", ") || "none"}`,
	];
}
