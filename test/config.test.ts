// Settings: what is unknown ends the process, however near it is to a name that there is.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConfigError, loadConfig } from "../config.ts";
import { localCertificate } from "../stack/localCertificate.ts";
import { readTreeFile } from "./tidy/tree.ts";

test("a misspelt setting is refused by its name, one that begins as the simulated carrier's do, too", () => {
	for (const name of ["LETHE_CARRIER_LIFETIM_MS", "LETHE_CARRIER_", "LETHE_FOO"]) {
		const says = new RegExp(`^${name} is not a setting\\.`);
		assert.throws(
			() => loadConfig({ [name]: "1" }),
			(error: unknown) => error instanceof ConfigError && says.test(error.message),
		);
	}
});

test("a misspelt file of a server's TLS is refused: the connection would be made without it", () => {
	for (const name of ["MONGODB_TLS_CERT_FILE", "TEMPORAL_TLS_CAFILE", "REDIS_TLS_CA_FILE_FILE", "VAULT_TLS_FILE"]) {
		assert.match(refusal({ [name]: "/run/secrets/ca" }), new RegExp(`^${name} is not a setting\\.`));
	}
	// What is another program's.
	assert.equal(
		refusal({ VAULT_TOKEN: "x", TEMPORAL_TLS: "true", VAULT_TLS_SERVER_NAME: "x", REDIS_PORT: "1" }),
		"taken",
	);
});

const folder = mkdtempSync(join(tmpdir(), "lethe-config-"));
after(() => rmSync(folder, { recursive: true }));

/** The line by which these settings are refused. */
function refusal(environment: Record<string, string>): string {
	try {
		loadConfig(environment);
	} catch (error) {
		if (error instanceof ConfigError) return error.message;
		throw error;
	}
	return "taken";
}

test("a blank setting counts as absent: no copy ends at once because nothing was said of it", () => {
	const { lifetimes, api } = loadConfig({
		LETHE_OPLOG_LIFETIME_MS: " ",
		LETHE_API_PORT: "\t",
		LETHE_METRICS_FROM: " ",
	});
	assert.deepEqual([lifetimes.oplogMs, api.port], [35 * 24 * 3600_000, 8080]);
	assert.deepEqual(loadConfig({ LETHE_METRICS_FROM: " " }).metricsFrom, ["127.0.0.0/8", "::1/128"]);
	// Whether it names a file, or is read by itself.
	const { redis, mongodb, vault } = loadConfig({
		...{ REDIS_TLS_CA_FILE: " ", MONGODB_URL_FILE: " ", MONGODB_URL: "mongodb://127.0.0.1" },
		...{ LETHE_VAULT_API_ROLE_ID: " ", LETHE_VAULT_API_WRAPPED_SECRET_ID: "s.x" },
	});
	assert.deepEqual([redis.tls, mongodb.url, vault.credentials], [undefined, "mongodb://127.0.0.1", {}]);
});

test("what a Redis URL may hold it may: a user, a password as it is written there, a database, options", () => {
	for (const url of [
		"redis://redis",
		"rediss://user:p%40ss%2Fword@redis:6380/2",
		"redis://:secret@[::1]:6379/?family=6",
		"redis://redis:6379/",
	]) {
		assert.equal(loadConfig({ REDIS_URL: url }).redis.url, url);
	}
});

test("a span has an end that a calendar can name", () => {
	for (const name of ["LETHE_OPLOG_LIFETIME_MS", "LETHE_SIGNING_KEY_PERIOD_MS", "LETHE_PURGE_LAG_MS_MAX"]) {
		assert.match(refusal({ [name]: String(Number.MAX_SAFE_INTEGER) }), new RegExp(`^${name}: Too big`));
	}
	assert.equal(loadConfig({ LETHE_OPLOG_LIFETIME_MS: "unbounded" }).lifetimes.oplogMs, null);
});

test("an address is refused where no connection could be made by it, or not to what was meant", () => {
	for (const [name, value] of [
		["VAULT_ADDR", "localhost:8200"],
		["VAULT_ADDR", "ftp://vault"],
		["LETHE_PUBLIC_URL", "lethe.example:8443"],
		["LETHE_PUBLIC_URL", "https://lethe.example/?tenant=a"],
		["LETHE_PUBLIC_URL", "https://user@lethe.example"],
		["LETHE_PUBLIC_URL", "https://lethe.example/?"],
		["LETHE_API_URL", "https://lethe.example/#"],
		["LETHE_API_URL", "api:8443"],
		["MONGODB_URL", "mongodb:27017"],
		["REDIS_URL", "redis-host:6379"],
		["REDIS_URL", "redis://redis:99999"],
		["REDIS_URL", "redis://:pass/word@redis:6379"],
		["REDIS_URL", "redis://:p@ss/word@redis:6379"],
		["REDIS_URL", "redis://:100%@redis:6379"],
		["REDIS_URL", "redis://[::1:6379"],
		["TEMPORAL_ADDRESS", "http://temporal:7233"],
		["TEMPORAL_ADDRESS", "temporal:port"],
		["LETHE_TRUSTED_PROXIES", "10"],
		["LETHE_METRICS_FROM", "10/8"],
	] as const) {
		assert.match(refusal({ [name]: value }), new RegExp(`^${name}: .* See docs/settings\\.md`), value);
	}
});

test("an address is the same with a slash at its end as without; lists may have blanks", () => {
	const { vault, api } = loadConfig({
		VAULT_ADDR: "https://vault:8200/",
		LETHE_PUBLIC_URL: "https://lethe.example/sms/",
		LETHE_TRUSTED_PROXIES: "10.0.0.1, 10.1.0.0/16,2001:db8::/32",
	});
	assert.deepEqual([vault.address, api.publicUrl], ["https://vault:8200", "https://lethe.example/sms"]);
	assert.deepEqual(api.trustedProxies, ["10.0.0.1", "10.1.0.0/16", "2001:db8::/32"]);
});

test("a server is never checked against other authorities than the file's, because that holds none", async () => {
	const { authorityFile, certificateFile, keyFile } = await localCertificate(join(folder, "a"));
	const { keyFile: another } = await localCertificate(join(folder, "b"));
	const bad = { empty: join(folder, "empty"), none: join(folder, "none.pem") };
	writeFileSync(bad.empty, "\n");
	writeFileSync(bad.none, "no certificate");
	for (const file of Object.values(bad)) {
		const of = { MONGODB_TLS_CA_FILE: file };
		assert.match(
			refusal(of),
			/^MONGODB_TLS_CA_FILE: the file holds no certificate in PEM\. Mount it, or correct its path\.$/,
		);
	}
	const ours = { REDIS_TLS_CA_FILE: authorityFile, REDIS_TLS_CERTIFICATE_FILE: certificateFile };
	for (const file of [bad.empty, bad.none, another]) {
		assert.match(refusal({ ...ours, REDIS_TLS_KEY_FILE: file }), /^REDIS_TLS_KEY_FILE: the file holds no private key/);
	}
	const { tls } = loadConfig({ ...ours, REDIS_TLS_KEY_FILE: keyFile }).redis;
	assert.deepEqual(Object.keys(tls ?? {}), ["ca", "cert", "key"]);
});

test("the simulated carrier's own variables may stand beside the settings, each of them", () => {
	const own = new Set(readTreeFile("stack/carrier/server.ts").match(/\bLETHE_CARRIER_[A-Z_]+/g));
	assert.ok(own.size >= 7);
	for (const name of own) assert.doesNotThrow(() => loadConfig({ [name]: "1" }), name);
});
