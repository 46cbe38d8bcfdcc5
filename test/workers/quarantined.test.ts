// In quarantine no step does anything, and each is free again once that is over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LetheError } from "../../domain/errors.ts";
import { quarantined } from "../../workers/quarantined.ts";

test("every step asks first, each time", async () => {
	const done: string[] = [];
	let old = true;
	const steps = quarantined(
		{
			send: async (id: string) => void done.push(`send ${id}`),
			sweep: async () => void done.push("sweep"),
		},
		() => {
			if (old) throw new LetheError("quarantined");
		},
	);
	await assert.rejects(steps.send("a"), { code: "quarantined" });
	await assert.rejects(steps.sweep(), { code: "quarantined" });
	assert.deepEqual(done, []);
	old = false;
	await steps.send("a");
	await steps.sweep();
	assert.deepEqual(done, ["send a", "sweep"]);
});
