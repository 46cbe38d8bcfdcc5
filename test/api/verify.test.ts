// A code whose message may be on its way stays right; one whose message is not there counts for nothing. No guess counts
// that the evidence log does not know of.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { LetheError } from "../../domain/errors.ts";
import type { Message } from "../../domain/message.ts";
import { createTestApi, type TestApi } from "./harness.ts";

describe("a code, whatever is lost", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	/** What becomes of the next insert: its answer is lost, it is lost itself; and whether the store can be read then. */
	let lost: "answer" | "insert" | undefined;
	let isUnread: boolean;
	/** How many entries of the evidence log are lost next. */
	let unentered = 0;
	before(async () => {
		api = await createTestApi(({ store, evidence }) => {
			const insert: typeof store.messages.insert = async (message, notAfter) => {
				const losing = lost;
				lost = undefined;
				const answer = losing === "insert" ? undefined : await store.messages.insert(message, notAfter);
				if (losing || !answer) throw new LetheError("outcome_unknown");
				return answer;
			};
			const find: typeof store.messages.find = async (id) => {
				if (!isUnread) return store.messages.find(id);
				isUnread = false;
				throw new LetheError("store_unavailable");
			};
			const append: typeof evidence.append = async (acts) => {
				if (unentered-- > 0) throw new LetheError("store_unavailable");
				return evidence.append(acts);
			};
			return { store: { ...store, messages: { ...store.messages, insert, find } }, evidence: { ...evidence, append } };
		});
		({ tenantId, key: sender } = await api.addTenant());
	});
	beforeEach(() => {
		[lost, isUnread] = [undefined, false];
	});
	after(() => api.close());

	let numbers = 0;
	const start = (to: string, key: string) =>
		api.request(sender, "POST", "/v1/verifications", { to, lawfulBasis: "contract" }, { "idempotency-key": key });
	const newNumber = () => `+49151${10_000_000 + numbers++}`;
	async function sentCode(): Promise<string> {
		const [{ _id: messageId, content: sealed }] = (await api.store.messages.page(tenantId, 1)) as [Message];
		const place = { tenantId, messageId, object: "content" as const };
		const text = await api.encryptionFor.decrypt({ ...place, sealed: sealed as NonNullable<typeof sealed> });
		return /\d{6}/.exec(text.reveal())?.[0] as string;
	}

	for (const unread of [false, true]) {
		it(`whose message stands is right${unread ? ", also where that can't be read" : ""}`, async () => {
			const [to, key] = [newNumber(), `stands-${unread}`];
			[lost, isUnread] = ["answer", unread];
			const first = await start(to, key);
			assert.deepEqual([first.status, first.json.code], [503, "outcome_unknown"]);
			const { json } = await start(to, key);
			const code = await sentCode();
			const checked = await api.request(sender, "POST", `/v1/verifications/${json.id}/check`, { code });
			assert.equal(checked.json.valid, true, checked.text);
		});
	}

	it("whose message is not there is taken back: the next try need not wait", async () => {
		const to = newNumber();
		lost = "insert";
		assert.equal((await start(to, "gone")).json.code, "outcome_unknown");
		assert.equal((await start(to, "another")).status, 202);
	});

	for (const [how, headers] of Object.entries<Record<string, string>>({
		"by another request": {},
		"by the same request": { "idempotency-key": "checked" },
	})) {
		it(`is not used up by a check that could not be entered: it is right again ${how}, and entered`, async () => {
			const { json } = await start(newNumber(), `entered-${Object.keys(headers).length}`);
			const code = await sentCode();
			const check = () => api.request(sender, "POST", `/v1/verifications/${json.id}/check`, { code }, headers);
			unentered = 1;
			assert.equal((await check()).json.code, "store_unavailable");
			assert.equal((await api.request(sender, "GET", `/v1/verifications/${json.id}`)).json.state, "pending");
			assert.equal((await check()).json.valid, true);
			const acts = (await api.entries(json.id)).filter(({ about }) => about === json.id);
			assert.deepEqual(acts.at(-1)?.type, "verification_approved");
		});
	}
});
