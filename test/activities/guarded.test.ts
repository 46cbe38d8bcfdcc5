// What the log hears of a repair that failed.

import assert from "node:assert/strict";
import { it } from "node:test";
import { guarded } from "../../activities/guarded.ts";
import { LetheError } from "../../domain/errors.ts";

it("tells why a repair failed, at what and where, and no sentence of another's error, which may quote anything", async () => {
	const told: Record<string, unknown>[] = [];
	const log = {
		info: () => undefined,
		warn: (fields: (typeof told)[number]) => told.push(fields),
		error: () => undefined,
	};
	const fail = (error: Error, about?: string) => guarded({ log: log as never }, () => Promise.reject(error), about);
	await fail(new LetheError("store_unavailable", { cause: "ledger file EROFS" }));
	await fail(new TypeError("+12025550142 is not iterable"), "msg_a");
	await fail(new LetheError("internal", { cause: new Error("+12025550142\n    at Main Street 5") }));
	const [ofPlace, ofMessage, ofError] = told;
	assert.deepEqual(ofPlace, { code: "store_unavailable", cause: "ledger file EROFS" });
	assert.deepEqual([ofMessage?.code, ofMessage?.about], ["internal", "msg_a"]);
	assert.match(JSON.stringify(ofMessage?.cause), /^{"name":"TypeError","at":\["at .*guarded\.test\.ts/);
	assert.match(JSON.stringify(ofError?.cause), /^{"name":"Error","at"/);
	assert.doesNotMatch(JSON.stringify(told), /2025550142|Main Street/);
});
