// Reading messages: everything but content and number, of one's own tenant, page by page.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isReadable } from "../../../../domain/message.ts";
import { signedText } from "../../../harness/signedText.ts";
import { spoilArchive } from "../../../harness/spoilArchive.ts";
import { createTestApi, number, receiptOf, type TestApi } from "../../harness.ts";

describe("GET /v1/messages", () => {
	let api: TestApi;
	let key: string;
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
	});
	after(() => api.close());

	it("tells a message's story without its content, its number or a hash of it", async () => {
		const { json } = await api.post(key, { clientReference: "order-A7" });
		const carrierId = await api.sent(json.id);
		await api.callback(receiptOf(carrierId));
		const answer = await api.request(key, "GET", `/v1/messages/${json.id}`);
		assert.equal(answer.status, 200);
		assert.equal(answer.json.state, "delivered");
		assert.equal(answer.json.clientReference, "order-A7");
		assert.equal(answer.json.attempts[0].state, "accepted");
		assert.equal(answer.json.receipts[0].effect, "applied");
		assert.ok(answer.json.retention.content.erasedAt);
		assert.equal(answer.json.evidence.at(-1).type, "erased");
		const { subject } = await api.read(json.id);
		for (const secret of [number.slice(3), "Termin", subject.mac, "claim", "ciphertext"]) {
			assert.ok(!answer.text.includes(secret), secret);
		}
	});

	it("another tenant's message answers like absence", async () => {
		const { json } = await api.post(key);
		const stranger = await api.addTenant();
		const theirs = await api.request(stranger.key, "GET", `/v1/messages/${json.id}`);
		const absent = await api.request(stranger.key, "GET", `/v1/messages/${api.ids.random("message")}`);
		assert.equal(theirs.status, 404);
		assert.deepEqual({ ...theirs.json, requestId: "" }, { ...absent.json, requestId: "" });
	});

	it("pages hold each message once, newest first, and none of another tenant", async () => {
		const { key: own } = await api.addTenant();
		const ids: string[] = [];
		for (let index = 0; index < 7; index++) ids.unshift((await api.post(own)).json.id);
		const seen: string[] = [];
		let url = "/v1/messages?limit=3";
		for (let page = 0; page < 3; page++) {
			const { json } = await api.request(own, "GET", url);
			seen.push(...json.items.map(({ id }: { id: string }) => id));
			if (!json.next) break;
			url = `/v1/messages?limit=3&cursor=${json.next}`;
		}
		assert.deepEqual([...seen].sort(), [...ids].sort());
		const times = await Promise.all(seen.map(async (id) => (await api.read(id)).acceptedAt));
		assert.deepEqual(
			times,
			[...times].sort((a, b) => b - a),
		);
	});

	it("filters by state", async () => {
		const { key: own } = await api.addTenant();
		const [kept, cancelled] = [(await api.post(own)).json.id, (await api.post(own)).json.id];
		await api.request(own, "POST", `/v1/messages/${cancelled}/cancel`);
		const { json } = await api.request(own, "GET", "/v1/messages?state=accepted");
		assert.deepEqual(
			json.items.map(({ id }: { id: string }) => id),
			[kept],
		);
	});

	it("filters by category and by the time of acceptance, page by page", async () => {
		const { key: own } = await api.addTenant();
		const ids: string[] = [];
		for (let index = 0; index < 6; index++) {
			api.time.offsetMs += 1_000;
			const category = index % 2 === 0 ? "transactional" : "otp";
			ids.unshift((await api.post(own, { category })).json.id);
		}
		const times = await Promise.all(ids.map(async (id) => new Date((await api.read(id)).acceptedAt).toISOString()));
		const list = async (query: Record<string, string | undefined>) => {
			const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
			const seen: string[] = [];
			for (let next: string | undefined = ""; next !== undefined; ) {
				const cursor: [string, string][] = next === "" ? [] : [["cursor", next]];
				const { json, status } = await api.request(
					own,
					"GET",
					`/v1/messages?${new URLSearchParams([...given, ["limit", "2"], ...cursor])}`,
				);
				assert.equal(status, 200);
				seen.push(...json.items.map(({ id }: { id: string }) => id));
				next = json.next;
			}
			return seen;
		};
		assert.deepEqual(await list({ category: "otp" }), [ids[0], ids[2], ids[4]]);
		assert.deepEqual(await list({ from: times[4], to: times[1] }), ids.slice(2, 5), "from then on, and before then");
		assert.deepEqual(await list({ from: times[2] }), ids.slice(0, 3));
		assert.deepEqual(await list({ to: times[2], category: "transactional", state: "accepted" }), [ids[3], ids[5]]);
		api.time.offsetMs = 0;
	});

	it("goes past what nobody can read, and so does a search; whoever runs it is told, and it is tried again in its turn", async () => {
		const { key: own } = await api.addTenant({ roles: ["sender", "auditor"] });
		const ids: string[] = [];
		for (let index = 0; index < 7; index++) {
			api.time.offsetMs += 1_000;
			ids.unshift((await api.post(own)).json.id);
		}
		const messages = api.connection.collection<{ _id: string; nextCheckAt?: number }>("messages");
		await messages.updateMany({ _id: { $in: ids } }, { $set: { state: "unknown" }, $unset: { nextCheckAt: 1 } });
		const broken = ids.filter((_, index) => [0, 2, 3, 6].includes(index)).sort();
		for (const id of broken) await spoilArchive(api.connection, await api.read(id));
		const walk = async (method: "GET" | "POST", path: string, body?: object) => {
			const seen: string[] = [];
			for (let cursor = "", page = 0; page < ids.length; page++) {
				const { json, status } = await api.request(own, method, `${path}limit=1${cursor}`, body);
				assert.equal(status, 200, path);
				seen.push(...json.items.map(({ id }: { id: string }) => id));
				if (!json.next) break;
				cursor = `&cursor=${json.next}`;
			}
			return seen;
		};
		const asideAt = () =>
			messages
				.find({ _id: { $in: broken } })
				.map(({ nextCheckAt }) => nextCheckAt)
				.toArray();
		const first = await walk("GET", "/v1/messages?");
		assert.deepEqual(first, [ids[1], ids[4], ids[5]]);
		const told = (await api.store.messages.findUnreadable(10)).map(({ _id }) => _id);
		assert.deepEqual(told.sort(), broken);
		const before = await asideAt();
		api.time.offsetMs += 1_000;
		for (const [method, path, body] of [
			["GET", "/v1/messages?inDoubt=true&"],
			["GET", "/v1/messages?state=unknown&"],
			["POST", "/v1/messages/search?", { number }],
		] as const) {
			assert.deepEqual(await walk(method, path, body), first, path);
		}
		assert.deepEqual(await asideAt(), before, "who looks again puts nothing off");
		const all = await api.store.messages.page((await api.read(ids[1] as string)).tenantId, 10);
		assert.deepEqual(
			all.map((message) => [message._id, isReadable(message)]),
			ids.map((id) => [id, !broken.includes(id)]),
			"whoever hands over everything has what is there of each",
		);
		assert.deepEqual(await asideAt(), before);
		api.time.offsetMs = 0;
	});

	it("refuses a period that ends before it begins, and points at its end", async () => {
		const { status, json } = await api.request(
			key,
			"GET",
			"/v1/messages?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
		);
		assert.deepEqual([status, json.errors?.[0].pointer], [400, "/querystring/to"]);
	});

	it("refuses cursors, limits and states that are none", async () => {
		for (const query of [
			"cursor=x",
			"cursor=",
			"limit=0",
			"limit=101",
			"limit=x",
			"state=lost",
			"to=1",
			"from=2026-01-01",
			"category=spam",
			"cursor=a&cursor=b",
		]) {
			const answer = await api.request(key, "GET", `/v1/messages?${query}`);
			assert.equal(answer.json.code, "invalid_request", query);
		}
	});
});

describe("GET /v1/certificates", () => {
	it("answers one's own, by id and by what they are about; others' like absence", async () => {
		const api = await createTestApi();
		const [own, other] = [await api.addTenant({ roles: ["auditor"] }), await api.addTenant()];
		const signed = { id: "crt_a", kind: "purge", issuedAt: "2026-01-31T00:00:00.000Z" };
		const jws = signedText({ ...signed, status: "complete" } as typeof signed);
		const document = { tenantId: own.tenantId, kind: "submission", about: "sub_a", jws, issuedAt: 0 } as const;
		await api.store.certificates.insert({ _id: "crt_a", ...document });
		await api.store.certificates.insert({ _id: "crt_b", ...document, tenantId: other.tenantId });
		const read = (key: string, path: string) => api.request(key, "GET", `/v1/certificates${path}`);
		assert.deepEqual((await read(own.key, "/crt_a")).json, { ...signed, jws }, "what is signed, and nothing beside it");
		assert.equal((await read(own.key, "/crt_b")).status, 404);
		const list = await read(own.key, "?about=sub_a");
		assert.deepEqual(
			list.json.items.map(({ id }: { id: string }) => id),
			["crt_a"],
		);
		await api.close();
	});

	it("about a message are those that it names, whatever they are about, page by page, and none to another tenant", async () => {
		const api = await createTestApi();
		const { key, tenantId } = await api.addTenant({ roles: ["sender", "auditor"] });
		const stranger = await api.addTenant({ roles: ["auditor"] });
		const { json: sent } = await api.post(key);
		const made = ["sub_a", "sub_b", "coh_a", "coh_none"].map((about, index) => ({
			...{ _id: api.ids.random("certificate"), tenantId, kind: "purge" as const, about },
			issuedAt: 1_000 - Math.floor(index / 2),
		}));
		for (const one of made) {
			const jws = signedText({ id: one._id, kind: one.kind, issuedAt: new Date(one.issuedAt).toISOString() });
			await api.store.certificates.insert({ ...one, jws });
		}
		const [first, second, third] = made.map(({ _id }) => _id) as [string, string, string];
		await api.connection.collection<{ _id: string }>("messages").updateOne({ _id: sent.id }, {
			$set: { certificates: [first, second], "retention.content.certificateId": third },
		} as never);
		const list = async (reader: string, more = "") =>
			(await api.request(reader, "GET", `/v1/certificates?about=${sent.id}${more}`)).json;
		const idsOf = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
		const expected = [...[first, second].sort().reverse(), third];
		assert.deepEqual(idsOf(await list(key)), expected);
		const page = await list(key, "&limit=1");
		assert.deepEqual(idsOf(page), expected.slice(0, 1));
		const next = await list(key, `&limit=2&cursor=${page.next}`);
		assert.deepEqual([idsOf(next), next.next], [expected.slice(1), undefined]);
		assert.deepEqual(idsOf(await list(stranger.key)), []);
		await api.close();
	});

	it("come page by page, newest first, each once, those of one moment too", async () => {
		const api = await createTestApi();
		const { key, tenantId } = await api.addTenant({ roles: ["auditor"] });
		const about = "coh_many";
		const made = Array.from({ length: 7 }, (_, index) => ({
			_id: api.ids.random("certificate"),
			issuedAt: 1_000 + Math.floor(index / 3),
		}));
		const other = { _id: api.ids.random("certificate"), issuedAt: 1_000 };
		for (const one of [...made, other]) {
			const jws = signedText({ id: one._id, kind: "purge", issuedAt: new Date(one.issuedAt).toISOString() });
			const whose = one === other ? "coh_x" : about;
			await api.store.certificates.insert({ ...one, tenantId, kind: "purge", about: whose, jws });
		}
		const seen: string[] = [];
		let next = "";
		do {
			const query = `?about=${about}&limit=2${next && `&cursor=${next}`}`;
			const { json } = await api.request(key, "GET", `/v1/certificates${query}`);
			assert.ok(json.items.length <= 2);
			seen.push(...json.items.map(({ id }: { id: string }) => id));
			next = json.next ?? "";
		} while (next);
		const expected = made.toSorted((a, b) => b.issuedAt - a.issuedAt || (a._id < b._id ? 1 : -1));
		assert.deepEqual(
			seen,
			expected.map(({ _id }) => _id),
		);
		const forged = await api.request(key, "GET", `/v1/certificates?about=${about}&cursor=bm9uZQ`);
		assert.deepEqual([forged.status, forged.json.errors[0].pointer], [400, "/querystring/cursor"]);
		await api.close();
	});
});
