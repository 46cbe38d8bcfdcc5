// `lethe logs` as a shell sees it: what the logreader is shown, and that nothing is before the reading is on record.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createLog } from "../../adapters/logs/log.ts";
import { createLogKeys } from "../../adapters/logs/logKeys.ts";
import { createLogWriter } from "../../adapters/logs/logWriter.ts";
import { connectMongo, type MongoConnection } from "../../adapters/mongo/connection.ts";
import { readBundle, type StoredBundle } from "../../adapters/mongo/evidence.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import type { Role } from "../../adapters/vault/policies.ts";
import { address, credentialsOf, login } from "../adapters/vault/helper.ts";
import { bareEnvironment, run, start } from "../harness/programs.ts";

describe("lethe logs", () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-logs-command-"));
	const database = `t${randomBytes(6).toString("hex")}`;
	let connection: MongoConnection;
	let store: Store;
	let writer: ReturnType<typeof createLogWriter>;
	let log: ReturnType<typeof createLog>;

	before(async () => {
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
		const { recipient } = createLogKeys({ vault: await login("api") });
		writer = createLogWriter({
			...{ dir, process: "api", recipient, clock: Date.now, randomBytes, tell: () => undefined },
			vaultTime: async () => Date.now(),
			...{ lifetimeMs: 24 * 3600_000, fileBytesMax: 64 * 1024 },
		});
		log = createLog({ level: "debug", process: "api", destination: writer });
		log.debug({ route: "/v1/messages", status: 200 }, "answered");
		log.warn({ code: "timeout" }, "a warning");
		await writer.flush();
	});
	after(async () => {
		await writer.close();
		await connection.dropDatabase();
		await store.close();
		rmSync(dir, { recursive: true, force: true });
	});

	const environmentOf = async (role: Role, more: Record<string, string> = {}) => {
		const { roleId, wrappedSecretId } = await credentialsOf(role);
		return bareEnvironment({
			...{ VAULT_ADDR: address, MONGODB_URL: process.env.MONGODB_URL as string, LETHE_DATABASE: database },
			...{ LETHE_LOG_DIR: dir, LETHE_VAULT_LOGREADER_ROLE_ID: roleId },
			LETHE_VAULT_LOGREADER_WRAPPED_SECRET_ID: wrappedSecretId,
			...more,
		});
	};
	const logs = async (args: string[], env: Record<string, string> | undefined = undefined) =>
		run(process.execPath, ["cli/lethe.ts", "logs", ...args], { env: env ?? (await environmentOf("logreader")) });
	const readings = async () => {
		const entries: { type: string; by: string; code: string }[] = [];
		for (const bundle of await connection.collection<StoredBundle>("evidenceBundles").find().toArray()) {
			for (const entry of readBundle(bundle).entries) entries.push(JSON.parse(entry));
		}
		return entries.filter(({ type }) => type === "logs_read").map(({ by, code }) => `${by} ${code}`);
	};

	it("shows the lines of a level and above, as text or JSON, and the reading is in the evidence log", async () => {
		const shown = await logs([]);
		assert.deepEqual([shown.code, shown.error], [0, ""]);
		assert.match(shown.out, /^\S+Z warn {2}api {4}a warning code="timeout"\n$/);
		const all = await logs(["--level", "debug", "--process", "api", "--json"]);
		const lines = all.out
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line));
		assert.deepEqual(
			lines.map(({ msg }) => msg),
			["answered", "a warning"],
		);
		const none = await logs(["--since", "2099-01-01"]);
		assert.deepEqual([none.code, none.out], [0, ""]);
		assert.match(none.error, /^lethe logs: no line of level info .*\n$/);
		assert.deepEqual(await readings(), ["logreader all", "logreader api", "logreader all"]);
	});

	it("shows nothing when the reading can't be put on record", async () => {
		const away = await logs(
			[],
			await environmentOf("logreader", { MONGODB_URL: "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500" }),
		);
		assert.deepEqual([away.code, away.out], [2, ""]);
		assert.match(away.error, /^lethe: .+\n$/);
	});

	it("opens nothing for another role, however high", async () => {
		for (const role of ["admin", "api"] as const) {
			const { code, out } = await logs([], await environmentOf(role));
			assert.deepEqual([code, out], [2, ""], role);
		}
	});

	it("follows what is written meanwhile, until it is interrupted", async () => {
		const following = start(process.execPath, ["cli/lethe.ts", "logs", "--follow"], {
			env: await environmentOf("logreader"),
		});
		await following.says(/a warning/);
		log.warn("a later one");
		await writer.flush();
		await following.says(/a later one/);
		assert.equal(await following.end("SIGINT"), 0);
		assert.equal(following.output().match(/a warning/g)?.length, 1);
	});

	it("after a change of the key old lines open as new ones do", async () => {
		const keys = createLogKeys({ vault: await login("admin") });
		const renewed = await keys.renew();
		const next = createLogWriter({
			...{
				dir,
				process: "worker",
				recipient: async () => renewed,
				clock: Date.now,
				vaultTime: async () => Date.now(),
				randomBytes,
				tell: () => undefined,
			},
			...{ lifetimeMs: 24 * 3600_000, fileBytesMax: 64 * 1024 },
		});
		createLog({ level: "info", process: "worker", destination: next }).warn("under the new key");
		await next.close();
		const { code, out } = await logs([]);
		assert.equal(code, 0);
		assert.match(out, /a warning[\s\S]*under the new key/);
		await assert.rejects(keys.identities(), "who makes keys can't read them");
	});

	it("misuse is one line and exit code 2", async () => {
		for (const args of [
			["--since", "yesterday"],
			["--process", "carrier"],
			["--level", "loud"],
		]) {
			const { code, out, error } = await logs(args, bareEnvironment());
			assert.deepEqual([code, out, error.trim().split("\n").length], [2, "", 1]);
		}
	});
});
