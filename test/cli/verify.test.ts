// `lethe verify` as a shell sees it: exit codes and output.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createCertificates } from "../../audit/certificate.ts";
import { formatId } from "../../domain/ids.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-verify-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const program = `
	import { verifyCommand } from ${JSON.stringify(new URL("../../cli/verify.ts", import.meta.url).href)};
	await verifyCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;

function verify(...args: string[]) {
	const result = spawnSync(process.execPath, ["--input-type=module", "-e", program, "--", ...args], {
		encoding: "utf8",
	});
	return { code: result.status, out: result.stdout, error: result.stderr };
}

function file(name: string, content: unknown): string {
	const path = join(folder, name);
	writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
	return path;
}

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "certificate-1" };
const stranger = { ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), kid: "certificate-1" };
const day = 24 * 3600_000;
const messageId = formatId("message", new Uint8Array(16));

async function issue(lifetimeMs: number | null): Promise<string> {
	const certificates = createCertificates({
		sign: async (bytes) => ({ signature: sign(null, bytes, privateKey), kid: "certificate-1" }),
		clock: () => Date.now(),
		lifetimes: {
			oplogMs: lifetimeMs,
			journalMs: lifetimeMs,
			databaseBackupMs: lifetimeMs,
			vaultRaftLogMs: lifetimeMs,
			vaultSnapshotMs: lifetimeMs,
			logsMs: lifetimeMs,
			keyCacheMs: 1000,
		},
	});
	const { jws } = await certificates.issue({
		id: formatId("certificate", new Uint8Array(16)),
		kind: "submission",
		tenantId: formatId("tenant", new Uint8Array(16)),
		objects: [{ object: "content", messageId, erasedAt: Date.now() - day, verified: true }],
	});
	return jws;
}

const jws = await issue(35 * day);
const keys = file("keys.json", { keys: [jwk] });

test("a certificate exits 0 and says what was erased and when all copies are gone, as text, JWS or JSON", async () => {
	const text = verify(file("a.jws", `${jws}\n`), "--keys", keys);
	assert.equal(text.code, 0, text.error);
	assert.match(text.out, /^VALID/);
	assert.match(text.out, new RegExp(`content of ${messageId}`));
	assert.match(text.out, /database backups +ends /);
	const json = verify(file("a.json", { jws }), "--keys", keys, "--json");
	assert.equal(json.code, 0);
	const result = JSON.parse(json.out);
	assert.equal(result.valid, true);
	assert.equal(result.forgotten, false);
});

test("an incomplete certificate is authentic and says so", async () => {
	const result = verify(file("incomplete.jws", await issue(null)), "--keys", keys);
	assert.equal(result.code, 0);
	assert.match(result.out, /INCOMPLETE: database_unbounded, key_not_destroyed/);
});

test("a key that only comes with the file does not count", () => {
	const path = file("own-key.json", { jws, keys: [jwk], jwks: { keys: [jwk] } });
	const result = verify(path, "--keys", file("stranger.json", { keys: [stranger] }), "--json");
	assert.equal(result.code, 1);
	assert.deepEqual(JSON.parse(result.out), { valid: false, reason: "bad_signature" });
	assert.equal(verify(path).code, 2);
});

test("an edited certificate exits 1", () => {
	const [header = "", payload = "", signature = ""] = jws.split(".");
	const edited = Buffer.from(Buffer.from(payload, "base64url").toString().replace('"complete"', '"Complete"')).toString(
		"base64url",
	);
	const result = verify(file("edited.jws", `${header}.${edited}.${signature}`), "--keys", keys);
	assert.equal(result.code, 1);
	assert.match(result.out, /bad_signature/);
});

test("what can't be judged exits 2 with one line that names the mend", () => {
	const cases = [
		[join(folder, "absent.jws"), "--keys", keys],
		[file("empty.jws", ""), "--keys", keys],
		[file("prose.txt", "hello"), "--keys", keys],
		[file("no-jws.json", { certificate: 1 }), "--keys", keys],
		[file("null.json", "null"), "--keys", keys],
		[file("b.jws", jws), "--keys", join(folder, "absent.json")],
		[file("b.jws", jws), "--keys", file("keys.txt", "hello")],
		[file("b.jws", jws), "--keys", file("no-keys.json", { keys: [] })],
	];
	for (const args of cases) {
		const result = verify(...args);
		assert.equal(result.code, 2, args.join(" "));
		assert.equal(result.out, "");
		assert.equal(result.error.trim().split("\n").length, 1);
	}
});
