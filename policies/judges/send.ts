// Whether a message may go out, when, and by which way.

import { deliveryModes } from "../../domain/message.ts";
import { boundContent, boundRecord } from "../bounds.ts";
import { judgeConsent } from "../consent.ts";
import { type Draft, finding } from "../draft.ts";
import { judgeRelease } from "../release.ts";
import { bindingTerms } from "../retention.ts";
import { frequencyFacts } from "../schema.ts";
import { toWord } from "../words.ts";

const atTheDoor = ["accept", "acceptance", "accepting", "submit", "submission", "request"];

/** A send, at the door or later. What nothing refuses may still have to wait. */
export function send(draft: Draft): void {
	const { facts, packs, denials } = draft;
	// Without a pack for the destination nobody knows what else it would take.
	const isOpen = packs.some(({ destinations }) => destinations.has(facts.recipientCountry ?? ""));
	if (isOpen) judgeConsents(draft);
	else denials.unshift({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
	if (denials.length === 0) judgeRelease(draft);
	if (denials.length === 0) chooseDelivery(draft);
	const { content, decision_record } = bindingTerms(packs, facts, draft.now);
	boundContent(draft, content, denials.length === 0 || isStored(draft));
	boundRecord(draft, decision_record);
}

function judgeConsents({ facts, now, packs, denials, grants, context }: Draft): void {
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
			else if (context.sendsUncounted === true) denials.push(finding(rule, "FREQUENCY_UNCOUNTED"));
			else grants.push(finding(rule));
		}
	}
}

function chooseDelivery(draft: Draft): void {
	const { facts, now, packs, bounds } = draft;
	const asking = packs.flatMap(({ delivery }) => delivery.filter((rule) => rule.when(facts, now)));
	const rankOf = (mode: unknown) => deliveryModes.indexOf(mode as (typeof deliveryModes)[number]);
	const least = Math.max(0, ...asking.map(({ effect }) => rankOf(effect.mode)));
	const wanted = rankOf(draft.context.deliver);
	const decisive = asking.filter(({ effect }) => rankOf(effect.mode) === least);
	// `auto` leaves it to the rules; who names a mode gets that one, or none.
	if (wanted >= 0 && wanted < least) {
		for (const rule of decisive) draft.denials.push(finding(rule, "DELIVERY_MODE_TOO_WEAK", rule.effect.reason));
		// What is refused waits for nothing.
		delete bounds.deferUntilUtc;
		delete bounds.deferUntilLocal;
		return;
	}
	if (wanted > least) draft.grants.push({ codes: ["DELIVERY_MODE_ASKED"], citations: [] });
	else for (const rule of decisive) draft.grants.push(finding(rule, rule.effect.reason));
	bounds.deliveryMode = deliveryModes[Math.max(wanted, least)] ?? "e2ee";
}

// A message that is judged again has been stored since it was accepted.
function isStored({ context }: Draft): boolean {
	return typeof context.phase === "string" && !atTheDoor.includes(toWord(context.phase));
}
