// The magic numbers as data: what the last two digits of a recipient's number make the simulated carrier do.

import type { Signature } from "./callbacks.ts";

export type CarrierStatus = "accepted" | "sent" | "delivered" | "undelivered" | "expired";

/** How a request to send is answered; `silence` never is, `reset` ends the connection. */
export type Answer =
	| "accepted"
	| "throttled"
	| "unavailable"
	| "server_error"
	| "silence"
	| "reset"
	| "rejected"
	| "garbled";

/** One HTTP request to the callback URL. `replayed` repeats the first receipt byte for byte, headers too. */
export type Receipt = {
	status: CarrierStatus;
	code?: string;
	/** Receipts of one message that share a letter are one event. */
	event: "a" | "b";
	signature: Signature;
};

/** Receipts sent together, `wait` after the step before was answered: a few ms, or seconds. */
export type Step = { wait: "short" | "long"; receipts: Receipt[] };

export type MagicRow = {
	/** Last two digits; "" is every number that has no row of its own. */
	ending: string;
	name: string;
	does: string;
	/** How the first `tries` sends of one text to one number are answered; later ones are accepted. */
	trouble?: { answer: Answer; accepts: boolean; tries: number };
	/** Status that a look-up tells in the end; `sent` where the carrier never learns more. */
	settles: CarrierStatus;
	/** The first step is over before the send is answered. */
	receiptFirst?: true;
	steps: Step[];
};

const delivered: Receipt = { status: "delivered", event: "a", signature: "good" };
const sent: Receipt = { status: "sent", event: "b", signature: "good" };
const soon = (...receipts: Receipt[]): Step => ({ wait: "short", receipts });
const later = (...receipts: Receipt[]): Step => ({ wait: "long", receipts });
const normal = { settles: "delivered", steps: [soon(delivered)] } as const satisfies Partial<MagicRow>;
const always = Number.POSITIVE_INFINITY;

/** Every behaviour, the normal one first. Endings that have no row behave normally. */
export const magic: readonly MagicRow[] = [
	{ ...normal, ending: "", name: "delivered", does: "accepts; one receipt `delivered`" },
	{
		ending: "11",
		name: "undelivered",
		does: "accepts; one receipt `undelivered`, code 3002",
		settles: "undelivered",
		steps: [soon({ ...delivered, status: "undelivered", code: "3002" })],
	},
	{
		ending: "12",
		name: "expired",
		does: "accepts; one receipt `expired`, code 3003, at once",
		settles: "expired",
		steps: [soon({ ...delivered, status: "expired", code: "3003" })],
	},
	{
		ending: "13",
		name: "no_receipt",
		does: "accepts; never a receipt; look-up says `sent`",
		settles: "sent",
		steps: [],
	},
	{ ...normal, ending: "14", name: "late_receipt", does: "accepts; the receipt comes late", steps: [later(delivered)] },
	{
		...normal,
		ending: "15",
		name: "duplicate_receipt",
		does: "accepts; the same event arrives twice at once, each signed anew, and later a second event says the same",
		steps: [soon(delivered, delivered), soon({ ...delivered, event: "b" })],
	},
	{
		...normal,
		ending: "16",
		name: "out_of_order_receipts",
		does: "accepts; `delivered` arrives first, then `sent`",
		steps: [soon(delivered), soon(sent)],
	},
	{
		...normal,
		ending: "17",
		name: "receipt_before_answer",
		does: "accepts; the receipt `delivered` is answered before the send is",
		receiptFirst: true,
	},
	{
		...normal,
		ending: "18",
		name: "forged_receipt",
		does: "accepts; a receipt `undelivered` under a wrong key, later the real `delivered`",
		steps: [soon({ ...delivered, status: "undelivered", event: "b", signature: "forged" }), later(delivered)],
	},
	{
		...normal,
		ending: "19",
		name: "stale_receipt",
		does: "accepts; the only receipt `delivered` is rightly signed with a time one hour old; look-up says `delivered`",
		steps: [soon({ ...delivered, signature: "stale" })],
	},
	{
		...normal,
		ending: "20",
		name: "replayed_receipt",
		does: "accepts; `delivered`, and later the same request again, byte for byte",
		steps: [soon(delivered), later({ ...delivered, signature: "replayed" })],
	},
	{
		...normal,
		ending: "21",
		name: "throttled",
		does: "429 with Retry-After: 1 twice, then accepts",
		trouble: { answer: "throttled", accepts: false, tries: 2 },
	},
	{
		...normal,
		ending: "22",
		name: "unavailable",
		does: "503 twice (documented: not accepted), then accepts",
		trouble: { answer: "unavailable", accepts: false, tries: 2 },
	},
	{
		...normal,
		ending: "23",
		name: "error_before_accepting",
		does: "500 once, not accepted; then accepts",
		trouble: { answer: "server_error", accepts: false, tries: 1 },
	},
	{
		...normal,
		ending: "24",
		name: "error_after_accepting",
		does: "500 once, though accepted; the receipt follows",
		trouble: { answer: "server_error", accepts: true, tries: 1 },
	},
	{
		...normal,
		ending: "25",
		name: "timeout_after_accepting",
		does: "accepts and never answers, once; the receipt follows",
		trouble: { answer: "silence", accepts: true, tries: 1 },
	},
	{
		...normal,
		ending: "26",
		name: "timeout_before_accepting",
		does: "neither accepts nor answers, once; then accepts",
		trouble: { answer: "silence", accepts: false, tries: 1 },
	},
	{
		...normal,
		ending: "27",
		name: "reset_after_accepting",
		does: "accepts and resets the connection, once; the receipt follows",
		trouble: { answer: "reset", accepts: true, tries: 1 },
	},
	{
		...normal,
		ending: "28",
		name: "reset_before_accepting",
		does: "resets the connection once, not accepted; then accepts",
		trouble: { answer: "reset", accepts: false, tries: 1 },
	},
	{
		...normal,
		ending: "29",
		name: "garbled_answer",
		does: "accepts and answers 202 with half a JSON text, once; the receipt follows",
		trouble: { answer: "garbled", accepts: true, tries: 1 },
	},
	{
		ending: "30",
		name: "rejected_number",
		does: "422 with code 4101, always",
		trouble: { answer: "rejected", accepts: false, tries: always },
		settles: "undelivered",
		steps: [],
	},
	{
		ending: "31",
		name: "never_available",
		does: "503, always",
		trouble: { answer: "unavailable", accepts: false, tries: always },
		settles: "undelivered",
		steps: [],
	},
];

/**
 * Numbers up to their last two digits, in ranges that the national regulators keep free for fiction; every ending of
 * the table makes a valid number there.
 */
export const fictionalPrefixes = {
	us: "+120255501",
	usCalifornia: "+141555501",
	canada: "+161355501",
	britain: "+4420794600",
	germany: "+4917139200",
	france: "+331990012",
	sweden: "+467017406",
} as const;

const byEnding = new Map(magic.map((row) => [row.ending, row]));
const byName = new Map(magic.map((row) => [row.name, row]));
const normalRow = magic[0] as MagicRow;

/** What happens to messages for this number. */
export function magicOf(number: string): MagicRow {
	return byEnding.get(number.slice(-2)) ?? normalRow;
}

/** A number with the behaviour of that name. @throws RangeError when there is no such name */
export function magicNumber(name: string, country: keyof typeof fictionalPrefixes = "us"): string {
	const row = byName.get(name);
	if (!row) throw new RangeError(`no magic number is named ${name}`);
	return fictionalPrefixes[country] + (row.ending || "42");
}
