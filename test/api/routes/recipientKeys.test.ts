// Recipients' keys: registered by whoever can decrypt, replaced, revoked for good; and the texts that only they open.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createRejudge } from "../../../activities/rejudge.ts";
import { generateKey, open, type PrivateKey, publicKeyOf, splitText } from "../../../client/e2ee.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { Message } from "../../../domain/message.ts";
import { openPolicies } from "../../../policies/index.ts";
import { createTestApi, type TestApi } from "../harness.ts";

const execute = promisify(execFile);
const program = fileURLToPath(new URL("../../../cli/lethe.ts", import.meta.url));

let last = 300;
const freshNumber = () => `+4915112345${String(++last).padStart(3, "0")}`;

describe("/v1/recipient-keys", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	let compliance: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ tenantId, key: sender } = await api.addTenant());
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
	});
	after(() => api.close());

	type Claim = { number: string; key: PrivateKey; version?: string };
	const toBody = ({ number, key, version }: Claim) => ({ number, key: publicKeyOf(key), ...(version && { version }) });
	const challenge = (claim: Claim, by = sender) =>
		api.request(by, "POST", "/v1/recipient-keys/challenges", toBody(claim));
	const answerOf = async (claim: Claim) => {
		const { json } = await challenge(claim);
		const opened = await open(json.challenge, { key: claim.key, seen: null });
		assert.equal(opened.messageId, json.id);
		return opened.text;
	};
	const claimWith = (claim: Claim, answer: string, by = sender) =>
		api.request(by, "POST", "/v1/recipient-keys", { ...toBody(claim), answer });
	const register = async (claim: Claim) => claimWith(claim, await answerOf(claim));
	const revoke = (id: string, by = sender) => api.request(by, "POST", `/v1/recipient-keys/${id}/revoke`);
	const search = async (number: string) =>
		(await api.request(sender, "POST", "/v1/recipient-keys/search", { number })).json.items;
	const send = (to: string, more: object = {}) => api.post(sender, { to, deliver: "e2ee", ...more });
	const contentOf = async ({ _id: messageId, content: sealed }: Message) =>
		(await api.encryptionFor.decrypt({ tenantId, messageId, object: "content", sealed: sealed as never })).reveal();

	it("a challenge is kept nowhere: a repeat is told so", async () => {
		const claim = { number: freshNumber(), key: await generateKey() };
		const headers = { "idempotency-key": "challenge-1" };
		const once = () => api.request(sender, "POST", "/v1/recipient-keys/challenges", toBody(claim), headers);
		const [first, again] = [await once(), await once()];
		assert.deepEqual([first.status, again.status, again.json.code], [200, 409, "answer_not_kept"]);
		const kept = JSON.stringify(await api.connection.collection("idempotencyKeys").find({}).toArray());
		assert.ok(!kept.includes(first.json.challenge));
	});

	it("only whoever decrypts the challenge registers a key, for that number, in time", async () => {
		const [key, other] = await Promise.all([generateKey(), generateKey()]);
		const claim = { number: freshNumber(), key };
		const answer = await answerOf(claim);
		const changed = answer.slice(0, -1) + (answer.endsWith("A") ? "B" : "A");
		const later = `${(Number.parseInt(answer.split(".")[0] as string, 36) + 1e9).toString(36)}.${answer.split(".")[1]}`;
		const refused = [
			claimWith(claim, changed),
			claimWith(claim, later),
			claimWith(claim, ""),
			claimWith({ ...claim, number: freshNumber() }, answer),
			claimWith({ ...claim, key: other }, answer),
			claimWith({ ...claim, version: "lethe2" }, answer),
		];
		for (const one of await Promise.all(refused))
			assert.deepEqual([one.status, one.json.code], [422, "challenge_failed"]);
		api.time.offsetMs += 10 * 60_000;
		assert.equal((await claimWith(claim, answer)).json.code, "challenge_failed");
		assert.deepEqual(await search(claim.number), []);

		const again = await answerOf(claim);
		const stranger = (await api.addTenant()).key;
		assert.equal((await claimWith(claim, again, stranger)).json.code, "challenge_failed");
		const { status, json, text } = await claimWith(claim, again);
		assert.equal(status, 201);
		assert.deepEqual([json.key, json.version], [publicKeyOf(key), "lethe1"]);
		assert.ok(!text.includes(claim.number.slice(1)));
		const repeated = await claimWith(claim, again);
		assert.deepEqual(repeated.json, json);
		assert.equal((await api.request(stranger, "GET", `/v1/recipient-keys/${json.id}`)).status, 404);
		assert.equal((await revoke(json.id, stranger)).status, 404);
		assert.deepEqual(await search(claim.number), [json]);
	});

	it("what is no public key of X25519 is refused, and a private half above all, without being answered back", async () => {
		const key = await generateKey();
		const body = { number: freshNumber(), key };
		const wrong = [
			{ ...body, key },
			{ ...body, key: { ...publicKeyOf(key), crv: "Ed25519" } },
			{ ...body, key: { ...publicKeyOf(key), x: key.x.slice(1) } },
			{ ...body, key: { ...publicKeyOf(key), x: Buffer.alloc(32).toString("base64url") } },
		];
		for (const one of wrong) {
			const { status, json, text } = await api.request(sender, "POST", "/v1/recipient-keys/challenges", one);
			assert.deepEqual([status, json.code], [400, "invalid_request"]);
			assert.ok(!text.includes(key.d));
		}
	});

	it("a text is encrypted before it is stored, costs what the dry run says, and opens with the recipient's key only", async () => {
		const key = await generateKey();
		const claim = { number: freshNumber(), key };
		const missing = await send(claim.number);
		assert.deepEqual([missing.status, missing.json.code], [422, "recipient_key_missing"]);
		const { id: keyId } = (await register(claim)).json;
		const body = "Ihr Befund ist da: ohne Auffälligkeiten.";
		const told = await api.request(sender, "POST", "/v1/messages?dryRun=true", {
			...{ to: claim.number, body, category: "transactional", dataClasses: ["contact"], deliver: "e2ee" },
			lawfulBasis: "contract",
		});
		const accepted = await send(claim.number, { body });
		assert.equal(accepted.status, 202);
		assert.equal(accepted.json.decision.deliveryMode, "e2ee");
		const message = await api.read(accepted.json.id);
		const sealed = await contentOf(message);
		assert.ok(sealed.startsWith(`lethe1.${message._id}.`));
		assert.ok(!sealed.includes("Befund"));
		await assert.rejects(open(sealed, { key: await generateKey(), seen: null }), { reason: "undecryptable" });
		assert.deepEqual(await open(sealed, { key, seen: null }), {
			messageId: message._id,
			text: body,
			version: "lethe1",
		});
		assert.equal(message.recipientKeyId, keyId);
		assert.deepEqual(
			[told.json.segments, told.json.encoding, told.json.units],
			[message.segments, "gsm7", sealed.length],
		);
		const { json } = await api.request(sender, "GET", `/v1/messages/${message._id}`);
		assert.deepEqual([json.deliveryMode, json.recipientKey], ["e2ee", keyId]);
	});

	it("a text is as long as ten SMS hold once it is encrypted, is joined from parts in any order, and no longer one goes", async () => {
		for (const [version, bytes] of [
			["lethe1", 1071],
			["lethe2", 1063],
		] as const) {
			const key = await generateKey();
			const claim = { number: freshNumber(), key, version };
			await register(claim);
			const body = "ä".repeat(bytes / 2) + "!".repeat(bytes % 2);
			const { status, json } = await send(claim.number, { body });
			assert.equal(status, 202);
			const message = await api.read(json.id);
			assert.equal(message.segments, 10);
			const { keys: senderKeys } = (await api.request(sender, "GET", "/v1/sender-keys")).json;
			const parts = splitText(await contentOf(message), 160);
			const mixed = [...parts.toReversed(), ...parts.slice(0, 2)];
			assert.equal((await openInShell(mixed, { key, senderKeys })).stdout, `${body}\n`);
			await assert.rejects(
				openInShell(mixed.slice(1, -2), { key, senderKeys }),
				(error: { code: number; stderr: string }) => {
					assert.equal(error.code, 1);
					assert.match(error.stderr, new RegExp(`of ${json.id} part ${parts.length} of ${parts.length} is not there`));
					return true;
				},
			);
			const longer = await send(claim.number, { body: `${body}?` });
			const [{ pointer, detail }] = longer.json.errors;
			assert.deepEqual([longer.status, longer.json.code, pointer], [400, "invalid_request", "/body"]);
			assert.match(detail, new RegExp(`shorten it to ${bytes} bytes`));
		}
	});

	/** `lethe open` on texts, as somebody pastes them. */
	async function openInShell(texts: string[], { key, senderKeys }: { key: PrivateKey; senderKeys: object[] }) {
		const folder = await mkdtemp(join(tmpdir(), "lethe-open-"));
		try {
			const [own, theirs] = [join(folder, "own.json"), join(folder, "senders.json")];
			await writeFile(own, JSON.stringify(key));
			await writeFile(theirs, JSON.stringify({ keys: senderKeys }));
			const opening = execute(process.execPath, [program, "open", "--key", own, "--sender-key", theirs]);
			opening.child.stdin?.end(texts.join("\n"));
			return await opening;
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	}

	it("a lethe2 text says who wrote it and when it expires; each tenant has a key of its own, made once", async () => {
		const key = await generateKey();
		const claim = { number: freshNumber(), key, version: "lethe2" };
		const own = () => api.request(sender, "GET", "/v1/sender-keys");
		const [first, second] = await Promise.all([challenge(claim), challenge(claim)]);
		const { keys } = first.json.senderKeys;
		assert.equal(keys.length, 1);
		assert.deepEqual(second.json.senderKeys, first.json.senderKeys);
		assert.deepEqual((await own()).json.keys, keys);
		assert.equal((await register(claim)).status, 201);
		const { json } = await send(claim.number, { body: "Morgen um neun." });
		const opened = await open(await contentOf(await api.read(json.id)), { key, senderKeys: keys, seen: null });
		assert.deepEqual([opened.text, opened.sender], ["Morgen um neun.", keys[0]]);
		assert.ok((opened.expiresAt as Date).getTime() > Date.parse(json.expiresAt));
		const other = await api.addTenant();
		assert.deepEqual((await api.request(other.key, "GET", "/v1/sender-keys")).json.keys, []);
	});

	it("a newer key takes the place of the one before; what is revoked never comes back, and nothing older does by it", async () => {
		const number = freshNumber();
		const keys = await Promise.all([generateKey(), generateKey()]);
		const [older, newer] = keys.map((key) => ({ number, key })) as [Claim, Claim];
		const first = (await register(older)).json;
		const waiting = await api.read((await send(number)).json.id);
		api.time.offsetMs += 1_000;
		const second = (await register(newer)).json;
		assert.deepEqual(
			(await search(number)).map(({ id, ended }: { id: string; ended?: object }) => [id, ended !== undefined]),
			[
				[second.id, false],
				[first.id, true],
			],
		);
		const text = await contentOf(await api.read((await send(number)).json.id));
		assert.equal((await open(text, { key: newer.key, seen: null })).messageId.startsWith("msg_"), true);

		const { rejudge } = createRejudge({ ...api, policies: openPolicies() });
		assert.equal((await rejudge(waiting)).kind, "due");
		assert.equal((await challenge(older)).json.code, "recipient_key_revoked");
		assert.equal((await revoke(first.id)).json.ended.source, "api");
		assert.deepEqual(await rejudge(waiting), { kind: "refused", code: "recipient_key_revoked" });

		assert.equal((await revoke(second.id)).status, 200);
		assert.equal((await send(number)).json.code, "recipient_key_missing");
		assert.equal((await challenge(newer)).json.code, "recipient_key_revoked");
		// One that was asked for before is no way round.
		assert.equal((await revoke(second.id)).json.ended.at, (await search(number))[0].ended.at);
	});

	it("a key goes over to another version for good, and what was registered so may be registered again", async () => {
		const claim = { number: freshNumber(), key: await generateKey() };
		assert.equal((await register(claim)).status, 201);
		const next = { ...claim, version: "lethe2" };
		const { status, json } = await register(next);
		assert.equal(status, 201);
		assert.deepEqual((await register(next)).json, json);
		assert.equal((await challenge(claim)).json.code, "recipient_key_revoked");
		assert.equal((await revoke(json.id)).status, 200);
		assert.equal((await challenge(next)).json.code, "recipient_key_revoked");
	});

	it("`lethe recipient-keys` registers a key file, lists it without a number, and revokes it", async () => {
		const folder = await mkdtemp(join(tmpdir(), "lethe-keys-"));
		try {
			const file = join(folder, "key.json");
			const number = freshNumber();
			await writeFile(file, JSON.stringify(await generateKey()));
			const url = await api.app.listen({ host: "127.0.0.1", port: 0 });
			const lethe = (...args: string[]) =>
				execute(process.execPath, [program, "recipient-keys", ...args, "--url", url, "--key", sender, "--json"]);
			const own = ["--number", number, "--private-key", file];
			const { id, version } = JSON.parse((await lethe("register", ...own, "--text", "lethe2")).stdout);
			assert.equal(version, "lethe2");
			const { items } = JSON.parse((await lethe("list", "--number", number)).stdout);
			assert.deepEqual([items.length, items[0].id], [1, id]);
			assert.equal(JSON.parse((await lethe("senders")).stdout).keys.length, 1);
			assert.ok(JSON.parse((await lethe("revoke", id)).stdout).ended);
			await assert.rejects(lethe("register", ...own, "--text", "lethe2"), (error: { code: number; stderr: string }) => {
				assert.equal(error.code, 1);
				assert.match(error.stderr, /^lethe recipient-keys register: recipient_key_revoked: .*make another\. .*\n$/);
				return true;
			});
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	});

	it("registering and revoking are in the evidence log before they are answered, and not done without it", async () => {
		const claim = { number: freshNumber(), key: await generateKey() };
		const { id } = (await register(claim)).json;
		await revoke(id);
		const { json } = await api.request(compliance, "GET", `/v1/evidence?about=${id}`);
		const types = json.items.map(({ type, code }: { type: string; code?: string }) => `${type} ${code ?? ""}`).sort();
		assert.deepEqual(types, ["recipient_key_registered lethe1", "recipient_key_revoked api"]);
		const { append } = api.evidence;
		api.evidence.append = async () => {
			throw new LetheError("store_unavailable");
		};
		try {
			const next = { number: freshNumber(), key: await generateKey() };
			assert.equal((await register(next)).status, 503);
			api.evidence.append = append;
			assert.deepEqual(await search(next.number), []);
		} finally {
			api.evidence.append = append;
		}
	});
});
