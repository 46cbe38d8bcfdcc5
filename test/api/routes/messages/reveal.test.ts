// A message in clear, for one person who says what for: decrypted by a worker, kept nowhere, refused once erased; and search by number.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Message } from "../../../../domain/message.ts";
import { end, eraseObjects } from "../../../../domain/transition.ts";
import { createEngine, type Engine } from "../../../harness/engine.ts";
import { openDoor } from "../../../harness/requests.ts";

const number = "+12025550142";
const asked = { purpose: "complaint", ticket: "case-4711" };

describe("reading a message", () => {
	let engine: Engine;
	let door: Awaited<ReturnType<typeof openDoor>>;
	let token: string;
	let personId: string;
	before(async () => {
		engine = await createEngine({ sender: false });
		door = await openDoor(engine);
		({ token, personId } = await door.api.addPerson(door.tenantId, ["compliance"]));
	});
	after(async () => {
		await door.close();
		await engine.close();
	});

	const accept = async (more: Parameters<Engine["accept"]>[0] = {}) =>
		engine.accept({ tenantId: door.tenantId, subject: await door.pseudonym(number), ...more });
	const reveal = ({ _id }: Pick<Message, "_id">, body: object = asked, by = token) =>
		door.api.request(by, "POST", `/v1/messages/${_id}/reveal`, body);
	/** Who read it, and what for, by the evidence log. */
	const readings = async (about: string) => {
		const entries = (await engine.store.evidence.findAbout([about])).flatMap(({ entries }) =>
			entries.map((entry) => JSON.parse(entry)),
		);
		const read = entries.filter((entry) => entry.about === about && entry.type === "message_revealed");
		return read.map(({ by, code }) => [by, code]);
	};
	const storeOf = (name: string) => engine.connection.collection(name);

	describe("reveal", () => {
		it("answers number and text once, enters who read what for, and leaves nothing of it in the store", async () => {
			const message = await accept();
			const answer = await reveal(message);
			assert.equal(answer.status, 200, answer.text);
			assert.deepEqual(answer.json, { id: message._id, number, text: "The text in clear" });
			assert.equal(answer.headers["cache-control"], "no-store");
			const entered = await readings(message._id);
			assert.deepEqual(entered, [[personId, "complaint.case-4711"]]);
			for (const name of ["subjectExports", "subjectExportPages"]) {
				assert.equal(await storeOf(name).countDocuments({}), 0, name);
			}
		});

		it("is not done again for the same Idempotency-Key: a repeat is told so, and reads nothing", async () => {
			const message = await accept();
			const once = () =>
				door.api.request(token, "POST", `/v1/messages/${message._id}/reveal`, asked, { "idempotency-key": "one" });
			assert.equal((await once()).status, 200);
			const repeat = await once();
			assert.deepEqual([repeat.status, repeat.json.code], [409, "answer_not_kept"]);
			assert.equal((await readings(message._id)).length, 1);
			const kept = JSON.stringify(await storeOf("idempotencyKeys").find({}).toArray());
			assert.ok(!kept.includes("The text in clear") && !kept.includes(number));
		});

		it("is refused once its text is erased, though the number is kept, and to another tenant as if there were none", async () => {
			const message = await accept();
			await engine.store.messages.transition({
				...eraseObjects(message, ["content"], engine.clock(), {}),
				from: [message.state],
			});
			const kept = await reveal(message);
			assert.deepEqual([kept.status, kept.json.code], [410, "content_erased"]);
			const half = await engine.read(message._id);
			await engine.store.messages.transition({
				...eraseObjects(half, ["address"], engine.clock(), {}),
				from: [half.state],
			});
			const gone = await reveal(message);
			assert.deepEqual([gone.status, gone.json.code], [410, "content_erased"]);
			const other = await engine.accept({ tenantId: engine.ids.random("tenant") });
			assert.equal((await reveal(other)).status, 404);
			assert.deepEqual(await readings(other._id), []);
		});

		it("is refused when its text is erased before the worker reads it: the number alone is a search's", async () => {
			const message = await accept();
			const { append } = engine.evidence;
			engine.evidence.append = async (entries) => {
				const erased = { ...eraseObjects(message, ["content"], engine.clock(), {}), from: [message.state] };
				await engine.store.messages.transition(erased);
				return append(entries);
			};
			const answer = await reveal(message).finally(() => {
				engine.evidence.append = append;
			});
			assert.equal((await engine.read(message._id)).content, undefined);
			assert.deepEqual([answer.status, answer.json.code], [410, "content_erased"], answer.text);
		});

		it("is refused while a hold permits no use of it, but for the matter that the hold names", async () => {
			const message = await accept();
			const key = await door.addKey(["compliance"]);
			const place = (body: object) => door.post("/v1/holds", { ground: "litigation", ...body }, key);
			const held = async (body: object = asked) => {
				const { status, json } = await reveal(message, body);
				return status === 200 ? 200 : [status, json.code, json.holds];
			};
			const unnamed = (await place({ scope: "message", messageId: message._id })).json;
			assert.deepEqual(await held(), [409, "message_held", [unnamed.id]]);
			const named = (await place({ scope: "subject", number, reason: "case-9" })).json;
			assert.deepEqual(await held(), [409, "message_held", [unnamed.id, named.id]]);
			assert.equal(await held({ ...asked, ticket: "case-9" }), 200);
			for (const { id } of [unnamed, named]) await door.post(`/v1/holds/${id}/release`, {}, key);
			assert.equal(await held(), 200);
			assert.equal((await readings(message._id)).length, 2, "what was refused was not read");
		});

		it("is refused of what only a hold keeps beyond its time, though that hold permits use before", async () => {
			const message = await accept();
			const key = await door.addKey(["compliance"]);
			const { personId: approvedBy } = await door.api.addPerson(door.tenantId, ["approver"]);
			const wide = { ground: "audit", approvedBy, reviewAt: "2099-01-01T00:00:00Z", reason: "audit-7" };
			const { json: hold } = await door.post("/v1/holds", { scope: "tenant", ...wide }, key);
			assert.equal((await reveal(message)).status, 200);
			await engine.store.messages.transition({
				...end(await engine.read(message._id), "delivered", engine.clock()),
				from: ["accepted"],
			});
			const refused = await reveal(message);
			assert.deepEqual([refused.json.code, refused.json.holds], ["message_held", [hold.id]]);
			assert.equal((await reveal(message, { ...asked, ticket: "audit-7" })).status, 200);
			await door.post(`/v1/holds/${hold.id}/release`, {}, key);
		});

		it("needs a person with a fresh second factor, a purpose and a ticket that are words", async () => {
			const message = await accept();
			const key = await door.addKey(["compliance"]);
			assert.equal((await reveal(message, asked, key)).json.code, "person_required");
			const auditor = (await door.api.addPerson(door.tenantId, ["auditor"])).token;
			assert.equal((await reveal(message, asked, auditor)).json.code, "forbidden");
			for (const body of [{}, { purpose: "x" }, { ...asked, ticket: "4915112345678" }]) {
				assert.equal((await reveal(message, body)).status, 400, JSON.stringify(body));
			}
			const personal = ["ann@example.org", "call-202-555-0142", "t4915112345678", "ann+reminder", "Ann Example"];
			for (const field of ["purpose", "ticket"]) {
				for (const text of personal) {
					const { status, json } = await reveal(message, { ...asked, [field]: text });
					assert.deepEqual([status, json.code, json.errors?.[0].pointer], [400, "invalid_request", `/${field}`], text);
				}
			}
			engine.time.offsetMs += door.api.sessionLimits.freshMfaMs + 1;
			assert.equal((await reveal(message)).json.code, "fresh_mfa_required");
			engine.time.offsetMs = 0;
			assert.deepEqual(await readings(message._id), []);
		});
	});

	describe("search", () => {
		const search = async (of: string, query = "", by?: string) => {
			const key = by ?? (await door.addKey(["auditor"]));
			return door.api.request(key, "POST", `/v1/messages/search${query}`, { number: of });
		};

		it("finds a number's messages of this tenant, newest first, page by page, each once", async () => {
			const own = "+12025550167";
			const subject = await door.pseudonym(own);
			const now = engine.clock();
			const categories = ["transactional", "marketing", "otp"] as const;
			const made: Message[] = [];
			for (let index = 0; index < 9; index++) {
				// Three of each moment, one a category.
				const acceptedAt = now - 60_000 - Math.floor(index / 3) * 1000;
				made.push(await accept({ subject, acceptedAt, category: categories[index % 3] ?? "otp" }));
			}
			await engine.accept({ subject, tenantId: engine.ids.random("tenant") });
			const expected = made
				.sort((a, b) => b.acceptedAt - a.acceptedAt || (a._id < b._id ? 1 : -1))
				.map(({ _id }) => _id);
			for (const limit of [1, 2, 4, 100]) {
				const seen: string[] = [];
				let query = `?limit=${limit}`;
				for (let page = 0; page < 20; page++) {
					const { json } = await search(own, query);
					seen.push(...json.items.map(({ id }: { id: string }) => id));
					if (!json.next) break;
					query = `?limit=${limit}&cursor=${json.next}`;
				}
				assert.deepEqual(seen, expected, `by ${limit}`);
			}
		});

		it("answers nothing for a number that got nothing, repeats none, and is for those whose task it is", async () => {
			const none = await search("+12025550199");
			assert.deepEqual([none.status, none.json.items], [200, []]);
			assert.ok(!none.text.includes("2025550199"));
			assert.equal((await search("2025550199")).json.code, "invalid_number");
			assert.equal((await search(number, "", await door.addKey(["sender", "operator", "admin"]))).status, 403);
		});
	});
});
