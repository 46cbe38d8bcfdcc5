// How a process says that it can't start: by what to mend.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import { credentialsOf } from "../adapters/vault/helper.ts";
import { bareEnvironment, run } from "../harness/programs.ts";

it("names the setting where MongoDB can't be reached, by whichever process, and no part of it", async () => {
	for (const script of ["workers/sender.ts", "workers/worker.ts", "api/server.ts"]) {
		const env = bareEnvironment({ MONGODB_URL: "mongodb://lethe:one@other@127.0.0.1:1/?serverSelectionTimeoutMS=500" });
		const { code, out, error } = await run(process.execPath, [script], { env });
		assert.deepEqual([code, out], [1, ""]);
		assert.match(error, /MongoDB can't be reached \(\w+\): start it, or correct MONGODB_URL\.\n$/, script);
		assert.doesNotMatch(error, /one|other/, script);
	}
});

it("names the file that the worker's witness can't be kept in, and not the store that is well", async () => {
	const { TEMPORAL_ADDRESS = "", VAULT_ADDR = "", MONGODB_URL = "", REDIS_URL = "" } = process.env;
	const roles = ["eraser", "rewrapper", "signer", "sender"] as const;
	const credentials = await Promise.all(roles.map(credentialsOf));
	const given = roles.flatMap((role, index) => [
		[`LETHE_VAULT_${role.toUpperCase()}_ROLE_ID`, credentials[index]?.roleId],
		[`LETHE_VAULT_${role.toUpperCase()}_WRAPPED_SECRET_ID`, credentials[index]?.wrappedSecretId],
	]);
	const env = bareEnvironment({
		...{ TEMPORAL_ADDRESS, VAULT_ADDR, MONGODB_URL, REDIS_URL, ...Object.fromEntries(given) },
		LETHE_DATABASE: `process-${randomBytes(4).toString("hex")}`,
		LETHE_EVIDENCE_WITNESS_FILE: "/dev/null/checkpoint",
	});
	const { code, error } = await run(process.execPath, ["workers/worker.ts"], { env });
	assert.equal(code, 1);
	assert.match(error, /^LetheError: store_unavailable: .*\(witness file ENOTDIR\)\n$/);
});
