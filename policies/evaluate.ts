// The policy engine: what the packs in force say of one act. Pure: no clock, no input or output, the same answer each time.

import type { Decision, Facts, PolicyEvent } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { recordableFacts } from "./contentFacts.ts";
import { concludeDraft, type Draft, finding, startDraft } from "./draft.ts";
import { instantMs } from "./durations.ts";
import { inbound } from "./judges/inbound.ts";
import { publish } from "./judges/publish.ts";
import { erasureRequest, judgeRequest } from "./judges/request.ts";
import { erasureVerify, holdReleased, purgeDue } from "./judges/retention.ts";
import { send } from "./judges/send.ts";
import { type Applying, findApplying, judgedAt, type PackSet } from "./packSet.ts";

/**
 * Decides one act, `facts.context.event` (a send unless it says otherwise).
 *
 * 1. The time is that of the facts. Of each pack the newest version in force then counts, if its `applies` holds and
 *    none of its `excludes` does.
 * 2. A send needs a pack that opens its destination; without one it is denied.
 * 3. Every `deny` rule of the event whose condition holds refuses. So do, on a send, consent that falls short of any
 *    consent rule and a count that has reached any frequency limit. Every pack is asked: the strictest wins, and a
 *    further pack can only refuse more.
 * 4. A send that nothing refuses waits until all windows are open at once, in every zone that the recipient may be in;
 *    if it would expire first, it is refused. It goes by the most protective delivery mode that any rule or the request
 *    asks for; a request that names a less protective one than a rule asks for is refused.
 * 5. Other events get the earliest of all deadlines and the latest of all minimum dates.
 * 6. How long things are kept is the intersection of all intervals.
 *
 * The answer names the rules that fired, the decisive one first. A body is judged in memory and leaves no trace in it.
 * @throws LetheError invalid_request when the facts name no time, or hold what `parseFacts` would refuse and no rule can read
 */
export function evaluate(packs: PackSet, facts: Facts): Decision {
	return consider(packs, facts).decision;
}

/** The same, with the facts and the packs that it was decided by. @throws as evaluate */
export function consider(packs: PackSet, facts: Facts): { decision: Decision; judged: Facts; applying: Applying } {
	try {
		const now = judgedAt(facts);
		const judged = withTrueReply(recordableFacts(facts));
		const applying = findApplying(packs, judged, now);
		return { decision: decide(startDraft(judged, now, applying)), judged, applying };
	} catch (error) {
		// A value that no rule can read must not switch one off: nothing is decided.
		if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
		const errors = [{ pointer: "/", detail: "holds a value that the schema does not allow" }];
		throw new LetheError("invalid_request", { cause: error, errors });
	}
}

function decide(draft: Draft): Decision {
	const { facts, now } = draft;
	const event = draft.context.event ?? "send";
	if (draft.packs.length === 0) {
		draft.denials.push({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
		return concludeDraft(draft);
	}
	for (const pack of draft.packs) {
		for (const rule of pack.deny[event]) {
			if (rule.when(facts, now)) draft.denials.push(finding(rule, ...rule.effect));
		}
	}
	judges[event](draft);
	if (draft.denials.length === 0) addReasons(draft, event);
	return concludeDraft(draft);
}

const judges: Record<PolicyEvent, (draft: Draft) => unknown> = {
	send,
	inbound,
	erasure_request: erasureRequest,
	access_request: (draft) => judgeRequest(draft, "access"),
	correction_request: (draft) => judgeRequest(draft, "correction"),
	restriction_request: (draft) => judgeRequest(draft, "restriction"),
	objection_request: (draft) => judgeRequest(draft, "objection"),
	hold_released: holdReleased,
	policy_publish: publish,
	purge_due: purgeDue,
	erasure_verify: erasureVerify,
};

// What was accepted before the opt-out, or before the consent ended, answers neither, whatever it says of itself.
function withTrueReply(facts: Facts): Facts {
	const { optOutKeywordReply, acceptedAt, optOutAt } = facts.context ?? {};
	const accepted = instantMs(acceptedAt);
	if (optOutKeywordReply === undefined || accepted === undefined) return facts;
	const ends = [instantMs(optOutAt), instantMs(facts.consent?.withdrawnAt)].filter((at) => at !== undefined);
	if (ends.every((at) => at <= accepted)) return facts;
	return { ...facts, context: { ...facts.context, optOutKeywordReply: false } };
}

function addReasons({ facts, now, packs, grants }: Draft, event: PolicyEvent): void {
	for (const pack of packs) {
		for (const rule of pack.reasons[event]) if (rule.when(facts, now)) grants.push(finding(rule, ...rule.effect));
	}
}
