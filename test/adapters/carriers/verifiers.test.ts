// Whatever arrives at any carrier's callback address: no verification throws, and none believes what was not signed.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";
import { callbackReasons } from "../../../adapters/carriers/reasons.ts";
import { carriers, verifierKeys, verifiers } from "../../../adapters/carriers/registry.ts";
import { callbackSecrets, headerName, headerValue, textBody } from "./anyCallback.ts";

// More than HTTP can bring: what is recorded in a file may hold anything.
const value = fc.oneof(headerValue, fc.string(), fc.array(fc.string()), fc.constant(undefined));
const requests = fc.oneof(
	fc.record({
		method: fc.constantFrom("GET", "POST", "PUT"),
		url: fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.string()),
		headers: fc.dictionary(headerName, value),
		body: textBody,
	}),
	fc.record({ method: fc.anything(), url: fc.anything(), headers: fc.anything(), body: fc.anything() }),
	fc.anything(),
);

for (const [name, factory] of Object.entries(verifiers)) {
	const verify = factory({ settings: {}, secrets: callbackSecrets(name) });

	test(`${name}: nothing of 10,000 random requests is believed or thrown at`, () => {
		fc.assert(
			fc.property(requests, fc.oneof(fc.constant(1893553445000), fc.double()), (request, now) => {
				const result = verify(request as CallbackRequest, now);
				assert.equal(result.valid, false);
				assert.ok("reason" in result && result.reason in callbackReasons);
				assert.deepEqual([result.events, result.messages], [[], []]);
			}),
			{ numRuns: 10_000 },
		);
	});

	test(`${name}: without a secret no callback is believed`, () => {
		const bare = factory({ settings: {}, secrets: {} });
		const result = bare({ method: "POST", url: "https://lethe.example", headers: {}, body: "" }, 0);
		assert.ok(!result.valid && result.reason === "not_configured");
	});
}

test("every carrier's callbacks can be checked by its name", () => {
	for (const name of Object.keys(carriers)) assert.ok(Object.hasOwn(verifiers, name), name);
	assert.deepEqual(Object.keys(verifierKeys).sort(), Object.keys(verifiers).sort(), "with what, is told of each");
});
