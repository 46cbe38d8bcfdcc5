// Receipts of sending: signed, true to what happened, without number or text; what was sent can be shown by who has the salt.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { commitmentOf, verifyReceipt } from "../../../../audit/sendingReceipt.ts";
import { createTestApi, number, receiptOf, type TestApi, text } from "../../harness.ts";

const program = fileURLToPath(new URL("../../../../cli/lethe.ts", import.meta.url));

describe("GET /v1/messages/{id}/receipt", () => {
	let api: TestApi;
	let key: string;
	let jwks: { keys: { kty: string; kid: string }[] };
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
		jwks = (await api.request("", "GET", "/.well-known/jwks.json")).json;
	});
	after(() => api.close());

	const receiptFor = async (id: string): Promise<string> =>
		(await api.request(key, "GET", `/v1/messages/${id}/receipt`)).json.jws;
	const verify = (jws: string, keys: unknown = jwks, now = api.clock()) => verifyReceipt(jws, keys, { now });

	it("tells what became of the message, and commits to number and text by the sender's salt", async () => {
		const salt = randomBytes(16).toString("base64url");
		const { json } = await api.post(key, { commitmentSalt: salt });
		const early = await verify(await receiptFor(json.id));
		assert.ok(early.valid);
		assert.deepEqual([early.receipt.state, early.receipt.final, early.receipt.attempts], ["accepted", false, []]);
		await api.callback(receiptOf(await api.sent(json.id)));
		const jws = await receiptFor(json.id);
		const result = await verify(jws);
		assert.ok(result.valid);
		const { receipt } = result;
		assert.deepEqual([receipt.messageId, receipt.state, receipt.final], [json.id, "delivered", true]);
		assert.deepEqual([receipt.attempts[0]?.outcome, receipt.receipts[0]?.state], ["accepted", "delivered"]);
		assert.equal(receipt.commitment, commitmentOf(salt, number, text));
		assert.notEqual(receipt.commitment, commitmentOf(salt, number, `${text} `));
		assert.notEqual(receipt.commitment, commitmentOf(`${salt}x`, number, text));
		const payload = Buffer.from(jws.split(".")[1] as string, "base64url").toString();
		for (const secret of [text, number, number.slice(1), salt]) assert.ok(!payload.includes(secret));
		assert.ok(!JSON.stringify(await api.read(json.id)).includes(salt), "the salt is kept nowhere");
		const plain = await verify(await receiptFor((await api.post(key)).json.id));
		assert.equal(plain.valid && plain.receipt.commitment, undefined);
	});

	it("is not valid when it was changed, is of another key or of a certificate's, or is of the future", async () => {
		const jws = await receiptFor((await api.post(key)).json.id);
		const [header, payload, signature] = jws.split(".") as [string, string, string];
		const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
		const forged = Buffer.from(JSON.stringify({ ...claims, state: "delivered" })).toString("base64url");
		assert.deepEqual(await verify(`${header}.${forged}.${signature}`), { valid: false, reason: "bad_signature" });
		// The last character of 64 bytes has four bits to spare.
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
		const respelled = `${jws.slice(0, -1)}${letters[letters.indexOf(jws.at(-1) ?? "") + 1]}`;
		assert.deepEqual(Buffer.from(respelled.split(".")[2] ?? "", "base64url"), Buffer.from(signature, "base64url"));
		assert.deepEqual(await verify(respelled), { valid: false, reason: "malformed" });
		const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
		const kid = JSON.parse(Buffer.from(header, "base64url").toString()).kid;
		assert.deepEqual(await verify(jws, { keys: [stranger] }).catch((error) => error.name), "TypeError");
		const unnamed = { keys: [{ ...stranger, kid: "other" }] };
		assert.deepEqual(await verify(jws, unnamed), { valid: false, reason: "key_not_pinned" });
		assert.deepEqual(await verify(jws, { keys: [{ ...stranger, kid }] }), { valid: false, reason: "bad_signature" });
		const broken = { ...stranger, kid, x: "!!", y: "??" };
		assert.ok((await verify(jws, { keys: [broken, { ...stranger, kid }, ...jwks.keys] })).valid);
		const past = await verify(jws, jwks, api.clock() - 3600_000);
		assert.deepEqual(past, { valid: false, reason: "issued_in_future" });
		const token = await api.tokens.sign("lethe-sending-receipt", { state: "delivered" });
		const own = await api.tokens.publicJwks();
		assert.deepEqual(await verify(token, { keys: own }), { valid: false, reason: "schema" });
	});

	it("`lethe verify` checks it offline: 0 valid, 1 not", async () => {
		const folder = await mkdtemp(join(tmpdir(), "lethe-receipt-"));
		try {
			const jws = await receiptFor((await api.post(key)).json.id);
			const pinned = join(folder, "keys.json");
			const receiptKeys = jwks.keys.filter(({ kty }) => kty === "EC");
			await writeFile(pinned, JSON.stringify({ keys: receiptKeys }));
			const run = async (name: string, content: string) => {
				await writeFile(join(folder, name), content);
				const args = [program, "verify", join(folder, name), "--keys", pinned];
				return new Promise<{ code: number; out: string }>((resolve) => {
					execFile(process.execPath, args, (failure, out) => resolve({ code: Number(failure?.code ?? 0), out }));
				});
			};
			const good = await run("good.json", JSON.stringify({ jws }));
			assert.deepEqual([good.code, /^VALID: receipt of sending of msg_/.test(good.out)], [0, true]);
			const bad = await run("bad.jws", `${jws.slice(0, -4)}AAAA`);
			assert.deepEqual([bad.code, /^NOT VALID \(bad_signature\)/.test(bad.out)], [1, true]);
			const other = await run("other.json", JSON.stringify({ messageId: "msg_other", jws }));
			assert.deepEqual([other.code, /^NOT VALID \(contradicted\)/.test(other.out)], [1, true]);
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	});
});
