// The API as a process of its own: how it ends when nobody ends it, and as what.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
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
	const child = await startApi(process.env.VAULT_ADDR as string);
	try {
		await child.ready;
		child.process.disconnect();
		assert.deepEqual(await child.ended, [0, null]);
	} finally {
		child.process.kill("SIGKILL");
	}
});

it("ends as failed when Vault takes its token no more, for a supervisor that starts again only what failed", async () => {
	let isRefusing = false;
	const vault = createServer(async (request, response) => {
		const { method = "GET", url = "/", headers } = request;
		const sent = Buffer.concat(await request.toArray());
		const { connection: _, host: __, "content-length": ___, "transfer-encoding": ____, ...kept } = headers;
		const init = { method, headers: kept as Record<string, string>, ...(sent.length > 0 && { body: sent }) };
		const answer = isRefusing ? undefined : await fetch(`${process.env.VAULT_ADDR}${url}`, init);
		response.writeHead(answer?.status ?? 403, { "content-type": "application/json" });
		response.end(answer ? await answer.text() : '{"errors":["permission denied"]}');
	}).listen(0, "127.0.0.1");
	await once(vault, "listening");
	const child = await startApi(`http://127.0.0.1:${(vault.address() as AddressInfo).port}`);
	try {
		const url = await child.ready;
		isRefusing = true;
		assert.equal((await fetch(`${url}/readyz`)).status, 503);
		assert.deepEqual(await child.ended, [1, null]);
	} finally {
		child.process.kill("SIGKILL");
		vault.closeAllConnections();
		vault.close();
	}
});

/** `ready` answers its URL, `ended` its exit code and signal. */
async function startApi(vaultAddress: string) {
	const { TEMPORAL_ADDRESS = "", MONGODB_URL = "", REDIS_URL = "" } = process.env;
	const { roleId, wrappedSecretId } = await credentialsOf("api");
	const env = bareEnvironment({
		...{ TEMPORAL_ADDRESS, VAULT_ADDR: vaultAddress, MONGODB_URL, REDIS_URL, LETHE_DATABASE: database },
		...{ LETHE_API_PORT: "0", LETHE_LOG_DIR: folder, LETHE_LEDGER_DIR: folder },
		...{ LETHE_VAULT_API_ROLE_ID: roleId, LETHE_VAULT_API_WRAPPED_SECRET_ID: wrappedSecretId },
	});
	const stdio = ["ignore", "ignore", "inherit", "ipc"] as const;
	const child = spawn(process.execPath, ["api/server.ts"], { cwd: root, env, stdio: [...stdio] });
	const signal = AbortSignal.timeout(60_000);
	const ready = once(child, "message", { signal }).then(([{ url }]) => url as string);
	return { process: child, ready, ended: once(child, "exit", { signal }) };
}
