// Accepting many together: one submission, its head last, refusals item by item.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createAccept } from "../../api/accept.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { type MessageInput, schemas } from "../../api/schemas.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Message } from "../../domain/message.ts";
import { createTestApi, messageBody, type TestApi } from "./harness.ts";

describe("accepting a list", () => {
	let api: TestApi;
	let principal: { id: string; tenantId: string; roles: string[] };
	before(async () => {
		api = await createTestApi();
		const { tenantId, keyId } = await api.addTenant();
		principal = { id: keyId, tenantId, roles: ["sender"] };
	});
	after(() => api.close());

	const inputs = (...more: object[]): MessageInput[] => more.map((one) => schemas.messageInput.parse(messageBody(one)));
	const acceptWith = (insert: ApiDeps["store"]["messages"]["insert"]) => {
		const { messages, tenants, sendQueues } = api.store;
		const store = { tenants, sendQueues, messages: { insert, findBySubmission: messages.findBySubmission } };
		return createAccept({ ...api, store }).accept;
	};

	it("makes one submission, inserts its head last and starts it once", async () => {
		const order: string[] = [];
		const accept = acceptWith(async (message) => {
			const result = await api.store.messages.insert(message);
			order.push(message._id);
			return result;
		});
		const { items, replayed } = await accept({ principal, inputs: inputs({}, {}, {}, {}, {}) });
		const messages = items.map((item) => (item as { message: Message }).message);
		assert.equal(replayed, false);
		assert.equal(order.at(-1), messages[0]?._id);
		assert.equal(new Set(messages.map(({ submissionId }) => submissionId)).size, 1);
		assert.deepEqual(new Set(messages.map(({ submissionSize }) => submissionSize)), new Set([5]));
		const { submissionId } = messages[0] as Message;
		assert.equal(api.seen.started.filter((id) => id === submissionId).length, 1);
		assert.equal((await api.store.messages.findBySubmission(submissionId)).length, 5);
	});

	it("refuses item by item, in order, and counts only what it took", async () => {
		const accept = acceptWith(api.store.messages.insert);
		const { items } = await accept({ principal, inputs: inputs({ to: "+499" }, {}, { clientReference: "a@b" }, {}) });
		assert.deepEqual(
			items.map((item) => ("error" in item ? item.error.code : item.message.submissionSize)),
			["invalid_number", 2, "reference_not_opaque", 2],
		);
	});

	it("messages of one release time share a group", async () => {
		const later = new Date(api.clock() + 3600_000).toISOString();
		const accept = acceptWith(api.store.messages.insert);
		const { items } = await accept({ principal, inputs: inputs({}, { sendAt: later }, {}, { sendAt: later }) });
		assert.deepEqual(
			items.map((item) => (item as { message: Message }).message.group),
			[0, 1, 0, 1],
		);
	});

	it("torn half way it is not accepted, and its repeat completes it", async () => {
		let torn = true;
		let inserted = 0;
		const accept = acceptWith(async (message) => {
			if (torn && inserted++ >= 2) throw new LetheError("store_unavailable");
			return api.store.messages.insert(message);
		});
		const started = api.seen.started.length;
		const request = { principal, inputs: inputs({}, {}, {}, {}), key: "torn" };
		await assert.rejects(accept(request), { code: "store_unavailable" });
		assert.equal(api.seen.started.length, started);
		torn = false;
		const { items } = await accept(request);
		assert.equal(items.filter((item) => "message" in item).length, 4);
		assert.equal(api.seen.started.length, started + 1);
		const again = await accept(request);
		assert.equal(again.replayed, true);
	});
});
