// Routing: no message ever takes a queue that may not have it, whatever else is cheaper or healthier.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { categories } from "../../domain/message.ts";
import { type Route, type Routed, routes } from "../../domain/routes.ts";

const country = fc.constantFrom("US", "DE", "FR");
const region = fc.constantFrom("eu", "us");
const optional = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
const queues: fc.Arbitrary<Route[]> = fc
	.array(
		fc
			.record({
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

	it("puts those that send before those that are paused, then the cheaper; equals stay as the tenant lists them", () =>
		check((found, all, { country: to }) => {
			const price = ({ prices }: Route) => prices?.[to] ?? prices?.["*"] ?? Number.POSITIVE_INFINITY;
			for (const [index, queue] of found.entries()) {
				const next = found[index + 1];
				if (!next) break;
				assert.ok(Number(queue.paused) <= Number(next.paused));
				if (queue.paused !== next.paused) continue;
				assert.ok(price(queue) <= price(next));
				if (price(queue) === price(next)) assert.ok(all.indexOf(queue) < all.indexOf(next));
			}
		}));
});
