// What `lethe doctor` says of a server that is away.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { localCertificate } from "../../stack/localCertificate.ts";
import { credentialsOf } from "../adapters/vault/helper.ts";
import { root, run } from "../harness/programs.ts";

it("names by a word what it heard of a Temporal that is away, and goes on to what else there is", async () => {
	const { roleId, wrappedSecretId } = await credentialsOf("admin");
	const env = {
		...process.env,
		...{ TEMPORAL_ADDRESS: "127.0.0.1:1", LETHE_DATABASE: `doctor-${randomBytes(4).toString("hex")}` },
		...{ LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId },
	};
	const { code, out } = await run(process.execPath, [`${root}/cli/lethe.ts`, "doctor", "--json"], { env });
	const findings = JSON.parse(out) as { check: string; ok: boolean; detail: string }[];
	const told = (check: string) => findings.find((finding) => finding.check === check);
	assert.equal(code, 1);
	for (const check of ["temporal", "worker"]) {
		assert.deepEqual(
			[told(check)?.ok, told(check)?.detail.match(/^[A-Z_]+$/)?.[0]],
			[false, told(check)?.detail],
			check,
		);
	}
	assert.equal(told("redis")?.ok, true);
});

it("names a Vault that does not answer, and its mend, not itself", async () => {
	const { roleId, wrappedSecretId } = await credentialsOf("admin");
	const env = {
		...process.env,
		...{ VAULT_ADDR: "http://127.0.0.1:1", LETHE_DATABASE: `doctor-${randomBytes(4).toString("hex")}` },
		...{ LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId },
	};
	const { code, out } = await run(process.execPath, [`${root}/cli/lethe.ts`, "doctor", "--json"], { env });
	const last = (JSON.parse(out) as { check: string; ok: boolean; detail: string; mend?: string }[]).at(-1);
	assert.deepEqual([code, last?.check, last?.ok], [1, "vault", false]);
	assert.match(last?.detail ?? "", /^keys_unavailable: /);
	assert.doesNotMatch(last?.detail ?? "", /lethe doctor/);
	assert.match(last?.mend ?? "", /^Start and unseal Vault, or correct VAULT_ADDR\.$/);
});

it("shows an API that asks callers for a certificate ours, and says where to set it while there is none", async () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-doctor-tls-"));
	const { authorityFile, certificateFile, keyFile } = await localCertificate(dir);
	const [ca, cert, key] = [authorityFile, certificateFile, keyFile].map((file) => readFileSync(file));
	const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
	const api = createTlsServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, (_, response) => {
		response.end(JSON.stringify({ version, ready: true }));
	}).listen(0, "127.0.0.1");
	await once(api, "listening");
	const ask = async (given: Record<string, string>) => {
		const { roleId, wrappedSecretId } = await credentialsOf("admin");
		const env = {
			...process.env,
			...{
				LETHE_API_URL: `https://127.0.0.1:${(api.address() as AddressInfo).port}`,
				LETHE_API_TLS_CA_FILE: authorityFile,
			},
			...{ LETHE_DATABASE: `doctor-${randomBytes(4).toString("hex")}`, ...given },
			...{ LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId },
		};
		const { out } = await run(process.execPath, [`${root}/cli/lethe.ts`, "doctor", "--json"], { env });
		const findings = JSON.parse(out) as { check: string; ok: boolean; detail: string; mend?: string }[];
		return findings.find(({ check }) => check === "API");
	};
	const turnedAway = await ask({});
	const letIn = await ask({ LETHE_API_TLS_CERTIFICATE_FILE: certificateFile, LETHE_API_TLS_KEY_FILE: keyFile });
	api.close();
	rmSync(dir, { recursive: true });
	assert.equal(turnedAway?.ok, false);
	assert.match(turnedAway?.mend ?? "", /LETHE_API_TLS_CERTIFICATE_FILE/);
	assert.equal(letIn?.ok, true, letIn?.detail);
});

it("sends nobody to a restore alone for an API that may not have compared its store yet", async () => {
	const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
	const api = createServer(({ url }, response) => {
		const ready = { ready: false, checks: { mongodb: "up", quarantine: "down" } };
		response.end(JSON.stringify(url === "/healthz" ? { version } : ready));
	}).listen(0, "127.0.0.1");
	await once(api, "listening");
	const { roleId, wrappedSecretId } = await credentialsOf("admin");
	const env = {
		...process.env,
		LETHE_API_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
		...{ LETHE_DATABASE: `doctor-${randomBytes(4).toString("hex")}` },
		...{ LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId },
	};
	const { out } = await run(process.execPath, [`${root}/cli/lethe.ts`, "doctor", "--json"], { env });
	api.close();
	const found = (JSON.parse(out) as { check: string; detail: string }[]).find(({ check }) => check === "API");
	assert.match(found?.detail ?? "", /is quarantined: run `lethe restore`; where its log says .*, mend what it names$/);
});
