// What a try to sign in leaves behind: nothing, where there is no place for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSignIn, type SignInDeps } from "../../../api/people/signIn.ts";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";

test("a try that has no place at the hashing is refused before anything is kept of it", {
	timeout: 20_000,
}, async () => {
	let counted = 0;
	const hashed = Promise.withResolvers<never[]>();
	const signIn = createSignIn({
		clock: Date.now,
		evidence: { append: async () => undefined },
		personMacs: { one: async (kind: string, of: string) => `${kind} ${of}`, all: async () => [], salt: async () => "" },
		sessions: {
			isKnown: async () => false,
			tryOnce: async () => {
				counted++;
				return 0;
			},
		},
		store: { people: { find: async () => undefined, findByLogin: async () => [] } },
		passwords: { match: () => hashed.promise },
	} as Partial<Record<keyof SignInDeps, unknown>> as SignInDeps);
	const guess = (index: number) =>
		signIn({ login: `x${index}@example.com`, password: "a", code: "1" }, `2001:db8:${index}::1`).catch(
			({ code }) => code as string,
		);
	const placesMax = limits.passwordHashesMax + limits.passwordHashesWaitingMax;
	const underWay = Array.from({ length: placesMax }, (_, index) => guess(index));
	await until(() => counted === placesMax);
	assert.equal(await guess(placesMax), "rate_limited");
	assert.equal(counted, placesMax);
	hashed.resolve([]);
	assert.deepEqual(new Set(await Promise.all(underWay)), new Set(["sign_in_failed"]));
	assert.equal(await guess(0), "sign_in_failed", "and there are places again");
});
