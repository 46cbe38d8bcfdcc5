// Which of its send queues a message may take, and which of those it does.

import type { Category } from "./message.ts";

/** A send queue, as far as routing asks. What is absent restricts nothing, unless it says otherwise. */
export type Route = {
	_id: string;
	sender: string;
	/** Countries that it reaches, ISO 3166-1. */
	countries?: string[];
	categories?: Category[];
	/** Region where its carrier processes; absent means that nobody vouches for one. */
	region?: string;
	/** Reference of the business associate agreement with its carrier; without one it takes no health information. */
	baaRef?: string;
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

/**
 * The queues that a message may take, the best first: those that send before those that are paused, then the cheaper,
 * then as the tenant lists them. The same message finds the same order, so a recipient keeps its sender while the queues
 * stay as they are. Pure.
 */
export function routes<Queue extends Route>(queues: readonly Queue[], message: Routed): Queue[] {
	const price = (queue: Route) => priceOf(queue, message.country) ?? Number.POSITIVE_INFINITY;
	const compare = (one: number, other: number) => (one === other ? 0 : one < other ? -1 : 1);
	return queues
		.filter((queue) => mayTake(queue, message))
		.toSorted((a, b) => compare(Number(a.paused), Number(b.paused)) || compare(price(a), price(b)));
}

/** Of a segment to a country; undefined where none is set. */
export function priceOf({ prices }: Pick<Route, "prices">, country: string): number | undefined {
	return prices?.[country] ?? prices?.["*"];
}

function mayTake(queue: Route, { country, category, dataClasses, sender, regions }: Routed): boolean {
	if (queue.draining) return false;
	if (sender !== undefined && queue.sender !== sender) return false;
	if (queue.countries && !queue.countries.includes(country)) return false;
	if (queue.categories && !queue.categories.includes(category)) return false;
	if (regions && (queue.region === undefined || !regions.includes(queue.region))) return false;
	return !dataClasses.includes("phi") || queue.baaRef !== undefined;
}
