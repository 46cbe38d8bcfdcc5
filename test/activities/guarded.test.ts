// What the log hears of a repair that failed.

import assert from "node:assert/strict";
import { it } from "node:test";
import { guarded } from "../../activities/guarded.ts";
import { LetheError } from "../../domain/errors.ts";

it("tells why a repair failed where that is a word of ours, and nothing of another's error, which may quote anything", async () => {
	const told: unknown[] = [];
	const log = { info: () => undefined, warn: (fields: unknown) => told.push(fields), error: () => undefined };
	const fail = (error: Error) =>
		guarded({ log: log as never }, () => {
			throw error;
		});
	await fail(new LetheError("store_unavailable", { cause: "ledger file EROFS" }));
	await fail(new LetheError("internal", { cause: new Error("+12025550142") }));
	await fail(new Error("+12025550142"));
	assert.deepEqual(told, [
		{ code: "store_unavailable", cause: "ledger file EROFS" },
		{ code: "internal" },
		{ code: "internal", cause: undefined },
	]);
});
