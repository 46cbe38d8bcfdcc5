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
	const flaws = findFlaws(effect, consent, facts, now);
	if (flaws.length > 0) return { enough: false, codes: flaws };
	return { enough: true, codes: consent?.type === "soft_opt_in" ? ["SOFT_OPT_IN"] : ["CONSENT_SUFFICIENT"] };
}

/** All that is wrong with it, each once. */
function findFlaws(effect: ConsentEffect, consent: Consent | undefined, facts: Facts, now: number): ReasonCode[] {
	if (!consent || (consent.type ?? "none") === "none") return ["CONSENT_MISSING"];
	const withdrawnAt = instantMs(consent.withdrawnAt);
	const obtainedAt = instantMs(consent.obtainedAt);
	const flaws: ReasonCode[] = [];
	if (withdrawnAt !== undefined && withdrawnAt <= now) flaws.push("CONSENT_MISSING", "OPTED_OUT");
	if (obtainedAt !== undefined && obtainedAt > now) flaws.push("CONSENT_MISSING");
	// Consent that can't be shown, or that was given for something else, is none for this.
	const isShown = consent.evidence !== false && consent.evidence !== "";
	if (!isShown || (effect.purposeBound && !coversPurpose(consent, facts))) {
		flaws.push("CONSENT_INSUFFICIENT", "CONSENT_MISSING");
	}
	flaws.push(...findFlawsOfType(effect, consent, facts));
	if (hasExpired(effect, consent, obtainedAt, now)) flaws.push("CONSENT_EXPIRED");
	return [...new Set(flaws)];
}

function findFlawsOfType(effect: ConsentEffect, consent: Consent, facts: Facts): ReasonCode[] {
	const { type = "none" } = consent;
	if (type === "soft_opt_in" && effect.softOptIn) return meetsSoftOptIn(facts) ? [] : ["SOFT_OPT_IN_CONDITIONS_UNMET"];
	const isWeaker = consentTypes.indexOf(type) < consentTypes.indexOf(effect.minType);
	return isWeaker || (effect.minType === "express_written" && wasSpoken(consent)) ? ["CONSENT_INSUFFICIENT"] : [];
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
