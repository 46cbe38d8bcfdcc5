// `lethe keygen` and `lethe open` as a shell sees them: files, exit codes and output.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { generateKey, type PrivateKey, publicKeyOf, seal, splitText } from "../../client/e2ee.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-open-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = fileURLToPath(new URL("../../cli/lethe.ts", import.meta.url));

async function lethe(input: string, ...args: string[]) {
	const child = spawn(process.execPath, [program, ...args]);
	child.stdin.on("error", () => undefined).end(input);
	const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
	const [out, error, code] = await Promise.all([readAll(child.stdout), readAll(child.stderr), ended]);
	return { code, out, error };
}

function file(name: string, content: unknown): string {
	const path = join(folder, name);
	writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
	return path;
}

/** A lethe1 text of bytes that are no text. */
async function sealBytes(bytes: Uint8Array, { x }: PrivateKey): Promise<string> {
	const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
	const recipientPublicKey = await suite.kem.importKey("jwk", { kty: "OKP", crv: "X25519", x }, true);
	const utf8 = new TextEncoder();
	const { enc, ct } = await suite.seal(
		{ recipientPublicKey, info: utf8.encode("lethe/e2ee/v1") },
		bytes,
		utf8.encode(messageId),
	);
	return `lethe1.${messageId}.${Buffer.concat([Buffer.from(enc), Buffer.from(ct)]).toString("base64url")}`;
}

const messageId = `msg_${"a".repeat(26)}`;

test("keygen makes a key that is its owner's alone, tells its public half, and overwrites none", async () => {
	const path = join(folder, "key.json");
	const { code, out } = await lethe("", "keygen", "--out", path);
	assert.equal(code, 0);
	assert.equal(statSync(path).mode & 0o777, 0o600);
	const key = JSON.parse(readFileSync(path, "utf8")) as PrivateKey;
	assert.deepEqual(JSON.parse(out), publicKeyOf(key));
	const [again, printed, opened] = await Promise.all([
		lethe("", "keygen", "--out", path),
		lethe("", "keygen"),
		lethe(await seal({ version: "lethe1", messageId, text: "Grüße\n✓", key }), "open", "--key", path),
	]);
	assert.equal(again.code, 2);
	assert.match(again.error, /^lethe keygen: .* is there already.*another --out\.\n$/);
	assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), key);
	assert.notEqual((JSON.parse(printed.out) as PrivateKey).d, key.d);
	assert.deepEqual(opened, { code: 0, out: "Grüße\n✓\n", error: "" });
});

test("open answers 1 for what does not open and 2 for what is no text or key, each in one line with the mend", async () => {
	const [key, sender] = await Promise.all([generateKey(), generateKey()]);
	const [keyFile, senderFile] = [file("own.json", key), file("senders.json", { keys: [publicKeyOf(sender)] })];
	const text = await seal({ version: "lethe1", messageId, text: "Befund ".repeat(60), key });
	const signed = { version: "lethe2", messageId, key, senderKey: sender } as const;
	const [lethe2, expired] = await Promise.all([
		seal({ ...signed, text: "Termin", expiresAt: new Date(Date.now() + 60_000) }),
		seal({ ...signed, text: "Termin", expiresAt: new Date(0) }),
	]);
	const parts = splitText(text, 200);
	const noText = await sealBytes(Uint8Array.of(0xff, 0xfe), key);
	const from = ["--sender-key", senderFile];
	const once = ["--seen", file("seen.txt", "")];
	const open = (input: string, ...args: string[]) => lethe(input, "open", "--key", keyFile, ...args);
	const of = (name: string, ...keys: object[]) => ["open", "--key", file(name, { keys })];
	// A set of a life: another kind, the public half of somebody's, an older key, and the one that fits.
	const several = of("several.json", { kty: "EC", crv: "P-256" }, publicKeyOf(sender), await generateKey(), key);
	const cases: [Promise<{ code: number | null; out: string; error: string }>, number, RegExp][] = [
		[open(parts.toReversed().join("\n"), ...once), 0, /^$/],
		[open(parts.slice(1).join("\n")), 1, /part 1 of 4 is not there/],
		[open(lethe2, "--json", ...from), 0, /^$/],
		[lethe(text, ...several), 0, /^$/],
		[lethe(lethe2, ...several, ...from), 0, /^$/],
		[lethe(text, ...of("others.json", sender, await generateKey())), 1, /does not open: it is for another key, or was/],
		[open(lethe2), 2, /--sender-key/],
		[
			open(lethe2, "--sender-key", file("another.json", publicKeyOf(key))),
			1,
			/--sender-key wrote.*recipient-keys senders/,
		],
		[open(lethe2, "--sender-key", file("bad.json", { kty: "EC" })), 2, /keygen.*recipient-keys senders/],
		[open(expired, ...from), 1, /expired/],
		[open(text.replace("msg_a", "msg_b")), 1, /does not open/],
		[open("lethe7.x.y"), 2, /lethe7: .*Update/],
		[open("Hallo"), 2, /no end-to-end encrypted text/],
		[open("lethe1"), 2, /no end-to-end encrypted text/],
		[open("lethe1."), 1, /not all of it/],
		[open(text.slice(0, 62)), 1, /not all of it/],
		[open(`${text}=`), 1, /not all of it/],
		[open(`${text.slice(0, -8)}+/+/${text.slice(-4)}`), 1, /not all of it/],
		[open(noText), 1, /not all of it/],
		[open(lethe2.slice(0, 62), ...from), 1, /not all of it/],
		[open(`${text} ${lethe2}`), 2, /more than one/],
		[open(""), 2, /no text/],
		[open(text.slice(0, -1)), 1, /does not open/],
		[lethe(text, "open", "--key", file("none.json", { keys: [] })), 2, /is not a private .*keygen/],
		[lethe(text, "open", "--key", senderFile), 2, /private.*keygen/],
		[lethe(text, "open", "--key", join(folder, "none")), 2, /check its path/],
		[lethe(text, "open"), 2, /--key/],
	];
	for (const [run, code, error] of cases) {
		const answer = await run;
		assert.equal(answer.code, code, answer.error);
		assert.match(answer.error, error);
		assert.ok(answer.error.split("\n").length <= 2);
	}
	assert.equal((await (cases[0] as (typeof cases)[0])[0]).out, `${"Befund ".repeat(60)}\n`);
	const told = JSON.parse((await (cases[2] as (typeof cases)[0])[0]).out);
	assert.deepEqual([told.messageId, told.text, told.sender], [messageId, "Termin", publicKeyOf(sender)]);
	const again = await open(text, ...once);
	assert.equal(again.code, 1);
	assert.match(again.error, /opened before/);
});
