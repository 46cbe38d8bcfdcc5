// The policy engine: what the packs in force say of one act. Pure: no clock, no input or output, the same answer each time.

import type { Decision, Facts, PolicyEvent } from "../domain/decision.ts";
import { addDuration } from "./cohorts.ts";
import type { RetentionTerm, Rule } from "./compile.ts";
import { composeRetention, isEmpty } from "./compose.ts";
import { judgeConsent } from "./consent.ts";
import { recordableFacts } from "./contentFacts.ts";
import { concludeDraft, type Draft, finding, startDraft } from "./draft.ts";
import { dueDate, type Within } from "./dueDate.ts";
import { durationMs, formatInstant, instantMs, isDuration } from "./durations.ts";
import { findApplying, judgedAt, type PackSet } from "./packSet.ts";
import { judgeRelease } from "./release.ts";
import { bindingTerms } from "./retention.ts";
import { deliveryModes, frequencyFacts } from "./schema.ts";
import { wallClock } from "./windows.ts";
import { candidateZones } from "./zones.ts";

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
 *    if it would expire first, it is refused. It goes by the most protective delivery mode that any rule asks for.
 * 5. Other events get the earliest of all deadlines and the latest of all minimum dates.
 * 6. How long things are kept is the intersection of all intervals.
 *
 * The answer names the rules that fired, the decisive one first. A body is judged in memory and leaves no trace in it.
 * @throws LetheError invalid_request when the facts name no time
 */
export function evaluate(packs: PackSet, facts: Facts): Decision {
	const now = judgedAt(facts);
	const judged = recordableFacts(facts);
	const draft = startDraft(judged, now, findApplying(packs, judged, now));
	const event = draft.context.event ?? "send";
	if (draft.packs.length === 0) {
		draft.denials.push({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
		return concludeDraft(draft);
	}
	for (const pack of draft.packs) {
		for (const rule of pack.deny[event]) {
			if (rule.when(judged, now)) draft.denials.push(finding(rule, ...rule.effect));
		}
	}
	judges[event](draft);
	if (draft.denials.length === 0) addReasons(draft, event);
	return concludeDraft(draft);
}

const judges: Record<PolicyEvent, (draft: Draft) => void> = {
	send: judgeSend,
	inbound: judgeInbound,
	erasure_request: (draft) => judgeRequest(draft, "erasure"),
	access_request: (draft) => judgeRequest(draft, "access"),
	hold_released: judgeHoldReleased,
	policy_publish: judgePublish,
	purge_due: judgePurge,
	erasure_verify: judgeErasure,
};

function judgeSend(draft: Draft): void {
	const { facts, now, packs, denials, grants, context } = draft;
	if (!packs.some(({ destinations }) => destinations.has(facts.recipientCountry ?? ""))) {
		denials.unshift({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
		return;
	}
	for (const pack of packs) {
		for (const rule of pack.consent) {
			if (!rule.when(facts, now)) continue;
			const { enough, codes } = judgeConsent(rule, facts, now);
			(enough ? grants : denials).push(finding(rule, ...codes));
		}
		for (const rule of pack.frequency) {
			const sent = context[frequencyFacts[rule.effect.per]];
			if (!rule.when(facts, now) || typeof sent !== "number") continue;
			if (sent >= rule.effect.max) denials.push(finding(rule, "FREQUENCY_EXCEEDED"));
			else grants.push(finding(rule));
		}
	}
	if (denials.length > 0) return;
	judgeRelease(draft);
	if (denials.length > 0) return;
	chooseDelivery(draft);
	const { content, decision_record } = bindingTerms(packs, facts, now);
	if (content.max.max !== null) draft.bounds.contentRetentionMax = content.max.max;
	boundRecord(draft, decision_record.min, decision_record.max);
	for (const term of [content.max, decision_record.min, decision_record.max]) draft.always.push(termFinding(term));
}

function chooseDelivery(draft: Draft): void {
	const { facts, now, packs } = draft;
	const asking = packs.flatMap(({ delivery }) => delivery.filter((rule) => rule.when(facts, now)));
	const rank = Math.max(0, ...asking.map(({ effect }) => deliveryModes.indexOf(effect.mode)));
	const mode = deliveryModes[rank] ?? "e2ee";
	for (const rule of asking) if (rule.effect.mode === mode) draft.grants.push(finding(rule, rule.effect.reason));
	draft.bounds.deliveryMode = mode;
}

function judgeInbound(draft: Draft): void {
	const { facts, now, packs, bounds, context } = draft;
	if (context.keywordClass !== "stop") return;
	const rules = packs.flatMap(({ optOut }) => optOut.filter((rule) => rule.when(facts, now)));
	for (const rule of rules) draft.grants.push(finding(rule, ...rule.effect.reasons));
	setDue(
		draft,
		"honorBy",
		rules.map(({ effect }) => effect.honorWithin),
	);
	const confirmWithin = shortest(rules.map(({ effect }) => effect.confirmWithin));
	if (confirmWithin !== undefined) bounds.confirmationWithin = confirmWithin;
	const counts = rules.flatMap(({ effect }) => effect.maxConfirmations ?? []);
	if (counts.length > 0) bounds.maxConfirmations = Math.min(...counts);
	const { suppression } = bindingTerms(packs, facts, now);
	boundRecord(draft, suppression.min, suppression.max);
}

function judgeRequest(draft: Draft, to: "erasure" | "access"): void {
	const { facts, now, packs } = draft;
	const rules = packs.flatMap(({ right }) => right.filter((rule) => rule.effect.to === to && rule.when(facts, now)));
	const granting = rules.filter(({ effect }) => effect.granted);
	if (granting.length === 0) {
		// A law that says no, or none that says yes.
		for (const rule of rules) draft.denials.push(finding(rule, ...rule.effect.reasons));
		if (rules.length === 0) draft.denials.push({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
		return;
	}
	for (const rule of granting) {
		draft.grants.push(finding(rule, ...rule.effect.reasons));
		draft.always.push(finding(rule, "DSR_CLOCK_STARTED"));
	}
	// The clocks run even for a request that is then refused: the refusal too has its deadline.
	setDue(
		draft,
		"ackBy",
		granting.map(({ effect }) => effect.ackWithin),
	);
	setDue(
		draft,
		"respondBy",
		granting.map(({ effect }) => effect.respondWithin),
	);
	const { subject_request } = bindingTerms(packs, facts, now);
	boundRecord(draft, subject_request.min, subject_request.max);
	if (to === "access" || draft.denials.length > 0) return;
	for (const { rule, backupsWithin } of erasing(draft, "erasure_request")) {
		draft.grants.push(finding(rule));
		setDue(draft, "backupPurgeBy", [backupsWithin], ["authenticatedAt", "processedAt", "receivedAt"]);
	}
}

function judgeHoldReleased(draft: Draft): void {
	if (draft.denials.length > 0) return;
	const dueAt = instantMs(draft.context.contentMaxReachedAt) ?? draft.now;
	if (dueAt > draft.now) return;
	const rules = erasing(draft, "hold_released");
	for (const { rule } of rules) draft.grants.push(finding(rule, "HOLD_RELEASED_PURGE_DUE"));
	const within = shortest(rules.map(({ contentWithin }) => contentWithin));
	if (within !== undefined) draft.bounds.purgeContentWithin = within;
}

/** Would the composition that is to be published leave an interval? Items are pack ids, or bounds spelt out. */
function judgePublish(draft: Draft): void {
	const { context, packs, bounds } = draft;
	const composition = Array.isArray(context.composition) ? (context.composition as unknown[]) : [];
	const object = typeof context.object === "string" ? context.object : "decision_record";
	const known = packs.flatMap((pack) => pack.retention.flatMap(({ effect }) => effect.map((term) => ({ pack, term }))));
	const terms = composition.flatMap((item, index) =>
		typeof item === "string"
			? known.filter(({ pack, term }) => pack.ref.id === item && term.object === object).map(({ term }) => term)
			: [toTerm(item, index)],
	);
	const composed = composeRetention(terms);
	if (!composed) return;
	const { min, max } = composed;
	if (!isEmpty(composed)) {
		if (object === "content" && max.max !== null) bounds.contentRetentionMax = max.max;
		else boundRecord(draft, min, max);
		draft.grants.push(termFinding(min), termFinding(max));
	} else if (context.resolution) {
		const pseudonymised = /pseudonym/i.test(JSON.stringify(context.resolution));
		draft.grants.push({ codes: pseudonymised ? ["RECORD_PSEUDONYMISED"] : [], citations: [] });
	} else {
		const citations = [...min.citations, ...max.citations];
		draft.denials.push({ codes: ["RETENTION_INTERVAL_EMPTY", "POLICY_CONFLICT_REVIEW"], citations });
	}
}

function judgePurge(draft: Draft): void {
	const { facts, now, packs, context } = draft;
	const object = (context.object ?? "content") as keyof ReturnType<typeof bindingTerms>;
	const { min, max } = bindingTerms(packs, facts, now)[object];
	boundRecord(draft, min, max);
	const createdAt = instantMs(context.createdAt);
	const lastInEffectAt = min.clock === "last_in_effect" ? instantMs(context.lastInEffectAt) : undefined;
	const start = lastInEffectAt === undefined ? createdAt : Math.max(lastInEffectAt, createdAt ?? lastInEffectAt);
	// Without a start nobody can show that the minimum has passed.
	const notBefore = start === undefined ? undefined : addDuration(start, min.min);
	if (min.minMs > 0 && (notBefore === undefined || notBefore > now)) {
		draft.denials.push({ ...termFinding(min), codes: ["MIN_RETENTION_NOT_REACHED"] });
		if (notBefore !== undefined) draft.bounds.notBefore = formatDayFrom(notBefore);
	}
	draft.grants.push(termFinding(min));
}

function judgeErasure(draft: Draft): void {
	const backupsEnd = instantMs(draft.context.keyBackupsExpireAt);
	if (backupsEnd !== undefined) draft.bounds.certificateNotBefore = formatInstant(Math.max(backupsEnd, draft.now));
}

function addReasons({ facts, now, packs, grants }: Draft, event: PolicyEvent): void {
	for (const pack of packs) {
		for (const rule of pack.reasons[event]) if (rule.when(facts, now)) grants.push(finding(rule, ...rule.effect));
	}
}

type EraseRule = { rule: Rule; contentWithin?: string | undefined; backupsWithin?: string | undefined };

function erasing({ facts, now, packs }: Draft, event: PolicyEvent): EraseRule[] {
	const rules = packs.flatMap(({ erase }) => erase[event].filter((rule) => rule.when(facts, now)));
	return rules.map((rule) => ({ rule, ...rule.effect }));
}

function boundRecord({ bounds }: Draft, min: RetentionTerm, max: RetentionTerm): void {
	if (min.minMs > 0) bounds.recordRetentionMin = min.min;
	if (max.max !== null) bounds.recordRetentionMax = max.max;
}

function termFinding({ ruleId, citations }: RetentionTerm) {
	return { codes: [], ruleId, citations };
}

/** The earliest of the dates that the clocks of several rules name; none when no rule sets one. */
function setDue(
	draft: Draft,
	bound: "ackBy" | "respondBy" | "honorBy" | "backupPurgeBy",
	clocks: (Within | undefined)[],
	starts: string[] = ["receivedAt"],
): void {
	const startsAt = starts.map((name) => instantMs(draft.context[name])).find((at) => at !== undefined) ?? draft.now;
	const from = earliestDay(draft, startsAt);
	const dates = clocks.flatMap((within) => (within === undefined ? [] : [dueDate(from, within)]));
	const known = draft.bounds[bound];
	const [earliest] = [...dates, ...(known === undefined ? [] : [known])].sort();
	if (earliest !== undefined) draft.bounds[bound] = earliest;
}

// A day begins at different times on Earth; the clock starts on the earlier of the days in UTC and at the recipient.
function earliestDay({ facts }: Draft, at: number): string {
	const { recipientCountry, recipientRegion, timezone } = facts;
	const candidates = recipientCountry === undefined ? [] : candidateZones(recipientCountry, recipientRegion);
	const zones = timezone === undefined ? candidates.map(({ zone }) => zone) : [timezone];
	const earliest = Math.min(at, ...zones.map((zone) => wallClock(zone, at)));
	return formatInstant(earliest).slice(0, 10);
}

// A minimum that ends within a day ends, as a date, on the next.
function formatDayFrom(at: number): string {
	return formatInstant(Math.ceil(at / 86_400_000) * 86_400_000).slice(0, 10);
}

function shortest(durations: (string | undefined)[]): string | undefined {
	const given = durations.filter((duration) => duration !== undefined);
	return given.sort((a, b) => durationMs(a) - durationMs(b))[0];
}

function toTerm(item: unknown, index: number): RetentionTerm {
	const { min = "PT0S", max = null } = (item ?? {}) as { min?: string; max?: string | null };
	if (!isDuration(min) || (max !== null && !isDuration(max))) throw new RangeError("not a duration in ISO 8601");
	const maxMs = max === null ? Number.POSITIVE_INFINITY : durationMs(max);
	const term = { object: "decision_record", clock: "created", min, max, minMs: durationMs(min), maxMs } as const;
	return { ...term, ruleId: `composition.${index}`, citations: [] };
}
