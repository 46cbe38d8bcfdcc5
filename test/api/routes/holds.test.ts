// Legal holds: what is held stays and is not used; released, what is overdue may go.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../domain/limits.ts";
import type { SubjectRequest } from "../../../domain/subjectRequest.ts";
import { cancel, claim, end as finish } from "../../../domain/transition.ts";
import { openPolicies } from "../../../policies/index.ts";
import { createTestApi, type TestApi } from "../harness.ts";

let last = 400;
const freshNumber = () => `+1202555${String(++last).padStart(4, "0")}`;

describe("/v1/holds", () => {
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

	const place = (body: object, key = compliance) =>
		api.request(key, "POST", "/v1/holds", { ground: "litigation", ...body });
	const release = (id: string, key = compliance) => api.request(key, "POST", `/v1/holds/${id}/release`, {});
	const send = async (to: string) => (await api.post(sender, { to })).json.id as string;
	const end = async (id: string) => {
		await api.store.messages.transition(cancel(await api.read(id), api.clock()));
		return api.read(id);
	};

	it("a hold on a recipient reaches all messages to the number, and no others", async () => {
		const number = freshNumber();
		const ids = [await send(number), await send(number)];
		const other = await send(freshNumber());
		const { status, json, text } = await place({ scope: "subject", number, reviewAt: "2030-01-01T00:00:00Z" });
		assert.equal(status, 201);
		assert.ok(!text.includes(number.slice(2)));
		for (const id of ids) assert.deepEqual((await api.read(id)).holds, [json.id]);
		assert.deepEqual((await api.read(other)).holds, []);
		const ended = await end(ids[0] as string);
		assert.equal(ended.state, "cancelled");
		assert.ok(ended.content && ended.address);
	});

	it("a new message to a held recipient is refused, and accepted again after the release", async () => {
		const number = freshNumber();
		const { json } = await place({ scope: "subject", number });
		const refused = await api.post(sender, { to: number });
		assert.deepEqual([refused.json.code, refused.json.reasons[0]], ["policy_denied", "LEGAL_HOLD_ACTIVE"]);
		await release(json.id);
		assert.equal((await api.post(sender, { to: number })).status, 202);
	});

	it("its release has the requests that wait for it looked at again at once, and no other person's or tenant's", async () => {
		const number = freshNumber();
		const { json } = await place({ scope: "subject", number });
		const stored = await api.store.subjectRecords.find(json.id);
		const later = api.clock() + limits.requestCheckMs;
		const wait = async (_id: string, subjects: string[], owner = tenantId, reason = "hold") => {
			const kept = [{ object: "content", reason, citations: [], count: 1 }];
			const erasure = { startedAt: 1, pass: 1, step: "done", cursor: { index: 0 }, kept, recheckAt: later };
			const request = { _id, tenantId: owner, subjects, state: "ready", erasure, nextCheckAt: later };
			await api.store.subjectRequests.insert(request as unknown as SubjectRequest);
		};
		const subjects = stored?.kind === "hold" ? stored.subjects : [];
		await wait("dsr_own", subjects);
		await wait("dsr_minimum", subjects, tenantId, "minimum");
		await wait("dsr_elses", ["m"]);
		await wait("dsr_foreign", subjects, "ten_other");
		const waiting = async () => {
			const ids = ["dsr_own", "dsr_minimum", "dsr_elses", "dsr_foreign"];
			const found = await Promise.all(ids.map(api.store.subjectRequests.find));
			return found.flatMap((one) => (one?.nextCheckAt === later && one.erasure?.recheckAt === later ? [one._id] : []));
		};
		await release(json.id);
		assert.deepEqual(await waiting(), ["dsr_minimum", "dsr_elses", "dsr_foreign"]);
		assert.ok((await api.store.subjectRequests.findDue(api.clock(), 9)).some(({ _id }) => _id === "dsr_own"));
		const wide = await place({ scope: "message", messageId: await send(freshNumber()) });
		await release(wide.json.id);
		assert.deepEqual(await waiting(), ["dsr_minimum", "dsr_foreign"], "whoever a message is to");
	});

	it("one more on a message than is kept of one is refused in so many words, and takes none of the others away", async () => {
		const messageId = await send(freshNumber());
		const placed = [];
		for (let count = 0; count < limits.holdsPerMessageMax; count++) {
			placed.push((await place({ scope: "message", messageId })).json.id);
		}
		const refused = await place({ scope: "message", messageId });
		assert.deepEqual([refused.status, refused.json.code], [422, "too_many_records"]);
		assert.deepEqual((await api.read(messageId)).holds, placed);
		await release(placed[0]);
		assert.equal((await place({ scope: "message", messageId })).status, 201);
	});

	it("is placed however much is on record of the recipient, ended holds and others alike", async () => {
		const number = freshNumber();
		const id = await send(number);
		const ended = (await place({ scope: "subject", number })).json.id;
		await release(ended);
		const records = api.connection.collection("subjectRecords");
		const like = await records.findOne({ _id: ended as never });
		const more = Array.from({ length: limits.recordsPerSubjectMax }, () => ({ ...like, _id: api.ids.random("hold") }));
		await records.insertMany(more as never[]);
		const { status, json } = await place({ scope: "subject", number });
		assert.equal(status, 201);
		assert.deepEqual((await api.read(id)).holds, [json.id]);
		assert.equal((await api.post(sender, { to: number })).json.reasons[0], "LEGAL_HOLD_ACTIVE");
	});

	it("a hold on one message leaves the recipient's others alone", async () => {
		const number = freshNumber();
		const [held, free] = [await send(number), await send(number)];
		const { json } = await place({ scope: "message", messageId: held });
		assert.deepEqual([(await api.read(held)).holds, (await api.read(free)).holds], [[json.id], []]);
		assert.equal((await api.post(sender, { to: number })).status, 202);
	});

	it("a release takes it off everywhere, once, and has the sweep look at what it kept", async () => {
		const number = freshNumber();
		const id = await send(number);
		const first = (await place({ scope: "subject", number })).json.id;
		const second = (await place({ scope: "message", messageId: id })).json.id;
		await end(id);
		const released = await release(first);
		assert.ok(released.json.released.at);
		const kept = await api.read(id);
		assert.deepEqual(kept.holds, [second]);
		assert.ok((kept.nextCheckAt ?? Number.POSITIVE_INFINITY) <= api.clock());
		assert.deepEqual((await release(first)).json, released.json);
		const list = await api.request(compliance, "GET", "/v1/holds");
		assert.ok(list.json.items.some((hold: { id: string; released?: object }) => hold.id === first && hold.released));
	});

	const wide = { reviewAt: "2030-01-01T00:00:00Z", reason: "case-7" };

	it("a hold on a period keeps what was accepted in it, permits its use, and takes nothing else", async () => {
		const { tenantId: ownId, key } = await api.addTenant();
		const { key: own } = await api.addKey(ownId, ["compliance"]);
		const post = async () => (await api.post(key, { to: freshNumber() })).json.id as string;
		const before = await post();
		api.time.offsetMs += 60_000;
		const from = new Date(api.clock()).toISOString();
		const inside = await post();
		api.time.offsetMs += 60_000;
		const to = new Date(api.clock()).toISOString();
		api.time.offsetMs += 60_000;
		const later = await post();
		const { personId: approvedBy } = await api.addPerson(ownId, ["approver"]);
		const { status, json } = await place({ scope: "period", from, to, ...wide, approvedBy }, own);
		assert.equal(status, 201);
		assert.deepEqual([json.reason, json.approvedBy, json.from, json.to], ["case-7", approvedBy, from, to]);
		assert.deepEqual((await api.read(inside)).holds, [json.id]);
		for (const id of [before, later, await post()]) assert.deepEqual((await api.read(id)).holds, []);
		// It may be sent still, and its end erases nothing of it.
		const claimed = claim(inside, 1, api.clock(), "clm_a", "queue");
		await api.store.messages.transition({ id: inside, to: "queued", from: ["accepted", "deferred"] });
		assert.ok(await api.store.messages.take(claimed));
		await api.store.messages.transition(finish(await api.read(inside), "rejected", api.clock()));
		assert.ok((await api.read(inside)).content);
		await release(json.id, own);
		const freed = await api.read(inside);
		assert.deepEqual(freed.holds, []);
		assert.ok((freed.nextCheckAt ?? Number.POSITIVE_INFINITY) <= api.clock());
	});

	it("a hold on a tenant is borne by what comes later too, and is not by another tenant's", async () => {
		const { tenantId: ownId, key } = await api.addTenant();
		const { key: own } = await api.addKey(ownId, ["compliance"]);
		const earlier = (await api.post(key, { to: freshNumber() })).json.id as string;
		const { personId: approvedBy } = await api.addPerson(ownId, ["admin"]);
		const { json } = await place({ scope: "tenant", ...wide, approvedBy }, own);
		const { status, json: accepted } = await api.post(key, { to: freshNumber() });
		assert.equal(status, 202);
		for (const id of [earlier, accepted.id]) assert.deepEqual((await api.read(id)).holds, [json.id]);
		assert.deepEqual((await api.read(await send(freshNumber()))).holds, []);
		await release(json.id, own);
		for (const id of [earlier, accepted.id]) assert.deepEqual((await api.read(id)).holds, []);
		assert.deepEqual((await api.read((await api.post(key, { to: freshNumber() })).json.id)).holds, []);
	});

	it("nobody approves a hold of their own", async () => {
		const { key, keyId: id } = await api.addKey(tenantId, ["compliance"]);
		assert.equal((await place({ scope: "tenant", ...wide, approvedBy: id }, key)).json.code, "self_approval");
	});

	it("nor by the hand of a key of theirs", async () => {
		const person = await api.addPerson(tenantId, ["admin", "compliance"]);
		const { json } = await api.request(person.token, "POST", "/v1/api-keys", { name: "k", roles: ["compliance"] });
		const own = await place({ scope: "tenant", ...wide, approvedBy: person.personId }, json.apiKey);
		assert.deepEqual([own.status, own.json.code], [403, "self_approval"]);
	});

	/** A tenant with a message, a hold on all of it, and who is to approve that. */
	async function awaiting() {
		const { tenantId: ownId, key } = await api.addTenant();
		const { key: own } = await api.addKey(ownId, ["compliance"]);
		const message = (await api.post(key, { to: freshNumber() })).json.id as string;
		const approver = await api.addPerson(ownId, ["approver"]);
		const { json } = await place({ scope: "tenant", ...wide, approvedBy: approver.personId }, own);
		const step = (name: string, by = approver.token) => api.request(by, "POST", `/v1/holds/${json.id}/${name}`, {});
		const seen = async () =>
			(await api.request(approver.token, "GET", "/v1/holds")).json.items.find(
				({ id }: { id: string }) => id === json.id,
			);
		return { ownId, own, message, approver, id: json.id as string, step, seen };
	}

	it("a hold is in force at once, and approved by whom it names alone, by their own act and a fresh second factor", async () => {
		const { ownId, own, message, approver, id, step, seen } = await awaiting();
		assert.deepEqual((await api.read(message)).holds, [id]);
		assert.equal((await seen()).approvedAt, undefined, "what the placer says is no approval");
		const other = (await api.addPerson(ownId, ["approver", "admin", "compliance"])).token;
		for (const [by, code] of [
			[own, "person_required"],
			[other, "other_approver"],
		] as const) {
			for (const name of ["approve", "reject"]) assert.equal((await step(name, by)).json.code, code, name);
		}
		const { offsetMs } = api.time;
		api.time.offsetMs += api.sessionLimits.freshMfaMs + 1;
		for (const name of ["approve", "reject"]) assert.equal((await step(name)).json.code, "fresh_mfa_required");
		api.time.offsetMs = offsetMs;
		const { status, json } = await step("approve");
		assert.deepEqual([status, json.approvedBy, json.released], [200, approver.personId, undefined]);
		assert.ok(json.approvedAt);
		assert.deepEqual((await step("approve")).json, json, "again, it is as it was");
		assert.equal((await step("reject")).json.code, "hold_settled");
		assert.deepEqual((await api.read(message)).holds, [id]);
		const acts = (await api.entries(id)).filter(({ about }) => about === id).map(({ type, by }) => [type, by]);
		assert.ok(acts.some(([type, by]) => type === "hold_approved" && by === approver.personId));
	});

	it("their no ends it as a release does, and nothing takes that back", async () => {
		const { message, approver, step } = await awaiting();
		const { status, json } = await step("reject");
		assert.deepEqual([status, json.released.source, json.released.by], [200, "rejected", approver.personId]);
		assert.deepEqual((await api.read(message)).holds, []);
		assert.deepEqual((await step("reject")).json, json);
		assert.equal((await step("approve")).json.code, "hold_settled");
	});

	it("one that was released, or names nobody, waits for nobody", async () => {
		const { id, own, approver, step } = await awaiting();
		await release(id, own);
		for (const name of ["approve", "reject"]) assert.equal((await step(name)).json.code, "hold_settled", name);
		const number = freshNumber();
		const { json } = await place({ scope: "subject", number }, own);
		const unnamed = await api.request(approver.token, "POST", `/v1/holds/${json.id}/approve`, {});
		assert.equal(unnamed.json.code, "hold_settled");
	});

	it("nor by the word of somebody who is not there, is another tenant's, or has no say in it", async () => {
		const { tenantId: otherId } = await api.addTenant();
		const others = [
			"usr_nobody",
			(await api.addPerson(otherId, ["approver"])).personId,
			(await api.addPerson(tenantId, ["sender", "operator", "auditor"])).personId,
		];
		for (const approvedBy of others) {
			const { status, json } = await place({ scope: "tenant", ...wide, approvedBy });
			assert.deepEqual([status, json.errors?.[0]?.pointer], [400, "/approvedBy"], approvedBy);
		}
	});

	it("needs compliance or an administrator, and another tenant's messages and holds are absent", async () => {
		const id = await send(freshNumber());
		assert.equal((await place({ scope: "message", messageId: id }, sender)).status, 403);
		const { key: stranger } = await api.addTenant({ roles: ["admin"] });
		assert.equal((await place({ scope: "message", messageId: id }, stranger)).status, 404);
		const { json } = await place({ scope: "message", messageId: id });
		assert.equal((await release(json.id, stranger)).status, 404);
		assert.deepEqual((await api.read(id)).holds, [json.id]);
	});

	for (const [what, body] of Object.entries({
		"a message's hold with a number": { scope: "message", messageId: "msg_a", number: "+12025550142" },
		"a recipient's hold without a number": { scope: "subject" },
		"a review that was to be in the past": {
			scope: "subject",
			number: "+12025550142",
			reviewAt: "2020-01-01T00:00:00Z",
		},
		"a tenant's hold without an approver": { scope: "tenant", reviewAt: "2030-01-01T00:00:00Z" },
		"a period's hold without a date of review": { scope: "period", from: "2020-01-01T00:00:00Z", approvedBy: "usr_b" },
		"a period that ends before it begins": {
			...{ scope: "period", from: "2020-01-02T00:00:00Z", to: "2020-01-01T00:00:00Z" },
			...{ approvedBy: "usr_b", reviewAt: "2030-01-01T00:00:00Z" },
		},
		"a reason that may name somebody": { scope: "message", messageId: "msg_a", reason: "Miller v. 12025550142" },
		"a ground in a sentence": { scope: "message", messageId: "msg_a", ground: "because of the case" },
	})) {
		it(`refuses ${what}`, async () => assert.equal((await place(body)).json.code, "invalid_request"));
	}
});
