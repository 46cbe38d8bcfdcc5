// `lethe verify` as a shell sees it: exit codes and output.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CompactSign } from "jose";
import { type CertificateInput, createCertificates, type Kept } from "../../audit/certificate.ts";
import { signCheckpoint } from "../../audit/checkpoint.ts";
import { leafHash } from "../../audit/merkle.ts";
import { formatId } from "../../domain/ids.ts";
import { carrierOf, createMemoryEvidence, origin } from "../audit/memoryEvidence.ts";

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

async function issue(
	lifetimeMs: number | null,
	input: Partial<CertificateInput> = {},
	clock = Date.now(),
): Promise<string> {
	const certificates = createCertificates({
		sign: async (bytes) => ({ signature: sign(null, bytes, privateKey), kid: "certificate-1" }),
		clock: () => clock,
		lifetimes: {
			oplogMs: lifetimeMs,
			journalMs: lifetimeMs,
			databaseBackupMs: lifetimeMs,
			vaultRaftLogMs: lifetimeMs,
			vaultSnapshotMs: lifetimeMs,
			logsMs: lifetimeMs,
			carrierMs: lifetimeMs,
			keyCacheMs: 1000,
		},
	});
	const { jws } = await certificates.issue({
		id: formatId("certificate", new Uint8Array(16)),
		kind: "submission",
		tenantId: formatId("tenant", new Uint8Array(16)),
		objects: [{ object: "content", messageId, erasedAt: clock - day, verified: true }],
		carrierCopies: [],
		...input,
	});
	return jws;
}

const jws = await issue(35 * day);
const keys = file("keys.json", { keys: [jwk] });
const receiptPair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const receiptJwk = { ...receiptPair.publicKey.export({ format: "jwk" }), kid: "receipt-1" };
const receipt = await new CompactSign(Buffer.from("{}"))
	.setProtectedHeader({ alg: "ES256", kid: "receipt-1", typ: "lethe-sending-receipt" })
	.sign(receiptPair.privateKey);

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

test("what a request kept is told before what it erased is called forgotten, and what the carrier has is not Lethe's to forget", async () => {
	const long = Date.now() - 90 * day;
	const until = Date.parse("2031-01-01T00:00:00Z");
	const kept: Kept[] = [
		{ object: "content", reason: "legal_hold", citations: ["GDPR Art. 17(3)(e)"], messageId },
		{ object: "decision_record", reason: "record", citations: [], messageId, until },
	];
	const request = { id: formatId("subjectRequest", new Uint8Array(16)), kept };
	const objects = [{ object: "address", messageId, erasedAt: long - day, verified: true }] as const;
	const carrierCopies = [{ kind: "obligation", handedAt: long - day }] as const;
	const jws = await issue(35 * day, { kind: "request", objects, request, carrierCopies }, long);
	const { code, out } = verify(file("kept.jws", jws), "--keys", keys);
	assert.equal(code, 0);
	assert.match(out, /KEPT.*content of msg_\w+: legal hold \(GDPR Art. 17\(3\)\(e\)\).*Complete since/s);
	assert.match(out, /decision record of msg_\w+: record, until 2031-01-01T00:00:00.000Z/);
	assert.match(out, /nobody can read Lethe's copies of what was erased/);
	assert.match(out, /The carrier may still have its copy until 20/);
	const open = await issue(35 * day, { objects, carrierCopies: [] }, long);
	assert.doesNotMatch(verify(file("none.jws", open), "--keys", keys).out, /KEPT|may still have/);
});

test("what was on record of a recipient is called that, and no message", async () => {
	const recordIds = [0, 1].map((byte) => formatId("recipientKey", new Uint8Array(16).fill(byte)));
	const at = Date.now() - day;
	const objects = recordIds.map((recordId) => ({
		...{ object: "recipient_key" as const, recordId, erasedAt: at, verified: true },
	}));
	const jws = await issue(day, { kind: "record", objects, carrierCopies: [] });
	assert.match(verify(file("records.jws", jws), "--keys", keys).out, / {2}recipient key of 2 records\n/);
});

test("a key that is pinned for something else signs no certificate", async () => {
	for (const use of ["canary", "evidence"]) {
		const pinned = file(`${use}-keys.json`, { keys: [{ ...jwk, lethe_use: use }] });
		const result = verify(file("certificate.jws", jws), "--keys", pinned, "--json");
		assert.deepEqual([result.code, JSON.parse(result.out)], [1, { valid: false, reason: "key_not_pinned" }]);
		assert.match(verify(file("certificate.jws", jws), "--keys", pinned).out, /^NOT VALID .*get the keys anew/);
	}
	const pinned = file("certificate-keys.json", { keys: [{ ...jwk, lethe_use: "certificate" }] });
	assert.equal(verify(file("certificate.jws", jws), "--keys", pinned).code, 0);
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

test("a file that says beside the certificate what was not signed exits 1", () => {
	const signed = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
	const answer = { id: signed.id, kind: signed.kind, about: "sub_x", issuedAt: signed.issuedAt, jws };
	assert.equal(verify(file("answer.json", answer), "--keys", keys).code, 0);
	for (const edited of [{ id: `${signed.id}x` }, { kind: "purge" }, { issuedAt: "2020-01-01T00:00:00.000Z" }]) {
		const result = verify(file("beside.json", { ...answer, ...edited }), "--keys", keys);
		assert.deepEqual([result.code, /\(contradicted\)/.test(result.out)], [1, true], JSON.stringify(edited));
	}
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

test("a set without a usable key of the kind that signs such a text can't judge it, whichever kind that is", () => {
	const broken = { x: "!!", y: "!!" };
	for (const [text, others, kind] of [
		[jws, [receiptJwk], "Ed25519"],
		[jws, [{ ...jwk, ...broken }], "Ed25519"],
		[receipt, [jwk], "P-256"],
		[receipt, [{ ...receiptJwk, ...broken }], "P-256"],
		['{"schema":"lethe/evidence-export/v1"}', [receiptJwk], "Ed25519"],
	] as const) {
		const { code, out, error } = verify(file("text", text), "--keys", file("others.json", { keys: others }));
		assert.deepEqual([code, out], [2, ""], error);
		assert.match(error, new RegExp(`^lethe verify: \\S+ holds no .*${kind} key with a kid: save [^\n]+\n$`));
	}
});

test("a key that can't be used is passed over and said, and the next of its name counts", () => {
	for (const [text, good, told] of [
		[jws, jwk, "VALID: erasure certificate"],
		[receipt, receiptJwk, "NOT VALID (schema)"],
	] as const) {
		const pinned = file("mixed.json", { keys: [{ ...good, x: "!!" }, 7, good] });
		const { code, out, error } = verify(file("text", text), "--keys", pinned);
		assert.deepEqual([code, out.startsWith(told)], [told.startsWith("NOT") ? 1 : 0, true], out + error);
		assert.match(error, /^lethe verify: \S+: passed over keys\[0\] and 1 more: [^\n]+\n$/);
	}
	const alone = file("alone.json", { keys: [stranger, { ...jwk, kid: "certificate-2", x: "!!" }] });
	const { code, out, error } = verify(file("text", jws), "--keys", alone, "--json");
	assert.deepEqual([code, JSON.parse(out).reason], [1, "bad_signature"]);
	assert.match(error, /: passed over keys\[1\]: /);
});

const log = createMemoryEvidence();
const logKey = { kty: "OKP", crv: "Ed25519", x: log.key.x, kid: "evidence-1" };
const exported = async (since?: number): Promise<string[]> => {
	const lines: string[] = [];
	for await (const line of (await log.exports.export({ since }))?.lines ?? []) lines.push(line);
	return lines;
};

test("an evidence export is valid under the pinned key, and says what it shows and how the log has grown", async () => {
	await log.evidence.integrate(carrierOf(300));
	await log.checkpoints.publish();
	const older = file("older", log.kept.note);
	await log.evidence.integrate(carrierOf(300));
	await log.checkpoints.publish();
	const keys = file("log-keys.json", { keys: [jwk, logKey] });
	const whole = file("export.ndjson", `${(await exported(300)).join("\n")}\n`);
	const result = verify(whole, "--keys", keys, "--checkpoint", older);
	assert.deepEqual([result.code, result.error], [0, ""]);
	assert.match(result.out, /^VALID: entries 0 to 599, all that the log holds there/);
	assert.match(result.out, /grown from the checkpoint of 300 entries/);
	const told = JSON.parse(verify(whole, "--keys", keys, "--json").out);
	assert.deepEqual([told.valid, told.start, told.end, told.shown], [true, 0, 600, 600]);
	// An editor or a shell takes its last line's end, adds another, or writes each as Windows does.
	const windows = (text = "") => text.replaceAll("\n", "\r\n");
	const sent = verify(
		file("windows", windows((await exported(300)).join("\n"))),
		"--keys",
		keys,
		"--checkpoint",
		older,
	);
	assert.deepEqual([sent.code, sent.out], [0, result.out]);
	for (const note of [
		log.kept.note ?? "",
		(log.kept.note ?? "").trimEnd(),
		`${log.kept.note}\n`,
		windows(log.kept.note),
	]) {
		const kept = file("note", note);
		const { out } = verify(kept, "--keys", keys, "--checkpoint", kept);
		assert.match(out, /^VALID: log lethe.example\/evidence, checkpoint of 600/);
	}
	const beheaded = verify(file("beheaded.ndjson", (await exported()).slice(1).join("\n")), "--keys", keys);
	assert.deepEqual(
		[beheaded.code, /an export of evidence from its first line on\.\n$/.test(beheaded.error)],
		[2, true],
	);
	const proof = file("proof.json", await log.exports.prove(9, (await exported())[10]?.match(/"(ten_\w+)"/)?.[1] ?? ""));
	assert.equal(verify(proof, "--keys", keys).code, 0);
});

test("an entry that stands as its hash, the auditor's own too, is counted as not shown, and not said to be another's", async () => {
	const keys = file("log-keys.json", { keys: [logKey] });
	const lines = await exported();
	const withheld = lines.with(5, JSON.stringify(leafHash(Buffer.from(lines[5] ?? "")).toString("base64")));
	const { code, out } = verify(file("withheld.ndjson", withheld.join("\n")), "--keys", keys);
	assert.equal(code, 0);
	assert.match(out, /^ {2}599 shown; 1 not shown, there by their hashes; whose they are is not proven$/m);
	assert.doesNotMatch(out, /tenant/);
});

test("an evidence export that was changed, cut, or is another key's is not valid, and says why", async () => {
	const keys = file("log-keys.json", { keys: [{ ...logKey, lethe_use: "evidence" }] });
	const lines = await exported();
	for (const [reason, bad, pinned] of [
		["not_proven", lines.slice(0, -1), keys],
		["not_proven", lines.with(7, (lines[7] ?? "").replace("queued", "sending")), keys],
		["bad_entry", lines.with(7, "{}"), keys],
		["bad_entry", lines.with(7, `{"text":"${"a".repeat(200_000)}"}`), keys],
		["malformed", lines.with(0, '{"schema":"lethe/evidence-export/v9"}'), keys],
		["bad_checkpoint", lines, file("other-keys.json", { keys: [jwk] })],
		["bad_checkpoint", lines, file("canary-keys.json", { keys: [{ ...logKey, lethe_use: "canary" }] })],
	] as const) {
		const result = verify(file("bad.ndjson", bad.join("\n")), "--keys", pinned);
		assert.equal(result.code, 1, reason);
		assert.ok(result.out.startsWith(`NOT VALID (${reason}`), result.out);
	}
	const note = (log.kept.note ?? "").replace("\n600\n", "\n601\n");
	assert.match(verify(file("note", note), "--keys", keys).out, /^NOT VALID \(bad_checkpoint/);
});

test("of a large export it tells how far it is, and a file that can't be read is told from a fault of the program's", async () => {
	const keys = file("log-keys.json", { keys: [logKey] });
	const [header = ""] = await exported();
	const hidden = JSON.stringify(Buffer.alloc(32).toString("base64"));
	const large = file("large.ndjson", `${header}\n${`${hidden}\n`.repeat(200_000)}`);
	const { code, out, error } = verify(large, "--keys", keys);
	assert.deepEqual([code, out.startsWith("NOT VALID (not_proven")], [1, true], out);
	assert.match(error, /^bytes \[[#.]+\] \d+% [\d,]+ of 9,[\d,]+$/m);
	assert.match(verify(folder, "--keys", keys).error, /can't be read: check its path and your rights/);
	const broken = "Array.prototype.reduce = () => { throw new RangeError('too many'); };";
	const small = file("small.ndjson", (await exported()).join("\n"));
	const result = spawnSync(
		process.execPath,
		[
			"--input-type=module",
			"-e",
			`${program.replace("await verify", `${broken} await verify`)}`,
			"--",
			small,
			"--keys",
			keys,
		],
		{ encoding: "utf8" },
	);
	assert.doesNotMatch(result.stderr, /can't be read/);
	assert.match(result.stderr, /too many/);
});

test("beside a kept checkpoint a checkpoint or a proof of the same size is of that very tree, and of another size shows nothing", async () => {
	const keys = file("log-keys.json", { keys: [logKey] });
	const fork = await signCheckpoint({ origin, size: 600, root: Buffer.alloc(32) }, log.key.sign);
	const [note, kept] = [file("kept.txt", log.kept.note), file("forked.txt", fork)];
	const other = await signCheckpoint({ origin, size: 300, root: Buffer.alloc(32) }, log.key.sign);
	const stranger = await signCheckpoint({ origin: "another/log", size: 600, root: Buffer.alloc(32) }, log.key.sign);
	const proof = file("proof.json", await log.exports.prove(9, (await exported())[10]?.match(/"(ten_\w+)"/)?.[1] ?? ""));
	const whole = file("export.ndjson", (await exported()).join("\n"));
	for (const given of [note, proof, whole]) {
		const judge = (older: string) => {
			const { code, out } = verify(given, "--keys", keys, "--checkpoint", older, "--json");
			return [code, JSON.parse(out).reason ?? JSON.parse(out).grownSince];
		};
		assert.deepEqual(judge(note), [0, 600]);
		assert.deepEqual(judge(kept), [1, "not_grown"]);
		assert.deepEqual(judge(file("other.txt", other)), [1, "older_checkpoint_missing"]);
		assert.deepEqual(judge(file("stranger.txt", stranger)), [1, "bad_checkpoint"]);
		for (const junk of ["hello", fork.replace("\n600\n", "\n601\n")]) {
			const { code, out, error } = verify(given, "--keys", keys, "--checkpoint", file("junk.txt", junk));
			assert.deepEqual([code, out], [2, ""]);
			assert.match(error, /^lethe verify: \S+junk\.txt is no checkpoint .*: give what [^\n]+\n$/);
		}
	}
});

test("an evidence file that isn't there, or a checkpoint beside a certificate, can't be judged", async () => {
	const keys = file("log-keys.json", { keys: [jwk, logKey] });
	assert.equal(verify(join(folder, "nothing"), "--keys", keys).code, 2);
	const certificate = file("certificate.jws", await issue(day));
	assert.equal(verify(certificate, "--keys", keys, "--checkpoint", file("note", log.kept.note)).code, 2);
});
