// The keys that tenants sign texts by: made once, whoever asks first, and never an error that says nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSenderKeys } from "../../../adapters/vault/senderKeys.ts";

test("a key that is not to be seen yet by who made it is a key server that is away for the moment", async () => {
	// The list was read before the key was there, by another who shares the reading.
	const vault = { read: async () => undefined, write: async () => undefined };
	const keys = createSenderKeys({ vault, clock: () => 0 });
	await assert.rejects(keys.own("ten_a"), { code: "keys_unavailable" });
});
