// What is recorded of a recipient beside messages: consents, opt-outs, holds and keys, and what they add up to. Times are epoch milliseconds.

import type { Decision, Facts } from "./decision.ts";
import { limits } from "./limits.ts";
import { withoutUndefined } from "./withoutUndefined.ts";

/** What an opt-out blocks, the stricter last. */
export const optOutScopes = ["none", "marketing", "all"] as const;
export type OptOutScope = (typeof optOutScopes)[number];

/** How an opt-out came: the recipient's own message, a caller, a list that a caller took over. */
export const optOutSources = ["keyword", "api", "import"] as const;

export const consentTypes = ["implied", "soft_opt_in", "express", "express_written"] as const;

export const holdScopes = ["message", "subject", "period", "tenant"] as const;

/** Where a recipient is by the number: ISO 3166-1 and 3166-2. */
export type Whereabouts = { country: string; region?: string | undefined };

/** Written once; what is added, `ended` once and `repeatedAt`, takes nothing of the history away. */
type Recorded = {
	_id: string;
	tenantId: string;
	/**
	 * The recipient's pseudonyms, one under every key version that was live when this was written. Of a live hold on a
	 * period or tenant: the tenant's id, so that it is found in the same read.
	 */
	subjects: string[];
	/** When it happened. */
	at: number;
	recordedAt: number;
	/** The principal that recorded it, or `engine`. */
	recordedBy: string;
	/** A consent's withdrawal, an opt-out's lifting by fresh opt-in, a hold's release, a key's end. */
	ended?: Ending;
	/** When this record must be gone, holds permitting; absent where no law ends it. */
	eraseBy?: number;
	/** When the sweep must look at this record again. */
	nextCheckAt?: number;
};

/** `replaced`: a key, by a newer one; `erasure`: by the subject's request; `rejected`: a hold, by who is named as its approver. */
export const endingSources = ["keyword", "api", "replaced", "erasure", "rejected"] as const;

export type Ending = {
	at: number;
	recordedAt: number;
	recordedBy: string;
	source: (typeof endingSources)[number];
	/** Opaque reference to where the proof is kept. */
	evidence?: string;
};

export type ConsentRecord = Recorded & {
	kind: "consent";
	type: (typeof consentTypes)[number];
	purposes: string[];
	/** Reference and version of the wording that was agreed to; never the text. */
	wording: string;
	evidence: string;
	/** By which packs say how long it is kept; not known of those recorded before this was. */
	recipient?: Whereabouts;
	source?: string;
	ground?: string;
	/** How long its evidence must live on after its end, ISO 8601. */
	keptAfterEnd: string;
};

export type OptOutRecord = Recorded & {
	kind: "opt_out";
	scope: Exclude<OptOutScope, "none">;
	source: (typeof optOutSources)[number];
	/** As of a consent. */
	recipient?: Whereabouts;
	/** When the recipient last said it again. */
	repeatedAt?: number;
	/** What the policies said of the message that it came in; neither holds number or text. */
	facts?: Facts;
	decision?: Decision;
};

export type HoldRecord = Recorded & {
	kind: "hold";
	/** `message` and `subject` keep from erasure and from use; `period` and `tenant` from erasure only. */
	scope: (typeof holdScopes)[number];
	messageId?: string;
	/** Of a period: messages accepted from `from` to `to`, both included; without `to` those to come as well. */
	from?: number;
	to?: number;
	/** Why, in a word. */
	ground: string;
	/** Opaque reference to the matter that it serves. */
	reason?: string;
	/** Who is named as having approved it, another than who placed it; and when they said so themselves. */
	approvedBy?: string;
	approvedAt?: number;
	/** The tenant's id while they have said neither yes nor no, and it is not released: so what waits for somebody is found. */
	awaits?: string;
	reviewAt?: number;
	/** Of a period or tenant: how often its messages have been gone through as it is now, newest first, and how far this time. */
	passes?: number;
	place?: { acceptedAt: number; id: string };
	/** Of a period or tenant: from then on every message that it covers bears it; nothing of them is purged before. */
	appliedAt?: number;
};

/** What texts are encrypted to; there once whoever registered it has shown that the private half is theirs. */
export type RecipientKeyRecord = Recorded & {
	kind: "recipient_key";
	/** The 32 bytes of an X25519 key in base64url, RFC 8037. */
	x: string;
	/** Of the texts that are encrypted to it. */
	version: TextVersion;
};

/** Versions of end-to-end encrypted texts: without, and with, a sender that the recipient can tell. */
export const textVersions = ["lethe1", "lethe2"] as const;
export type TextVersion = (typeof textVersions)[number];

export type SubjectRecord = ConsentRecord | OptOutRecord | HoldRecord | RecipientKeyRecord;
export const recordKinds = ["consent", "opt_out", "hold", "recipient_key"] as const satisfies SubjectRecord["kind"][];

/** That a record is being erased, until its certificate is stored: no pseudonym, nothing of what it said. */
export type ErasedRecord = {
	_id: string;
	kind: "erased";
	/** Its id and kind. */
	record: string;
	was: SubjectRecord["kind"];
	tenantId: string;
	erasedAt: number;
	nextCheckAt: number;
};

/** What holds of a recipient now. */
export type Standing = {
	/** The strictest opt-out that nothing has lifted. */
	optOut?: OptOutRecord;
	/** The latest opt-in that has lifted one. */
	lifted?: OptOutRecord & { ended: Ending };
	/** When the recipient last opted out of anything, lifted or not. */
	optedOutAt?: number;
	consents: ConsentRecord[];
	/** Ids of the holds on the recipient. */
	holds: string[];
	/** The newest first. */
	keys: RecipientKeyRecord[];
	/** Holds on a period or on all of the tenant, where they were asked for. */
	keeps: HoldRecord[];
};

/** Adds up what is recorded of one recipient of a tenant; in whatever order, the answer is the same. */
export function standingOf(records: readonly SubjectRecord[], tenantId: string): Standing {
	const standing: Standing = { consents: [], holds: [], keys: [], keeps: [] };
	for (const record of records) {
		if (record.tenantId !== tenantId) continue;
		if (record.kind === "consent") standing.consents.push(record);
		else if (record.kind === "recipient_key") standing.keys.push(record);
		else if (record.kind === "hold") {
			if (record.ended) continue;
			if (record.scope === "subject") standing.holds.push(record._id);
			else if (isWide(record)) standing.keeps.push(record);
		} else addOptOut(standing, record);
	}
	standing.keys.sort((one, other) => (isLater(one, one.at, other, other.at) ? -1 : 1));
	return standing;
}

function addOptOut(standing: Standing, record: OptOutRecord): void {
	standing.optedOutAt = Math.max(lastSaidAt(record), standing.optedOutAt ?? Number.NEGATIVE_INFINITY);
	if (!record.ended) {
		if (!standing.optOut || isStricter(record, standing.optOut)) standing.optOut = record;
	} else if (!standing.lifted || isLater(record, record.ended.at, standing.lifted, standing.lifted.ended.at)) {
		standing.lifted = record as OptOutRecord & { ended: Ending };
	}
}

/** The same, but for what speaks against writing to the recipient: opt-outs, holds on them, consents that ended. */
export function withoutRefusals({ consents, keys, keeps }: Standing): Standing {
	return { consents: consents.map(({ ended: _, ...consent }) => consent), holds: [], keys, keeps };
}

/** What the recipient is blocked from. */
export function blockOf({ optOut }: Pick<Standing, "optOut">): OptOutScope {
	return optOut?.scope ?? "none";
}

/** The key that texts are encrypted to now: the newest, or none where that has ended, for no older one comes back by it. */
export function keyInForce({ keys }: Pick<Standing, "keys">): RecipientKeyRecord | undefined {
	const [newest] = keys;
	return newest?.ended ? undefined : newest;
}

/** Whether a text that is encrypted to it may still go out: one that was replaced is the recipient's all the same. */
export function isRevoked({ keys }: Pick<Standing, "keys">, id: string): boolean {
	const key = keys.find(({ _id }) => _id === id);
	return key === undefined || (key.ended !== undefined && key.ended.source !== "replaced");
}

/** Whether a hold is on a period or on all of a tenant: it keeps, and permits use. */
export function isWide({ scope }: Pick<HoldRecord, "scope">): boolean {
	return scope === "period" || scope === "tenant";
}

/**
 * What the end of a record sets beside its ending: when the sweep sees to what a hold kept, and until when the record stays.
 * Of one on a period or tenant nothing that is accepted from then on bears it any more.
 */
export function setByEnding(
	record: SubjectRecord | undefined,
	{ nextCheckAt, eraseBy }: { nextCheckAt: number; eraseBy: number | undefined },
): Partial<Pick<SubjectRecord, "nextCheckAt" | "eraseBy" | "subjects">> {
	const subjects = record?.kind === "hold" && isWide(record) ? [] : undefined;
	return withoutUndefined({ nextCheckAt, eraseBy, subjects });
}

/** Ids of the live holds on a period or tenant that keep a message accepted then. */
export function keepsOf(standing: { keeps: readonly HoldRecord[] } | undefined, acceptedAt: number): string[] {
	return (standing?.keeps ?? [])
		.filter(
			({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }) => from <= acceptedAt && acceptedAt <= to,
		)
		.map(({ _id }) => _id);
}

/** Whether a hold on the recipient, or on all of the tenant, keeps what is on record of them. */
export function isRecordHeld(records: readonly SubjectRecord[], tenantId: string): boolean {
	const { holds, keeps } = standingOf(records, tenantId);
	return holds.length > 0 || keeps.some(({ scope }) => scope === "tenant");
}

/** When all is in the store that was judged as if a hold were not there yet, or had not ended; epoch milliseconds. */
export function settlesAt({ recordedAt, ended }: Pick<HoldRecord, "recordedAt" | "ended">): number {
	return (ended?.recordedAt ?? recordedAt) + limits.holdSettleMs;
}

/**
 * Passes over all that a hold on a period or tenant covers. A live one has a second for what was stored during the first.
 * The last, of a release too, is for what comes late into the store, and for whoever was at work on the hold as it was.
 */
export function holdPassesOf({ ended }: Pick<HoldRecord, "ended">): number {
	return ended ? 2 : 3;
}

/** When its next page may be gone through: the last pass begins once the hold has settled. Epoch milliseconds, or 0 for now. */
export function nextPassAt(record: HoldRecord): number {
	const { passes = 0, place } = record;
	const beginsLast = passes + 1 >= holdPassesOf(record) && place === undefined;
	return beginsLast ? settlesAt(record) : 0;
}

/** Whether a hold on a period or tenant is still being placed: until it is, nothing that it may cover is erased. */
export function isBeingPlaced(records: readonly SubjectRecord[], tenantId: string): boolean {
	return standingOf(records, tenantId).keeps.some(({ appliedAt }) => appliedAt === undefined);
}

/** Whether an opt-out of `scope` blocks all that one of `wanted` would. */
export function covers(scope: OptOutScope, wanted: OptOutScope): boolean {
	return optOutScopes.indexOf(scope) >= optOutScopes.indexOf(wanted);
}

/**
 * Whether an opt-out that blocks all that one of `wanted` would was lifted since then, so that one of before would be, too.
 * A consent lifts none, whenever it was given.
 */
export function isLiftedSince(
	records: readonly SubjectRecord[],
	tenantId: string,
	wanted: OptOutScope,
	since: number,
): boolean {
	return records.some(
		(record) =>
			record.kind === "opt_out" &&
			record.tenantId === tenantId &&
			covers(record.scope, wanted) &&
			(record.ended?.at ?? Number.NEGATIVE_INFINITY) > since,
	);
}

/** When the recipient last opted out: an opt-in of before that lifts nothing. */
export function lastSaidAt({ at, repeatedAt = at }: OptOutRecord): number {
	return Math.max(at, repeatedAt);
}

// Of two with the same scope the later counts: a law may reach only those made after its date.
function isStricter(one: OptOutRecord, other: OptOutRecord): boolean {
	if (one.scope !== other.scope) return covers(one.scope, other.scope);
	return isLater(one, one.at, other, other.at);
}

function isLater(one: Recorded, at: number, other: Recorded, otherAt: number): boolean {
	return at > otherAt || (at === otherAt && one._id > other._id);
}
