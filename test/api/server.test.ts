// The API as a process of its own: how it ends when nobody ends it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { credentialsOf } from "../adapters/vault/helper.ts";
import { bareEnvironment, root } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-server-"));
const database = `server-${randomBytes(4).toString("hex")}`;
after(async () => {
	const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
	await connection.dropDatabase();
	await connection.close();
	rmSync(folder, { recursive: true });
});

it("ends with the launcher that started it, as worker and sender do: it would go on accepting what nobody sends", async () => {
	const { TEMPORAL_ADDRESS = "", VAULT_ADDR = "", MONGODB_URL = "", REDIS_URL = "" } = process.env;
	const { roleId, wrappedSecretId } = await credentialsOf("api");
	const env = bareEnvironment({
		...{ TEMPORAL_ADDRESS, VAULT_ADDR, MONGODB_URL, REDIS_URL, LETHE_DATABASE: database },
		...{ LETHE_API_PORT: "0", LETHE_LOG_DIR: folder, LETHE_LEDGER_DIR: folder },
		...{ LETHE_VAULT_API_ROLE_ID: roleId, LETHE_VAULT_API_WRAPPED_SECRET_ID: wrappedSecretId },
	});
	const stdio = ["ignore", "ignore", "inherit", "ipc"] as const;
	const child = spawn(process.execPath, ["api/server.ts"], { cwd: root, env, stdio: [...stdio] });
	try {
		const signal = AbortSignal.timeout(60_000);
		await once(child, "message", { signal });
		child.disconnect();
		assert.deepEqual(await once(child, "exit", { signal }), [0, null]);
	} finally {
		child.kill("SIGKILL");
	}
});
