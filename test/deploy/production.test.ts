// The steps of deploy/README.md, without the containers: a sealed TLS Vault is set up, the stores are made ready, and
// Lethe's processes come up as production.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Client, Connection } from "@temporalio/client";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { findSource } from "../../stack/sources.ts";
import { installWheels } from "../../stack/wheels.ts";
import { freePort } from "../harness/freePort.ts";
import { bareEnvironment, root, run, start } from "../harness/programs.ts";
import { until } from "../harness/until.ts";
import { readTreeFile } from "../tidy/tree.ts";

const missing = spawnSync("openssl", ["version"]).status === 0 ? false : "no openssl here";

describe("production", { skip: missing }, () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-production-"));
	const database = `t${randomBytes(6).toString("hex")}`;
	const secrets = join(folder, "deploy", "secrets");
	const credentials = join(folder, "credentials");
	const issuerTokenFile = join(secrets, "vault_issuer_token");
	const node = process.execPath;
	let bao: { command: string; args: string[] };
	let environment: Record<string, string>;
	let unsealKeys: string[];
	let rootToken: string;

	const vault = (...args: string[]) => {
		const env = bareEnvironment({
			BAO_ADDR: environment.VAULT_ADDR as string,
			BAO_CACERT: join(secrets, "vault_ca"),
		});
		return run(bao.command, [...bao.args, ...args], { env });
	};
	// Each login uses its secret-id up, so each command has one of its own.
	const cliSlots = ["cli1", "cli2", "cli3", "cli4", "cli5", "cli6", "cli7", "cli8"];
	const lethe = (slot: string, args: string[], input = "") => {
		const env = { ...environment, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID_FILE: join(credentials, slot, "admin") };
		return run(node, ["cli/lethe.ts", ...args], { env, input });
	};
	const provision = async (token: string) => {
		const env = environment;
		return run(node, ["stack/provision.ts", issuerTokenFile], { env, input: `${token}\n` });
	};
	const roleIds = (output: string) =>
		Object.fromEntries(output.match(/^\w+=.+$/gm)?.map((line) => line.split("=")) ?? []);

	before(async () => {
		mkdirSync(secrets, { recursive: true });
		const port = await freePort();
		environment = bareEnvironment({
			LETHE_ENVIRONMENT: "production",
			LETHE_LOG_LEVEL: "info",
			LETHE_LOG_DIR: join(folder, "logs"),
			LETHE_DATABASE: database,
			LETHE_QUEUE_PREFIX: database,
			LETHE_TASK_QUEUE: database,
			LETHE_WORKFLOW_BUNDLE: join(folder, "workflows.bundle.js"),
			LETHE_API_PORT: "0",
			LETHE_PUBLIC_URL: "https://lethe.example",
			// Nothing answers there.
			LETHE_API_URL: "http://127.0.0.1:9",
			TEMPORAL_ADDRESS: process.env.TEMPORAL_ADDRESS as string,
			MONGODB_URL_FILE: join(folder, "mongodb_url"),
			REDIS_URL: process.env.REDIS_URL as string,
			VAULT_ADDR: `https://localhost:${port}`,
			NODE_EXTRA_CA_CERTS: join(secrets, "vault_ca"),
		});
		writeFileSync(join(folder, "mongodb_url"), `${process.env.MONGODB_URL}\n`);
		bao = await openBao();
		const [, commands = ""] = /^## Secrets$.*?^```sh\n(.*?)^```$/ms.exec(readTreeFile("deploy/README.md")) ?? [];
		const made = await run("sh", ["-euc", commands], { cwd: folder });
		assert.equal(made.code, 0, made.error);
		const server = start(bao.command, [...bao.args, "server", "-config", writeSettings(port, await freePort())], {
			cwd: folder,
		});
		// Sealed: `bao status`, the container's health check, exits 2.
		const sealed = until(async () => (await vault("status")).code === 2);
		await Promise.race([sealed, server.exited.then(() => assert.fail(server.output()))]);
	});
	after(async () => {
		const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		await connection.dropDatabase();
		await connection.close();
		const temporal = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS as string });
		await new Client({ connection: temporal }).schedule.getHandle(`sweep-${database}`).delete();
		await temporal.close();
		rmSync(folder, { recursive: true, force: true });
	});

	/** deploy/vault/vault.hcl, with this machine's paths and port in place of the container's. */
	function writeSettings(port: number, clusterPort: number): string {
		const places: [string, string][] = [
			["/openbao/file", join(folder, "raft")],
			["/openbao/logs", folder],
			["/run/secrets", secrets],
			["0.0.0.0:8200", `127.0.0.1:${port}`],
			["https://vault:8200", `https://localhost:${port}`],
			["https://vault:8201", `https://127.0.0.1:${clusterPort}`],
		];
		const text = readTreeFile("deploy/vault/vault.hcl");
		for (const [there] of places) assert.ok(text.includes(there), there);
		const file = join(folder, "vault.hcl");
		writeFileSync(
			file,
			places.reduce((settings, [there, here]) => settings.replaceAll(there, here), text),
		);
		mkdirSync(join(folder, "raft"));
		return file;
	}

	it("starts from a sealed Vault that says so", async () => {
		const made = JSON.parse((await vault("operator", "init", "-format=json")).out);
		unsealKeys = made.unseal_keys_b64.slice(0, made.unseal_threshold);
		rootToken = made.root_token;
		const early = await provision(rootToken);
		assert.deepEqual([early.code, early.out], [1, ""]);
		assert.match(early.error, /^Vault can't be reached\. Start and unseal it.*\n$/);
		for (const key of unsealKeys) assert.equal((await vault("operator", "unseal", key)).code, 0);
		assert.equal((await vault("status")).code, 0);
	});

	it("provisions Vault, tells the role-ids, and leaves no root token alive", async () => {
		const { code, out, error } = await until(async () => {
			const answer = await provision(rootToken);
			return answer.code === 0 && answer;
		});
		assert.deepEqual([code, error], [0, ""]);
		assert.doesNotMatch(out, /hvs\.|\bs\./);
		Object.assign(environment, roleIds(out));
		const again = await provision(rootToken);
		assert.equal(again.code, 1);
		assert.match(again.error, /^Vault refuses what is on standard input\..*\n$/);
	});

	it("provisions again by the unseal keys, without a change to what was issued", async () => {
		const issuerToken = readFileSync(issuerTokenFile, "utf8");
		const few = await provision(unsealKeys.slice(1).join("\n"));
		assert.deepEqual([few.code, few.error], [1, "Vault asks for 3 keys, one a line; give that many.\n"]);
		const { code, out, error } = await provision(unsealKeys.join("\n"));
		assert.equal(code, 0, error);
		for (const [name, id] of Object.entries(roleIds(out))) assert.equal(environment[name], id);
		assert.equal(readFileSync(issuerTokenFile, "utf8"), issuerToken);
	});

	it("keeps fresh credentials for every process", async () => {
		const slots = [
			"api:api",
			"worker:eraser,rewrapper,signer,sender",
			"sender:sender",
			...cliSlots.map((slot) => `${slot}:admin`),
			"logs:logreader",
		];
		for (const slot of slots) mkdirSync(join(credentials, slot.split(":")[0] as string), { recursive: true });
		const issuing = start(node, ["stack/credentials.ts", issuerTokenFile, credentials, ...slots], { env: environment });
		await until(() => spawnSync("test", ["-s", join(credentials, "cli5", "admin")]).status === 0);
		assert.equal(issuing.output(), "");
	});

	it("`lethe doctor` names what is not ready, `lethe admin prepare` makes it, and changes nothing when repeated", async () => {
		const early = await lethe("cli1", ["doctor", "--json"]);
		assert.equal(early.code, 1, early.error);
		const findings: { check: string; ok: boolean; mend?: string }[] = JSON.parse(early.out);
		const indexes = findings.find(({ check }) => check === "indexes");
		assert.deepEqual([indexes?.ok, indexes?.mend], [false, "Run `lethe admin prepare`."]);

		const first = await lethe("cli2", ["admin", "prepare"]);
		assert.equal(first.code, 0, first.error);
		assert.ok(JSON.parse(first.out).made.includes("messages"));
		assert.deepEqual(JSON.parse((await lethe("cli3", ["admin", "prepare", "--json"])).out), { made: [] });

		const late = await lethe("cli4", ["doctor", "--json"]);
		const bad = JSON.parse(late.out).filter(({ ok }: { ok: boolean }) => !ok);
		assert.deepEqual(
			bad.map(({ check }: { check: string }) => check),
			["send queues", "worker", "API"],
		);
	});

	it("refuses the simulated carrier, before anything of the queue is kept", async () => {
		const args = ["admin", "queue", "--id", "q", "--carrier", "simulator", "--sender", "Lethe"];
		args.push("--setting", "url=http://127.0.0.1:1");
		const { code, error } = await lethe("cli5", args, '{"send":{},"callback":{}}');
		assert.equal(code, 2);
		assert.equal(error, "lethe: The simulated carrier is refused in production.\n");
	});

	it("brings up the API, the worker and the sender, which end in order", async () => {
		const bundled = await run(node, ["stack/bundle.ts", environment.LETHE_WORKFLOW_BUNDLE as string]);
		assert.equal(bundled.code, 0, bundled.error);
		const startOne = (script: string, name: string, roles: string[]) => {
			const files = roles.map((role) => [
				`LETHE_VAULT_${role.toUpperCase()}_WRAPPED_SECRET_ID_FILE`,
				join(credentials, name, role),
			]);
			return start(node, [script], { env: { ...environment, ...Object.fromEntries(files) } });
		};
		const api = startOne("api/server.ts", "api", ["api"]);
		const worker = startOne("workers/worker.ts", "worker", ["eraser", "rewrapper", "signer", "sender"]);
		const sender = startOne("workers/sender.ts", "sender", ["sender"]);
		const [, url] = await api.says(/"ready":true,"url":"([^"]+)"/);
		await worker.says(/"ready":true/);
		await sender.says(/"ready":true/);
		environment.LETHE_API_URL = url as string;
		const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		const queue = { _id: "main", carrier: "twilio", sender: "S", settings: {}, paused: true };
		await connection.collection<typeof queue>("sendQueues").insertOne(queue);
		await connection.close();
		const wrong = async (slot: string): Promise<Record<string, string>[]> =>
			JSON.parse((await lethe(slot, ["doctor", "--json"])).out).filter(({ ok }: { ok: boolean }) => !ok);
		const [lacking, ...others] = await wrong("cli6");
		assert.deepEqual([lacking?.check, others], ["carrier credentials", []]);
		assert.equal(
			lacking?.detail,
			"main lacks accountSid, token to send with (send); and secret to check callbacks with (callback)",
		);
		assert.match(
			lacking?.mend ?? "",
			/^Run `lethe admin secrets main` with them on standard input; docs\/carriers\/twilio/,
		);
		const secrets = { send: { accountSid: `AC${"0".repeat(32)}`, token: "t" }, callback: { secret: "s" } };
		const given = await lethe("cli7", ["admin", "secrets", "main"], JSON.stringify(secrets));
		assert.deepEqual([given.code, JSON.parse(given.out)], [0, { replaced: ["send", "callback"] }]);
		assert.deepEqual(await wrong("cli8"), []);
		assert.equal((await fetch(`${url}/healthz`)).status, 200);
		assert.equal((await fetch(`${url}/readyz`)).status, 200);
		assert.equal((await fetch(`${url}/v1/messages`)).status, 401);
		assert.deepEqual(await Promise.all([api.end(), worker.end(), sender.end()]), [0, 0, 0]);
		const files = readdirSync(join(folder, "logs"));
		for (const name of ["api", "sender", "worker"])
			assert.equal(files.filter((file) => file.startsWith(name)).length, 1);
	});

	it("keeps no log in clear: without a folder for it nothing starts, and the logreader alone opens what is there", async () => {
		const files = { LETHE_VAULT_SENDER_WRAPPED_SECRET_ID_FILE: join(credentials, "sender", "sender") };
		const bare = await run(node, ["workers/sender.ts"], { env: { ...environment, ...files, LETHE_LOG_DIR: "" } });
		assert.equal(bare.code, 1);
		assert.match(bare.error, /LETHE_LOG_DIR is not set/);
		const file = join(credentials, "logs", "logreader");
		const env = { ...environment, LETHE_VAULT_LOGREADER_WRAPPED_SECRET_ID_FILE: file };
		const { code, out, error } = await run(node, ["cli/lethe.ts", "logs", "--json", "--level", "debug"], { env });
		assert.deepEqual([code, error], [0, ""]);
		const by = new Set(out.match(/"process":"\w+"/g));
		assert.deepEqual(
			[...by].sort(),
			["api", "sender", "worker"].map((name) => `"process":"${name}"`),
			out,
		);
	});

	it("a secret-id that is used up ends a process in one line that names the setting and the mend", async () => {
		const file = join(credentials, "api", "api");
		const used = join(folder, "used");
		const unwrapped = await until(async () => {
			writeFileSync(used, readFileSync(file));
			const token = readFileSync(used, "utf8").trim();
			const answer = await vault("unwrap", token);
			return answer.code === 0;
		});
		assert.ok(unwrapped);
		const env = { ...environment, LETHE_VAULT_API_WRAPPED_SECRET_ID_FILE: used };
		const { code, error } = await run(node, ["api/server.ts"], { env });
		assert.equal(code, 1);
		assert.match(error, /^The API can't start: LETHE_VAULT_API_WRAPPED_SECRET_ID: .*issue another\.\n$/);
	});
});

async function openBao(): Promise<{ command: string; args: string[] }> {
	const env = bareEnvironment({ PATH: "/nowhere" });
	const wheels = () => installWheels({ root, environment: process.env, log: () => undefined });
	const found = await findSource("vault", { environment: env, madeBy: undefined, wheels });
	assert.ok(found.source === "wheel");
	return found;
}
