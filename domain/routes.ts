// Which of its send queues a message may take, in which order, and what the policies are told of each.

import type { Category, RouteFacts } from "./message.ts";
import { withoutUndefined } from "./withoutUndefined.ts";

/** A send queue, as far as routing asks. What is absent restricts nothing, unless it says otherwise. */
export type Route = {
	_id: string;
	carrier: string;
	sender: string;
	/** Countries that it reaches, ISO 3166-1. */
	countries?: string[];
	categories?: Category[];
	/** Region where its carrier processes; absent means that nobody vouches for one. */
	region?: string;
	/** Reference of the business associate agreement with its carrier; without one it takes no health information. */
	baaRef?: string;
	/** Whether its carrier is a sub-processor that was approved; absent where nobody has judged it. */
	approvedSubprocessor?: boolean;
	/** Country where its carrier processes, ISO 3166-1, and what makes the transfer there lawful. */
	processingCountry?: string;
	transferMechanism?: string;
	/** Country → reference of the sender in that country's registry; India's names `entity:header:template`. */
	registrations?: Record<string, string>;
	/** Of a segment, in any one currency; `*` where a country has no price of its own. Without one it comes last. */
	prices?: Record<string, number>;
	paused: boolean;
	/** Sends what it has; nothing new is routed to it. */
	draining?: boolean;
};

export type Routed = {
	country: string;
	category: Category;
	dataClasses: readonly string[];
	/** The sender that was asked for. */
	sender?: string | undefined;
	/** Regions that the tenant's messages may be processed in; absent means any. */
	regions?: readonly string[] | undefined;
};

/** What speaks for one queue rather than another, of those that may have a message. */
export type Preferences = {
	/** Queues whose carrier fails at present. */
	ill?: ReadonlySet<string>;
	/** The sender that the recipient knows. */
	known?: string | undefined;
};

/**
 * The queues that a message may take, the best first: those that send before those that are paused, those whose carrier
 * is well, those with the sender that the recipient knows, then the cheaper, then as the tenant lists them. Pure.
 */
export function routes<Queue extends Route>(
	queues: readonly Queue[],
	message: Routed,
	{ ill, known }: Preferences = {},
): Queue[] {
	const ranks = (queue: Queue): number[] => [
		Number(queue.paused),
		Number(ill?.has(queue._id) ?? false),
		Number(known !== undefined && queue.sender !== known),
		priceOf(queue, message.country) ?? Number.POSITIVE_INFINITY,
	];
	return queues.filter((queue) => mayTake(queue, message)).toSorted((a, b) => compare(ranks(a), ranks(b)));
}

/** Of a segment to a country; undefined where none is set. */
export function priceOf({ prices }: Pick<Route, "prices">, country: string): number | undefined {
	return prices?.[country] ?? prices?.["*"];
}

// Carriers keep that registry themselves, and refuse: a queue that names registrations has the policies see to it there, too.
const carriersRegister: readonly string[] = ["US"];

/** What the policies are told of a queue. A registration that it does not name it has not: they know who keeps a registry. */
export function routeFacts(queue: Route, country: string): RouteFacts {
	const { carrier: provider, baaRef, approvedSubprocessor, processingCountry, transferMechanism } = queue;
	const route = { provider, baaRef, approvedSubprocessor, processingCountry, transferMechanism };
	const reference = queue.registrations?.[country];
	const isTold = queue.registrations !== undefined || !carriersRegister.includes(country);
	const senderId = { type: senderTypeOf(queue.sender), registered: reference !== undefined };
	return {
		route: withoutUndefined<RouteFacts["route"]>(route),
		...(isTold ? { senderId } : {}),
		...(country === "IN" ? { dlt: readLedger(reference) } : {}),
	};
}

// TRAI TCCCPR 2018: all three are registered. What the reference lacks is not there, and the policies refuse it.
function readLedger(reference = ""): NonNullable<RouteFacts["dlt"]> {
	const [entityId, headerId, templateId] = reference.split(":").map((id) => id || undefined);
	return withoutUndefined({ entityId, headerId, templateId });
}

/** What recipients see a message from: a name, a short code, or a number. */
export function senderTypeOf(sender: string): "alphanumeric" | "short_code" | "numeric" {
	if (!/^\+?\d+$/.test(sender)) return "alphanumeric";
	return sender.length <= 8 && !sender.startsWith("+") ? "short_code" : "numeric";
}

function compare(one: number[], other: number[]): number {
	const at = one.findIndex((rank, index) => rank !== other[index]);
	return at < 0 ? 0 : (one[at] as number) < (other[at] as number) ? -1 : 1;
}

function mayTake(queue: Route, { country, category, dataClasses, sender, regions }: Routed): boolean {
	if (queue.draining) return false;
	if (sender !== undefined && queue.sender !== sender) return false;
	if (queue.countries && !queue.countries.includes(country)) return false;
	if (queue.categories && !queue.categories.includes(category)) return false;
	if (regions && (queue.region === undefined || !regions.includes(queue.region))) return false;
	return !dataClasses.includes("phi") || queue.baaRef !== undefined;
}
