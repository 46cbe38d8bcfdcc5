// The policies in force, opened once a process: everything others ask of them.

import type { Decision, Facts, RetentionPlan } from "../domain/decision.ts";
import { type ContentFacts, contentFacts } from "./contentFacts.ts";
import { formatInstant } from "./durations.ts";
import { evaluate } from "./evaluate.ts";
import { isCapped } from "./frequency.ts";
import { loadPacks } from "./load.ts";
import { retentionPlan } from "./retention.ts";

export type Policies = ReturnType<typeof openPolicies>;

/** Reads and checks the packs. @throws Error in one line that names what is wrong with a pack */
export function openPolicies(directory?: string) {
	const packs = loadPacks(directory);
	return {
		/** Id, version and SHA-256 of every pack that was read. */
		versions: packs.versions,
		/** Decides one act. @throws LetheError invalid_request when the facts name no time */
		evaluate: (facts: Facts): Decision => evaluate(packs, facts),
		/** Decides it anew as of `at`, epoch milliseconds. */
		reevaluate: (facts: Facts, at: number): Decision =>
			evaluate(packs, { ...facts, context: { ...facts.context, evaluatedAt: formatInstant(at) } }),
		/** Whether a frequency rule asks how much was sent. @throws as evaluate */
		isCapped: (facts: Facts): boolean => isCapped(packs, facts),
		/** The interval of every retention object. @throws as evaluate */
		retentionPlan: (facts: Facts): RetentionPlan => retentionPlan(packs, facts),
		/** What may be recorded of a text; the text itself is not kept. */
		contentFacts: (text: string): ContentFacts => contentFacts(text),
	};
}
