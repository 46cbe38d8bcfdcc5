// Whether the consent in the facts is what a rule asks for.

import type { Consent, Facts } from "../domain/decision.ts";
import { addDuration } from "./cohorts.ts";
import type { Rule } from "./compile.ts";
import { instantMs } from "./durations.ts";
import type { ReasonCode } from "./reasons.ts";
import { consentTypes, type RuleFile } from "./schema.ts";
import { mentions, spellings, toWord } from "./words.ts";

export type ConsentEffect = NonNullable<RuleFile["consent"]>;
export type ConsentVerdict = { enough: boolean; codes: ReasonCode[] };

const softOptInConditions = ["collectedInSale", "ownSimilarProducts", "optOutOfferedAtCollection", "optOutInMessage"];

// Whatever its type says, what was spoken is not in writing.
const spoken = ["oral", "orally", "verbal", "verbally", "spoken"];
// Where people speak, unless they also sign or type there.
const speaking = [
	...["phone", "telephone", "telephonic", "phonecall", "call", "calls", "called", "call_center", "call_centre"],
	...["callcenter", "callcentre", "hotline", "voice", "voicemail", "ivr", "in_person", "inperson", "face_to_face"],
];
const written = [
	...["written", "signed", "signature", "paper", "web", "website", "online", "app", "email", "e_mail", "sms", "text"],
	...["keypress"],
];

/** Judges the consent by one rule; every rule is judged by itself, so that the strongest demand wins. */
export function judgeConsent({ effect }: Rule<ConsentEffect>, facts: Facts, now: number): ConsentVerdict {
	const { consent } = facts;
	if (!consent && effect.absent === "satisfied") return { enough: true, codes: [] };
	const flaw = findFlaw(effect, consent, facts, now);
	if (flaw) return { enough: false, codes: flaw };
	return { enough: true, codes: consent?.type === "soft_opt_in" ? ["SOFT_OPT_IN"] : ["CONSENT_SUFFICIENT"] };
}

function findFlaw(
	effect: ConsentEffect,
	consent: Consent | undefined,
	facts: Facts,
	now: number,
): ReasonCode[] | undefined {
	const { type = "none" } = consent ?? {};
	if (!consent || type === "none") return ["CONSENT_MISSING"];
	const withdrawnAt = instantMs(consent.withdrawnAt);
	if (withdrawnAt !== undefined && withdrawnAt <= now) return ["CONSENT_MISSING", "OPTED_OUT"];
	const obtainedAt = instantMs(consent.obtainedAt);
	if (obtainedAt !== undefined && obtainedAt > now) return ["CONSENT_MISSING"];
	// Consent that can't be shown, or that was given for something else, is none for this.
	if (consent.evidence === false || consent.evidence === "") return ["CONSENT_INSUFFICIENT", "CONSENT_MISSING"];
	if (effect.purposeBound && !coversPurpose(consent, facts)) return ["CONSENT_INSUFFICIENT", "CONSENT_MISSING"];
	if (type === "soft_opt_in" && effect.softOptIn)
		return meetsSoftOptIn(facts) ? undefined : ["SOFT_OPT_IN_CONDITIONS_UNMET"];
	if (consentTypes.indexOf(type) < consentTypes.indexOf(effect.minType)) return ["CONSENT_INSUFFICIENT"];
	if (effect.minType === "express_written" && wasSpoken(consent)) return ["CONSENT_INSUFFICIENT"];
	return hasExpired(effect, consent, obtainedAt, now) ? ["CONSENT_EXPIRED"] : undefined;
}

function wasSpoken({ source = "" }: Consent): boolean {
	return mentions(source, spoken) || (mentions(source, speaking) && !mentions(source, written));
}

function coversPurpose({ purposes }: Consent, { category }: Facts): boolean {
	return purposes === undefined || (category !== undefined && purposes.map(toWord).includes(category));
}

function meetsSoftOptIn({ context }: Facts): boolean {
	const met = context?.softOptIn as Record<string, unknown> | undefined;
	return softOptInConditions.every((condition) => met?.[condition] === true);
}

// Consent that ends some time after it was given, and does not say when that was, counts as over. A source is where it was
// given and not why, so of one that states no ground only a source that is a ground, word for word, spares it.
function hasExpired(effect: ConsentEffect, consent: Consent, obtainedAt: number | undefined, now: number): boolean {
	const { ground, source = "" } = consent;
	const isOn = (words: string[]) => mentions(ground ?? "", words.map(toWord));
	const isSource = (words: string[]) => words.some((word) => spellings(source).includes(toWord(word)));
	const isSpared = (words: string[]) => isOn(words) || (!ground && isSource(words));
	return effect.expires
		.filter(({ type }) => type === consent.type)
		.filter((end) => end.ground === undefined || isOn(end.ground))
		.filter(({ notGround }) => notGround === undefined || !isSpared(notGround))
		.some(({ age }) => obtainedAt === undefined || addDuration(obtainedAt, age) <= now);
}
