// Whether a secure link still opens, what may be its PIN, and every change of it as data.

import { healthClasses } from "./healthClasses.ts";
import { limits } from "./limits.ts";
import type { LinkRecord } from "./linkRecord.ts";
import { type Category, isRestricted, type Message, wasHandedOver } from "./message.ts";
import type { Transition } from "./transition.ts";

/** Why a link opens, or does not. `erased`: by retention; `withheld`: a hold keeps it from use. */
export type LinkStanding = (typeof linkStandings)[number];
export const linkStandings = ["open", "claimed", "read", "closed", "expired", "erased", "withheld"] as const;

const healthReasons = ["PHI_SECURE_LINK", "SPECIAL_CATEGORY_SECURE_LINK"];

/**
 * Whether a link needs a PIN from another channel: whoever reads the SMS has the whole link, so without one it protects
 * health information from nobody who does.
 */
export function needsPin(category: Category, dataClasses: readonly string[], reasons: readonly string[]): boolean {
	const isHealth = category === "health" || dataClasses.some((name) => healthClasses.includes(name));
	return isHealth || reasons.some((reason) => healthReasons.includes(reason));
}

/** Whether a PIN is one that others would try first: a birth date, one character repeated, a run of digits. */
export function isGuessable(given: string): boolean {
	// As it is stretched: digits of full width are the same ones.
	const pin = given.normalize("NFKC");
	if (/^\d{1,2}([\s./-])\d{1,2}\1(?:\d{2}|\d{4})$/.test(pin)) return true;
	const digits = pin.replace(/[\s./-]/g, "");
	if (/^(.)\1*$/u.test(pin) || "01234567890".includes(digits) || "09876543210".includes(digits)) return true;
	return (
		/^\d{8}$/.test(digits) &&
		[/^(\d\d)(\d\d)(?:19|20)\d\d$/, /^(?:19|20)\d\d(\d\d)(\d\d)$/].some((form) => {
			const [, first = "", second = ""] = form.exec(digits) ?? [];
			const [low, high] = [Number(first), Number(second)].sort((a, b) => a - b) as [number, number];
			return low >= 1 && low <= 12 && high >= 1 && high <= 31;
		})
	);
}

/** How long the content of a link is needed: as long as it opens. ISO 8601, in whole hours. */
export function linkNeed(acceptedAt: number, expiresAt: number): string {
	return `PT${Math.ceil((expiresAt - acceptedAt) / 3600_000)}H`;
}

/** Undefined while nobody can have the link: it was never handed over. */
export function standingOfLink(message: Message, now: number): LinkStanding | undefined {
	const { link } = message;
	if (!link || !wasHandedOver(message.attempts)) return undefined;
	if (!message.content) return "erased";
	if (link.state === "closed" || link.state === "read") return link.state;
	if (now >= Math.min(link.expiresAt, message.retention.content?.eraseBy ?? 0)) return "expired";
	if (isRestricted(message)) return "withheld";
	return link.claimedAt !== undefined && now >= link.claimedAt + limits.linkSessionMsMax ? "read" : link.state;
}

/** How many wrong PINs are left before it closes. */
export function pinsLeft({ wrongPins }: LinkRecord): number {
	return Math.max(0, limits.linkWrongPinsMax - wrongPins);
}

/** One more wrong PIN; the last one closes the link. The message stays. */
export function refusePin(message: Message, link: LinkRecord, now: number): Transition {
	const wrongPins = link.wrongPins + 1;
	const closes = wrongPins >= limits.linkWrongPinsMax;
	return {
		...asKnown(message, link),
		set: { "link.wrongPins": wrongPins, ...(closes ? { "link.state": "closed", "link.closedAt": now } : {}) },
		evidence: [
			{ at: now, type: "link_refused", by: "recipient" },
			...(closes ? [{ at: now, type: "link_closed" as const }] : []),
		],
	};
}

/** open → claimed by one page; or once more to the page that holds it. */
export function claimLink(message: Message, link: LinkRecord, session: string, now: number): Transition {
	const again = link.state === "claimed";
	const isFull = message.evidence.length >= limits.evidencePerMessageMax;
	const claimed = { "link.state": "claimed", "link.session": session, "link.claimedAt": now };
	return {
		...asKnown(message, link),
		set: again ? {} : claimed,
		evidence:
			again && isFull ? [] : [{ at: now, type: "link_opened", by: "recipient", ...(again && { code: "again" }) }],
	};
}

/** claimed → read: the page that holds it has shown it, and lets go of it. */
export function confirmLink(message: Message, link: LinkRecord, now: number): Transition {
	return {
		...asKnown(message, link),
		set: { "link.state": "read", "link.readAt": now },
		unset: ["link.session"],
		evidence: [{ at: now, type: "link_read", by: "recipient" }],
	};
}

/** open | claimed → closed, after a restore: whether it was read since the copy was made, nobody here knows. */
export function closeLink(message: Message, link: LinkRecord, now: number): Transition {
	return {
		...asKnown(message, link),
		set: { "link.state": "closed", "link.closedAt": now },
		unset: ["link.session"],
		evidence: [{ at: now, type: "link_closed", code: "restored" }],
	};
}

// Whoever changed the link meanwhile goes first: then it is looked at once more.
function asKnown(message: Message, link: LinkRecord) {
	const { state, wrongPins, session } = link;
	const held = session === undefined ? {} : { "link.session": session };
	return {
		id: message._id,
		from: [message.state],
		where: { "link.state": state, "link.wrongPins": wrongPins, ...held, "content.cohortId": message.content?.cohortId },
	};
}
