// What a change of policy would have said of stored messages, and what it would do to them; from their facts alone.

import type { Decision, Facts } from "../domain/decision.ts";
import { unsentStates } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message, RetentionObject } from "../domain/message.ts";
import { formatInstant } from "./durations.ts";
import { evaluate } from "./evaluate.ts";
import type { PackSet } from "./packSet.ts";
import { countEffects, type Planned, replan } from "./replan.ts";
import { retentionPlan } from "./retention.ts";

/** The packs without the change and with it, and the time as of which what is still open is judged. */
export type SimulatedChange = { before: PackSet; after: PackSet; asOf: number };

type Simulated = Planned & Pick<Message, "_id" | "facts" | "releaseAt">;

/**
 * The effects of a change on one message. What was sent is judged as of its own time, as if the change had been in force;
 * what waits, as of the time from which it would be. A message that can't be judged is `unjudged`, never left out.
 */
export function simulate(
	message: Simulated,
	change: SimulatedChange,
	needs: Partial<Record<RetentionObject, string>>,
): string[] {
	const { before, after, asOf } = change;
	const waits = (unsentStates as readonly string[]).includes(message.state);
	const facts = waits ? judgedAgain(message.facts, Math.max(asOf, message.releaseAt ?? asOf)) : message.facts;
	try {
		const plan = retentionPlan(after, judgedAgain(message.facts, asOf));
		const sent = compareDecisions(evaluate(before, facts), evaluate(after, facts));
		const stopped = waits && sent.includes("newly_denied") ? ["stopped_before_sending"] : [];
		return [...sent, ...stopped, ...countEffects(message, replan(message, plan, needs), asOf)];
	} catch {
		return ["unjudged"];
	}
}

/**
 * Adds what a page of messages gave. `counts` and `samples` are changed in place. What is only wrapped anew counts as unchanged,
 * too: it is kept and goes as before, and a simulation, which wraps nothing, has counted it as that.
 */
export function tally(
	sum: { counts: Record<string, number>; samples: Record<string, string[]> },
	id: string,
	effects: readonly string[],
): void {
	sum.counts.messages = (sum.counts.messages ?? 0) + 1;
	const changes = effects.some((effect) => effect !== "rewrapped");
	for (const effect of changes ? effects : [...effects, "unchanged"]) {
		sum.counts[effect] = (sum.counts[effect] ?? 0) + 1;
		// Ids are random, so the first ones in their order are a fair sample.
		const samples = sum.samples[effect] ?? [];
		sum.samples[effect] = samples;
		if (effect !== "unchanged" && samples.length < limits.policySamplesMax) samples.push(id);
	}
}

function compareDecisions(before: Decision, after: Decision): string[] {
	if (before.allowed !== after.allowed) return [after.allowed ? "newly_allowed" : "newly_denied"];
	if (!after.allowed) return [];
	const release = ({ deferUntilUtc }: Decision) => (deferUntilUtc === undefined ? 0 : Date.parse(deferUntilUtc));
	const later = release(after) - release(before);
	return [
		...(later > 0 ? ["deferred_longer"] : later < 0 ? ["deferred_shorter"] : []),
		...(before.deliveryMode === after.deliveryMode ? [] : ["delivery_mode_changed"]),
	];
}

function judgedAgain(facts: Facts, at: number): Facts {
	return { ...facts, context: { ...facts.context, evaluatedAt: formatInstant(at) } };
}
