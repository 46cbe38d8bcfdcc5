// What is on record of a recipient, as facts: it can make a caller's own words stricter, never milder.

import type { Consent, Facts } from "../domain/decision.ts";
import { type ConsentRecord, covers, type Standing } from "../domain/subject.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { formatInstant, instantMs } from "./durations.ts";
import { consentTypes } from "./schema.ts";

/**
 * The facts with the recipient's opt-out, consent and holds in them; the input is not changed. A consent on record
 * serves where the caller states none. The one reply to an opt-out is told of it, but not that the number is suppressed.
 */
export function withStanding(facts: Facts, standing: Standing): Facts {
	const { optOut, holds } = standing;
	const merged: Facts = { ...facts };
	const consent = findConsent(facts, standing.consents);
	if (consent) merged.consent = consent;
	if (holds.length > 0) merged.legalHold = true;
	if (optOut && !covers(facts.optedOut ?? "none", optOut.scope)) merged.optedOut = optOut.scope;
	const context = suppressionFacts(facts, standing);
	if (Object.keys(context).length > 0) merged.context = withoutUndefined({ ...facts.context, ...context });
	return merged;
}

function suppressionFacts(facts: Facts, { optOut, lifted }: Standing): Record<string, unknown> {
	if (!optOut) return lifted ? { suppressionHashMatch: true, freshOptInEvidence: lifted._id } : {};
	const blocks = optOut.scope === "all" || facts.category === "marketing";
	const suppressed = blocks && !facts.context?.optOutKeywordReply;
	return {
		optOutAt: formatInstant(optOut.at),
		suppressionHashMatch: suppressed ? true : undefined,
		freshOptInEvidence: undefined,
	};
}

// A withdrawal reaches every consent to the same purpose that was given before it, whichever record it was made on.
function findConsent(facts: Facts, records: readonly ConsentRecord[]): Consent | undefined {
	const relevant = records.filter(({ purposes }) => purposes.includes(facts.category ?? ""));
	if (relevant.length === 0) return facts.consent;
	const withdrawnAt = Math.max(...relevant.map(({ ended }) => ended?.at ?? Number.NEGATIVE_INFINITY));
	const valid = relevant.filter(({ at, ended }) => !ended && at > withdrawnAt).sort(byStrength);
	const [best] = valid;
	if (!facts.consent) return best ? toConsent(best) : toConsent(relevant.sort(byTime)[0] as ConsentRecord, withdrawnAt);
	const givenAt = Math.max(
		instantMs(facts.consent.obtainedAt) ?? Number.NEGATIVE_INFINITY,
		...valid.map(({ at }) => at),
	);
	if (withdrawnAt === Number.NEGATIVE_INFINITY || givenAt > withdrawnAt) return facts.consent;
	return { ...facts.consent, withdrawnAt: formatInstant(withdrawnAt) };
}

function toConsent(record: ConsentRecord, withdrawnAt?: number): Consent {
	const { _id, type, purposes, source, ground, at } = record;
	return {
		type,
		obtainedAt: formatInstant(at),
		purposes,
		// The record says where the proof is, and more.
		evidence: _id,
		...(source === undefined ? {} : { source }),
		...(ground === undefined ? {} : { ground }),
		...(withdrawnAt === undefined ? {} : { withdrawnAt: formatInstant(withdrawnAt) }),
	};
}

function byStrength(one: ConsentRecord, other: ConsentRecord): number {
	return consentTypes.indexOf(other.type) - consentTypes.indexOf(one.type) || byTime(one, other);
}

function byTime(one: ConsentRecord, other: ConsentRecord): number {
	return other.at - one.at || (one._id < other._id ? -1 : 1);
}
