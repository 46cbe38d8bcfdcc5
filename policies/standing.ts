// What is on record of a recipient, as facts: it can make a caller's own words stricter, never milder.

import type { Consent, Facts } from "../domain/decision.ts";
import { type ConsentRecord, covers, lastSaidAt, type Standing, type SubjectRecord } from "../domain/subject.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { formatInstant, instantMs } from "./durations.ts";
import { restsOnConsent } from "./lawfulBasis.ts";
import { consentTypes } from "./schema.ts";
import { setApart } from "./words.ts";

const never = Number.NEGATIVE_INFINITY;

/**
 * The facts with the recipient's opt-out, consent and holds in them; the input is not changed. A consent on record
 * serves where the caller states none; who relies on consent and has neither has none. An opt-out ends every consent to
 * marketing of before, and lifting it brings none back: who opts in again has consented from then on, expressly and not in
 * writing. The one reply to an opt-out is told of it, but not that the number is suppressed.
 */
export function withStanding(facts: Facts, standing: Standing): Facts {
	const { optOut, holds } = standing;
	const merged: Facts = { ...facts };
	const consent = findConsent(facts, standing);
	if (consent) merged.consent = consent;
	if (holds.length > 0) merged.legalHold = true;
	if (optOut && !covers(facts.optedOut ?? "none", optOut.scope)) merged.optedOut = optOut.scope;
	const context = suppressionFacts(facts, standing);
	if (Object.keys(context).length > 0) merged.context = withoutUndefined({ ...facts.context, ...context });
	return merged;
}

/** For which of its purposes a consent on record still counts: none that has ended since, be it on another record. */
export function purposesInEffect(record: ConsentRecord, standing: Standing): string[] {
	return record.purposes.filter((purpose) => isInEffect(record, endOf(purpose, standing)));
}

/**
 * When the last purpose ended that a consent on record counts for, epoch ms, each by the first that ended it; undefined while
 * it counts for any. `records`: all that is on record of its recipient.
 */
export function consentEndedAt(record: ConsentRecord, records: readonly SubjectRecord[]): number | undefined {
	const theirs = records.filter(({ tenantId }) => tenantId === record.tenantId);
	const ends = record.purposes.map((purpose) =>
		Math.min(...theirs.flatMap((one) => endsBy(one, purpose)).filter((at) => at >= record.at)),
	);
	const last = Math.max(record.at, ...ends);
	return Number.isFinite(last) ? last : undefined;
}

function endsBy(record: SubjectRecord, purpose: string): number[] {
	if (record.kind === "opt_out") return purpose === "marketing" ? [record.at, lastSaidAt(record)] : [];
	return record.kind === "consent" && record.ended && record.purposes.includes(purpose) ? [record.ended.at] : [];
}

/** When the recipient opted in to marketing again, epoch ms, where that counts: it makes no consent where none ever was. */
export function optedInAt(standing: Standing): number | undefined {
	if (!standing.consents.some(({ purposes }) => purposes.includes("marketing"))) return undefined;
	const [optIn] = findOptIn("marketing", standing);
	return optIn && isInEffect(optIn, endOf("marketing", standing)) ? optIn.at : undefined;
}

function suppressionFacts(facts: Facts, { optOut, lifted }: Standing): Record<string, unknown> {
	if (!optOut) return lifted ? { suppressionHashMatch: true, freshOptInEvidence: lifted._id } : {};
	const blocks = optOut.scope === "all" || facts.category === "marketing";
	const suppressed = blocks && facts.context?.optOutKeywordReply !== true;
	return {
		optOutAt: formatInstant(optOut.at),
		suppressionHashMatch: suppressed ? true : undefined,
		freshOptInEvidence: undefined,
	};
}

type Given = Pick<ConsentRecord, "_id" | "type" | "purposes" | "at"> &
	Partial<Pick<ConsentRecord, "source" | "ground" | "ended">>;

// A withdrawal reaches every consent to the same purpose that was given before it, whichever record it was made on; so
// does an opt-out, as a revocation (47 CFR 64.1200(a)(10)).
function endOf(category: string, { consents, optedOutAt = never }: Standing): number {
	const ends = consents.map(({ purposes, ended }) => (purposes.includes(category) ? (ended?.at ?? never) : never));
	return Math.max(category === "marketing" ? optedOutAt : never, ...ends);
}

function isInEffect({ at, ended }: Pick<Given, "at" | "ended">, endedAt: number): boolean {
	return !ended && at > endedAt;
}

function findConsent(facts: Facts, standing: Standing): Consent | undefined {
	const { consent: stated, category = "" } = facts;
	const relevant: Given[] = standing.consents.filter(({ purposes }) => purposes.includes(category));
	// Who relies on consent must be able to show it (GDPR Art. 7(1)): neither stated nor on record, it is not there.
	if (relevant.length === 0 && !stated) return restsOnConsent(facts.context ?? {}) ? { type: "none" } : undefined;
	const endedAt = endOf(category, standing);
	const [best] = [...relevant, ...findOptIn(category, standing)]
		.filter((given) => isInEffect(given, endedAt))
		.sort(byStrength);
	if (!stated) return best ? toConsent(best) : toConsent(relevant.sort(byTime)[0] as Given, endedAt);
	if (endedAt === never || (instantMs(stated.obtainedAt) ?? never) > endedAt) return stated;
	// What a caller states of before is worth no more than what has been given since.
	return best ? weaken(stated, best) : { ...stated, withdrawnAt: formatInstant(endedAt) };
}

function findOptIn(category: string, { lifted }: Standing): Given[] {
	if (category !== "marketing" || !lifted) return [];
	const { _id, ended } = lifted;
	return [{ _id, type: "express", purposes: [category], source: ended.source, at: ended.at }];
}

function weaken(stated: Consent, { type }: Given): Consent {
	const isStronger = consentTypes.indexOf(stated.type ?? "none") > consentTypes.indexOf(type);
	return isStronger ? { ...stated, type } : stated;
}

function toConsent(record: Given, withdrawnAt?: number): Consent {
	const { _id, type, purposes, source, ground, at } = record;
	return {
		type,
		obtainedAt: formatInstant(at),
		purposes,
		// The record says where the proof is, and more.
		evidence: _id,
		...(source === undefined ? {} : { source: setApart(source) }),
		...(ground === undefined ? {} : { ground: setApart(ground) }),
		...(withdrawnAt === undefined ? {} : { withdrawnAt: formatInstant(withdrawnAt) }),
	};
}

function byStrength(one: Given, other: Given): number {
	return consentTypes.indexOf(other.type) - consentTypes.indexOf(one.type) || byTime(one, other);
}

function byTime(one: Given, other: Given): number {
	return other.at - one.at || (one._id < other._id ? -1 : 1);
}
