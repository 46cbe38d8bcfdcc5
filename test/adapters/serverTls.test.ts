// Mutual TLS to each of the servers: the real ones, behind a gate that lets in only who proves itself.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type Server } from "node:tls";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createSendQueues } from "../../adapters/redis/sendQueues.ts";
import type { ServerTls } from "../../adapters/serverTls.ts";
import { connectTemporal } from "../../adapters/temporal/client.ts";
import { openVault } from "../../adapters/vault/connection.ts";
import { readTime } from "../../adapters/vault/readTime.ts";
import { openMongo } from "../../cli/canary/mongo.ts";
import { openRedis } from "../../cli/canary/redis.ts";
import { ConfigError, loadConfig } from "../../config.ts";
import { localCertificate } from "../../stack/localCertificate.ts";
import { bareEnvironment, run, start } from "../harness/programs.ts";
import { until } from "../harness/until.ts";
import { issuerToken } from "./vault/helper.ts";

describe("mutual TLS", () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-mutual-"));
	const gates: Server[] = [];
	let own: Required<ServerTls>;
	let foreign: Required<ServerTls>;
	before(async () => {
		own = await materialOf(join(dir, "own"));
		foreign = await materialOf(join(dir, "foreign"));
	});
	after(() => {
		for (const gate of gates) gate.close();
		rmSync(dir, { recursive: true });
	});

	async function materialOf(folder: string): Promise<Required<ServerTls>> {
		const { authorityFile, certificateFile, keyFile } = await localCertificate(folder);
		const [ca = "", cert = "", key = ""] = [authorityFile, certificateFile, keyFile].map((file) =>
			readFileSync(file, "utf8"),
		);
		return { ca, cert, key };
	}

	/** Answers the gate's port. */
	async function gate(host: string, port: number): Promise<number> {
		const { ca, cert, key } = own;
		const server = createServer(
			{ ca, cert, key, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ["h2", "http/1.1"] },
			(outside) => {
				const inside = connect(port, host);
				outside.on("error", () => inside.destroy()).on("close", () => inside.destroy());
				inside.on("error", () => outside.destroy()).on("close", () => outside.destroy());
				outside.pipe(inside).pipe(outside);
			},
		).listen(0, "127.0.0.1");
		gates.push(server);
		await once(server, "listening");
		return (server.address() as AddressInfo).port;
	}
	const gateFor = (variable: string) => {
		const { hostname, port } = new URL(process.env[variable] as string);
		return gate(hostname, Number(port));
	};
	/** What is let in, and what is not: no certificate, another authority's, a server of another authority. */
	async function judge(ask: (tls: ServerTls) => Promise<unknown>): Promise<void> {
		await ask(own);
		await assert.rejects(ask({ ca: own.ca }), "without a certificate");
		await assert.rejects(ask({ ...foreign, ca: own.ca }), "with another authority's certificate");
		await assert.rejects(ask({ ...own, ca: foreign.ca }), "to a server that another authority vouches for");
	}

	it("with Redis", async () => {
		const port = await gateFor("REDIS_URL");
		await judge(async (tls) => {
			const queues = createSendQueues({ url: `rediss://127.0.0.1:${port}`, prefix: "t", clock: Date.now, tls });
			await queues.ping().finally(queues.close);
			const canary = openRedis(`rediss://127.0.0.1:${port}`, tls);
			await canary.ping().finally(() => canary.disconnect());
		});
	});

	it("with MongoDB", async () => {
		const port = await gateFor("MONGODB_URL");
		await judge(async (tls) => {
			const url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
			await (await connectMongo({ url, database: "t", timeoutMs: 1_000, tls })).close();
			const canary = openMongo(url, tls);
			await canary
				.db("t")
				.command({ ping: 1 })
				.finally(() => canary.close());
		});
	});

	it("with Vault", async () => {
		const port = await gateFor("VAULT_ADDR");
		await judge(async (tls) => {
			const vault = openVault({ address: `https://127.0.0.1:${port}`, token: () => "", tls });
			await vault.read("sys/seal-status").finally(vault.close);
			const time = await readTime({ address: `https://127.0.0.1:${port}`, tls });
			assert.ok(Math.abs(time - Date.now()) < 60_000);
		});
	});

	it("with Vault, for whoever sets it up and hands out its credentials too", async () => {
		const { authorityFile, certificateFile, keyFile } = await localCertificate(join(dir, "own"));
		const env = bareEnvironment({
			VAULT_ADDR: `https://127.0.0.1:${await gateFor("VAULT_ADDR")}`,
			...{ VAULT_TLS_CA_FILE: authorityFile, VAULT_TLS_CERTIFICATE_FILE: certificateFile, VAULT_TLS_KEY_FILE: keyFile },
		});
		for (const input of ["hvs.none\n", "bm9uZQ==\n"]) {
			const { code, error } = await run(process.execPath, ["stack/provision.ts", join(dir, "issuer")], { env, input });
			assert.deepEqual([code, /^Vault refuses what is on standard input\./.test(error)], [1, true], error);
		}
		const issuerTokenFile = join(dir, "issuer-token");
		writeFileSync(issuerTokenFile, issuerToken);
		mkdirSync(join(dir, "api"));
		const issuing = start(process.execPath, ["stack/credentials.ts", issuerTokenFile, dir, "api:api"], { env });
		await until(() => existsSync(join(dir, "api", "api")) || issuing.output() !== "");
		assert.equal(issuing.output(), "");
		assert.equal(await issuing.end(), 0);
	});

	it("with Temporal", async () => {
		const [host = "", inner] = (process.env.TEMPORAL_ADDRESS as string).split(":");
		const port = await gate(host, Number(inner));
		await judge(async (tls) => {
			const { client, close } = connectTemporal({ address: `127.0.0.1:${port}`, namespace: "default", tls });
			const within = Date.now() + 2_000;
			await client.connection
				.withDeadline(within, () => client.workflowService.getSystemInfo({}))
				.finally(() => close());
		});
	});

	it("is set by files, both halves of a certificate or none", async () => {
		const { certificateFile, keyFile, authorityFile } = await localCertificate(join(dir, "own"));
		const set = { REDIS_TLS_CERTIFICATE_FILE: certificateFile, REDIS_TLS_KEY_FILE: keyFile };
		assert.deepEqual(loadConfig({ ...set, REDIS_TLS_CA_FILE: authorityFile }).redis.tls, {
			ca: own.ca.trim(),
			cert: own.cert.trim(),
			key: own.key.trim(),
		});
		assert.equal(loadConfig({}).redis.tls, undefined);
		const half = { REDIS_TLS_CERTIFICATE_FILE: certificateFile };
		assert.throws(
			() => loadConfig(half),
			(error) => error instanceof ConfigError && /go together/.test(error.message),
		);
	});
});
