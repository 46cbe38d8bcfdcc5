// Tags under plain texts: whoever got one can have it checked, by the text alone; nobody else's text passes.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { segmentText } from "../../../../domain/segments.ts";
import { createTestApi, number, type TestApi } from "../../harness.ts";

describe("POST /v1/messages/check", () => {
	let api: TestApi;
	let tenantId: string;
	let key: string;
	let text: string;
	before(async () => {
		api = await createTestApi();
		({ tenantId, key } = await api.addTenant());
		const { json } = await api.post(key, { body: "Ihr Termin: Montag,  9 Uhr. Ödön", tag: true });
		const message = await api.read(json.id);
		const place = { tenantId, messageId: message._id, object: "content" } as const;
		text = (await api.encryptionFor.decrypt({ ...place, sealed: message.content as never })).reveal();
		assert.equal(message.segments, segmentText(text).segments);
	});
	after(() => api.close());

	const ask = async (written: string, to = number, by = key) => {
		const { status, json } = await api.request(by, "POST", "/v1/messages/check", { number: to, text: written });
		assert.equal(status, 200);
		return json.authentic as boolean;
	};

	it("a text ends in its tag, and is known by it, however it was copied", async () => {
		assert.match(text, /^Ihr Termin: Montag, {2}9 Uhr\. Ödön\n#[BCDFGHJKLMNPQRSTVWXZ]{5}-[BCDFGHJKLMNPQRSTVWXZ]{5}$/);
		const copies = [
			text,
			text.replace(/\s+/g, " "),
			` ${text.toLowerCase().replace("ihr termin: montag", "Ihr Termin: Montag").replace("uhr. ödön", "Uhr. Ödön")}\r\n`,
		];
		for (const copy of [...copies, text.normalize("NFD"), text.replace(/-(.{5})$/, "$1")])
			assert.ok(await ask(copy), copy);
		// Under the next key, too.
		api.vault.rotate("hmac-tag");
		api.time.offsetMs += 120_000;
		assert.ok(await ask(text));
	});

	it("a text that is changed, to another number, of another tenant, or without its tag is none of ours", async () => {
		const last = text.at(-1) === "B" ? "C" : "B";
		const wrong = [
			text.replace("Montag", "Dienstag"),
			text.replace("9 Uhr", "8 Uhr"),
			text.slice(0, -1) + last,
			text.split("\n")[0] as string,
			`${text}\n${text.split("\n")[1]}`,
			text.split("\n")[1] as string,
			"#",
		];
		for (const one of wrong) assert.equal(await ask(one), false, one);
		assert.equal(await ask(text, "+4915112345679"), false);
		assert.equal(await ask(text, number, (await api.addTenant()).key), false);
		assert.ok(await ask(text));
	});

	it("guesses are counted for the tenant, whoever asks; after an hour's worth nobody is answered", async () => {
		const { tenantId: other, key: guesser } = await api.addTenant();
		const { take } = api.requestCounts;
		api.requestCounts.take = async (limit, of) => {
			if (limit.name !== "text-checks") return take(limit, of);
			assert.deepEqual([of, limit.requests, limit.seconds], [other, 10_000, 3600]);
			return { allowed: false, counted: 10_001, remaining: 0, resetMs: 1_500 };
		};
		try {
			const body = { number, text };
			const { status, json, headers } = await api.request(guesser, "POST", "/v1/messages/check", body);
			assert.deepEqual([status, json.code, headers["retry-after"]], [429, "rate_limited", "2"]);
		} finally {
			api.requestCounts.take = take;
		}
	});

	it("a text that has no room for its tag is refused", async () => {
		const { status, json } = await api.post(key, { body: "x".repeat(1_520), tag: true });
		assert.deepEqual([status, json.errors[0].pointer], [400, "/body"]);
	});
});
