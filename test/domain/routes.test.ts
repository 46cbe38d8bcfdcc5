// Routing: no message ever takes a queue that may not have it, whatever else is cheaper or healthier.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { categories } from "../../domain/message.ts";
import { type Preferences, type Route, type Routed, routeFacts, routes } from "../../domain/routes.ts";

const country = fc.constantFrom("US", "DE", "FR");
const region = fc.constantFrom("eu", "us");
const optional = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
const queues: fc.Arbitrary<Route[]> = fc
	.array(
		fc
			.record({
				carrier: fc.constant("simulator"),
				sender: fc.constantFrom("Lethe", "Other"),
				countries: optional(fc.subarray(["US", "DE", "FR"])),
				categories: optional(fc.subarray([...categories])),
				region: optional(region),
				baaRef: optional(fc.constant("baa-1")),
				prices: optional(fc.dictionary(fc.constantFrom("US", "DE", "*"), fc.nat(9))),
				paused: fc.boolean(),
				draining: fc.boolean(),
			})
			.map((queue) => queue as Omit<Route, "_id">),
		{ maxLength: 8 },
	)
	.map((made) => made.map((queue, index) => ({ ...queue, _id: `q${index}` })));
const messages: fc.Arbitrary<Routed> = fc.record({
	country,
	category: fc.constantFrom(...categories),
	dataClasses: fc.subarray(["contact", "phi"]),
	sender: optional(fc.constantFrom("Lethe", "Other")),
	regions: optional(fc.subarray(["eu", "us"])),
});
const preferences: fc.Arbitrary<Preferences> = fc.record({
	ill: optional(fc.subarray(["q0", "q1", "q2", "q3"]).map((ids) => new Set(ids))),
	known: optional(fc.constantFrom("Lethe", "Other")),
}) as fc.Arbitrary<Preferences>;
const check = (holds: (found: Route[], all: Route[], message: Routed) => void) =>
	fc.assert(fc.property(queues, messages, (all, message) => holds(routes(all, message), all, message)));

describe("routing", () => {
	it("gives no message to a queue that drains, lies elsewhere, or does not take its country, category or sender", () =>
		check((found, _all, message) => {
			for (const queue of found) {
				assert.ok(!queue.draining);
				assert.ok(queue.countries?.includes(message.country) ?? true);
				assert.ok(queue.categories?.includes(message.category) ?? true);
				assert.equal(queue.sender, message.sender ?? queue.sender);
				if (message.regions) assert.ok(queue.region !== undefined && message.regions.includes(queue.region));
			}
		}));

	it("gives health information to nobody without an agreement", () =>
		check((found, _all, { dataClasses }) => {
			if (dataClasses.includes("phi")) assert.ok(found.every(({ baaRef }) => baaRef !== undefined));
		}));

	it("leaves out no queue that nothing speaks against", () =>
		check((found, all, { country: to }) => {
			const open = all.filter(
				({ draining, countries, categories: some }) => !draining && !countries && !some && to !== undefined,
			);
			const unpinned = open.filter(({ region: at, baaRef }) => at !== undefined && baaRef !== undefined);
			for (const queue of unpinned) {
				const plain = routes([queue], { country: to, category: "otp", dataClasses: ["phi"] });
				assert.deepEqual(plain, [queue]);
			}
			assert.ok(found.every((queue) => all.includes(queue)));
		}));

	it("puts those that send first, then those that are well, then the sender that is known, then the cheaper; equals stay", () =>
		fc.assert(
			fc.property(queues, messages, preferences, (all, message, preferred) => {
				const found = routes(all, message, preferred);
				assert.deepEqual(new Set(found), new Set(routes(all, message)), "a preference lets none in and keeps none out");
				const ranks = (queue: Route) => [
					Number(queue.paused),
					Number(preferred.ill?.has(queue._id) ?? false),
					Number(preferred.known !== undefined && queue.sender !== preferred.known),
					queue.prices?.[message.country] ?? queue.prices?.["*"] ?? Number.POSITIVE_INFINITY,
					all.indexOf(queue),
				];
				for (const [index, queue] of found.entries()) {
					const next = found[index + 1];
					if (!next) break;
					const [one, other] = [ranks(queue), ranks(next)];
					const at = one.findIndex((rank, place) => rank !== other[place]);
					assert.ok((one[at] ?? 0) < (other[at] ?? 0), `${one} before ${other}`);
				}
			}),
		));

	it("tells the policies what is set of a route, whether the sender is registered there, and India's ledger there alone", () =>
		fc.assert(
			fc.property(queues, country, (all, to) => {
				for (const queue of all) {
					const { route, senderId, dlt } = routeFacts(queue, to);
					assert.deepEqual([route.provider, route.baaRef, dlt], [queue.carrier, queue.baaRef, undefined]);
					assert.deepEqual(senderId, to === "US" ? undefined : { type: "alphanumeric", registered: false });
					const listed = routeFacts({ ...queue, registrations: { DE: "r" } }, to).senderId;
					assert.deepEqual(listed, { type: "alphanumeric", registered: to === "DE" });
				}
				const ledgerOf = (IN: string) => routeFacts({ ...all[0], registrations: { IN } } as Route, "IN").dlt;
				assert.deepEqual(ledgerOf("E:H:T"), { entityId: "E", headerId: "H", templateId: "T" });
				assert.deepEqual([ledgerOf("E::T"), ledgerOf("")], [{ entityId: "E", templateId: "T" }, {}]);
				const typeOf = (sender: string) =>
					routeFacts({ _id: "q", carrier: "c", sender, paused: false, registrations: {} }, to).senderId?.type;
				assert.deepEqual(["12345", "+12025550142", "Lethe"].map(typeOf), ["short_code", "numeric", "alphanumeric"]);
			}),
		));
});
