// The canary that counts is the newest of this deployment, whatever else its bundle holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEntry } from "../../audit/entry.ts";
import { findLastCanary } from "../../audit/lastCanary.ts";
import type { Act, Bundle } from "../../domain/evidence.ts";
import { formatId } from "../../domain/ids.ts";

const canaryId = formatId("canary", new Uint8Array(16));
const other = formatId("canary", new Uint8Array(16).fill(1));
const entry = (at: number, act: Act) => formatEntry(formatId("evidence", new Uint8Array(16).fill(at)), at * 1000, act);
const storeOf = (...entries: string[]) => ({
	pageOf: async ({ about }: { about: string }) => {
		assert.equal(about, canaryId);
		return entries.length > 0 ? [{ entries } as Bundle] : [];
	},
});

test("none has run, or the last of several is told", async () => {
	assert.equal(await findLastCanary(storeOf(), canaryId), undefined);
	const store = storeOf(
		entry(1, { type: "canary_run", code: "found", about: canaryId, by: "admin" }),
		entry(2, { type: "canary_run", code: "clean", about: canaryId, by: "admin" }),
		entry(3, { type: "canary_run", code: "found", about: other, by: "admin" }),
		entry(4, { type: "process_started", code: "api", by: "engine" }),
	);
	assert.deepEqual(await findLastCanary(store, canaryId), { at: 2000, result: "clean" });
});
