// What recipients write: STOP is in force at once and confirmed once; what is forged or replayed changes nothing, and of what is stale a STOP alone counts.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { Carrier } from "../../../../adapters/carriers/carrier.ts";
import type { TenantDocument } from "../../../../adapters/mongo/models.ts";
import { limits } from "../../../../domain/limits.ts";
import type { Message } from "../../../../domain/message.ts";
import { openPolicies } from "../../../../policies/index.ts";
import { createTestApi, inboundOf, messageBody, type TestApi } from "../../harness.ts";

let last = 100;
/** An American number that no other test uses. */
const freshNumber = () => `+1202555${String(++last).padStart(4, "0")}`;

describe("POST /v1/callbacks/{carrier}/{queue}/inbound", () => {
	let api: TestApi;
	let key: string;
	let tenantId: string;
	const services = new Map<string, string>();
	before(async () => {
		api = await createTestApi(({ carriers }) => ({
			policies: openPolicies(),
			carriers: { verifier: async (queue) => namingService(await carriers.verifier(queue), services.get(queue)) },
		}));
		({ key, tenantId } = await api.addTenant({ inbound: { helpReply: "Call 0800 1. Reply STOP to opt out." } }));
		api.callbackKeys.set("other", generateKeyPairSync("ed25519"));
	});
	after(() => api.close());

	const addService = async (queue: string, sender: string, inbound: TenantDocument["inbound"] = {}) => {
		const made = await api.addTenant({ sendQueue: queue, inbound });
		const registrations = { US: "C-A1" };
		await api.store.sendQueues.put({
			...{ _id: queue, carrier: "simulator", sender, settings: {}, registrations, paused: false },
		});
		api.callbackKeys.set(queue, generateKeyPairSync("ed25519"));
		services.set(queue, sender);
		return { queue, ...made };
	};
	const write = (text: string, from: string, more: { at?: number; eventId?: string; to?: string } = {}) =>
		api.callback(inboundOf(text, { from, at: api.clock(), ...more }), { kind: "inbound" });
	const send = (to: string, more: object = {}) => api.post(key, { to, ...more });
	const records = () => api.connection.collection("subjectRecords").find({}).toArray();
	const messages = (filter: object = {}) =>
		api.connection
			.collection("messages")
			.find({ tenantId, ...filter })
			.toArray() as unknown as Promise<Message[]>;
	const replies = async (to: string) => {
		const { macs } = await identify(to);
		return messages({ principalId: "engine", "subject.mac": { $in: macs } });
	};
	const identify = async (to: string) => {
		const macs = await api.hmac.allMacs("subject", tenantId, to);
		return { macs: macs.map(({ mac }) => mac) };
	};
	const unchanged = async (call: () => Promise<unknown>) => {
		const before = [await records(), await messages()];
		const answer = await call();
		assert.deepEqual([await records(), await messages()], before);
		return answer;
	};

	it("STOP stops the next message of whatever category, and is confirmed once within five minutes", async () => {
		const to = freshNumber();
		assert.equal((await send(to)).status, 202);
		assert.equal((await write("Stop", to)).status, 200);
		const refused = await send(to);
		assert.equal(refused.json.code, "policy_denied");
		assert.ok(refused.json.reasons.includes("OPTED_OUT_REVOKE_ALL"));
		const [reply, ...more] = await replies(to);
		assert.ok(reply);
		assert.deepEqual(more, []);
		assert.ok(reply.decision.reasons.includes("ONE_CONFIRMATION_ALLOWED"));
		assert.ok(reply.deadlineAt <= Date.parse(String(reply.facts.context?.optOutAt)) + 300_000);
		assert.ok(api.seen.started.includes(reply.submissionId));
	});

	it("STOP twice, and ten times at once, is one opt-out and one confirmation", async () => {
		const to = freshNumber();
		await send(to);
		const before = (await records()).length;
		const answers = await Promise.all(Array.from({ length: 10 }, () => write("STOP", to)));
		assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
		await write("stop please", to);
		assert.equal((await records()).length, before + 1);
		assert.equal((await replies(to)).length, 1);
	});

	it("wider words of revocation stop too, and of none of them a trace is kept", async () => {
		for (const text of ["Opt out please", "do not text me again", "Bitte keine SMS mehr"]) {
			const to = freshNumber();
			await write(text, to);
			assert.equal((await send(to)).json?.code, "policy_denied", text);
		}
		const stored = JSON.stringify([await records(), await messages()]);
		for (const text of ["please", "again", "Bitte", "12025550"]) assert.ok(!stored.includes(text), text);
		assert.ok(!api.logLines.join("").includes("2025550"));
	});

	it("what is recorded of a STOP gives the same decision again", async () => {
		const to = freshNumber();
		await write("STOP", to);
		const record = (await records()).at(-1);
		assert.equal(record?.facts.context.keywordClass, "stop");
		assert.equal(record?.scope, "all");
		assert.ok(record?.decision.reasons.includes("OPTED_OUT_REVOKE_ALL"));
		assert.deepEqual(openPolicies().evaluate(record?.facts), record?.decision);
		assert.match(record?.decision.honorBy, /^\d{4}-\d\d-\d\d$/);
	});

	it("START lifts what STOP had placed, and a later STOP counts anew", async () => {
		const to = freshNumber();
		await send(to);
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		await write("START", to);
		assert.equal((await send(to)).status, 202);
		api.time.offsetMs += 1_000;
		await write("STOP", to);
		assert.equal((await send(to)).json.code, "policy_denied");
		assert.equal((await replies(to)).length, 2);
	});

	it("a yes lifts no STOP: it may answer anything", async () => {
		const to = freshNumber();
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		for (const text of ["YES", "Yes please", "Yes, thanks"]) await unchanged(() => write(text, to));
		assert.equal((await send(to)).json.code, "policy_denied");
	});

	it("START opts in again from then on, and brings back no consent in writing of before", async () => {
		const compliance = (await api.addKey(tenantId, ["compliance"])).key;
		const to = freshNumber();
		const reasons = async () => {
			// Noon there: no window has a say.
			const sendAt = `${new Date(api.clock() + 24 * 3600_000).toISOString().slice(0, 10)}T17:00:00Z`;
			const body = messageBody({ to, category: "marketing", timezone: "America/New_York", sendAt });
			const { json } = await api.request(key, "POST", "/v1/messages?dryRun=true", body);
			return json.decision.reasons.filter((code: string) => /CONSENT|OPTED/.test(code));
		};
		const consent = async () => {
			const obtainedAt = new Date(api.clock()).toISOString();
			const given = { type: "express_written", purposes: ["marketing"], wording: "w1", evidence: "form-1" };
			await api.request(compliance, "POST", "/v1/consents", { number: to, ...given, obtainedAt });
			api.time.offsetMs += 1_000;
		};
		await consent();
		assert.deepEqual(await reasons(), ["CONSENT_SUFFICIENT"]);
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		await write("START", to);
		assert.deepEqual(await reasons(), ["CONSENT_INSUFFICIENT"]);
		api.time.offsetMs += 1_000;
		await consent();
		assert.deepEqual(await reasons(), ["CONSENT_SUFFICIENT"]);
	});

	it("START lifts no opt-out that came otherwise, and none that it was written before", async () => {
		const compliance = (await api.addKey(tenantId, ["compliance"])).key;
		const stated = freshNumber();
		await api.request(compliance, "POST", "/v1/opt-outs", { number: stated, scope: "all" });
		api.time.offsetMs += 1_000;
		await write("START", stated);
		assert.equal((await send(stated)).json.code, "policy_denied");
		const late = freshNumber();
		const written = api.clock();
		api.time.offsetMs += 1_000;
		await write("STOP", late);
		assert.equal((await write("START", late, { at: written })).status, 200, "it is not asked for again");
		assert.equal((await send(late)).json.code, "policy_denied");
	});

	it("START that was written between two STOPs and comes after both lifts nothing", async () => {
		const to = freshNumber();
		const started = api.clock() - 20_000;
		await write("STOP", to, { at: started - 10_000 });
		await write("STOP", to, { at: started + 10_000 });
		await write("START", to, { at: started });
		assert.equal((await send(to)).json.code, "policy_denied");
		await write("START", to);
		assert.equal((await send(to)).status, 202);
	});

	it("of a part of a longer message a STOP counts, and neither a START nor a HELP: the rest may say anything", async () => {
		const to = freshNumber();
		await send(to);
		await write("STOP", to, { eventId: "part-1" });
		api.time.offsetMs += 1_000;
		for (const text of ["START", "HELP"]) await unchanged(() => write(text, to, { eventId: `part-${text}` }));
		assert.equal((await send(to)).json.code, "policy_denied");
	});

	it("what the carrier took for an opt-out is one, whatever its words are, also when it comes late", async () => {
		const [to, tardy] = [freshNumber(), freshNumber()];
		await send(to);
		assert.equal((await write("Adios", to, { eventId: "told-1" })).status, 200);
		assert.equal((await send(to)).json.code, "policy_denied");
		assert.equal((await replies(to)).length, 1);
		await late("Adios", tardy, minutesAgo(6), { eventId: "told-2" });
		assert.equal((await send(tardy)).json.code, "policy_denied");
	});

	it("HELP is answered with the tenant's text, once, to numbers that have been written to", async () => {
		const to = freshNumber();
		await send(to);
		const event = { eventId: "help-1", at: api.clock() };
		await write("HELP", to, event);
		assert.equal(((await unchanged(() => write("HELP", to, event))) as { status: number }).status, 200);
		const [reply, ...more] = await replies(to);
		assert.ok(reply?.content);
		assert.deepEqual(more, []);
		const place = { tenantId, messageId: reply._id, object: "content" };
		const text = await api.encryptionFor.decrypt({ ...place, sealed: reply.content });
		assert.equal(text.reveal(), "Call 0800 1. Reply STOP to opt out.");
		await unchanged(() => write("HELP", freshNumber()));
	});

	it("a STOP that no queue may confirm is in force, and that it was not confirmed is counted", async () => {
		const to = freshNumber();
		await send(to);
		const { sendQueues: [queue = ""] = [] } = (await api.store.tenants.find(tenantId)) ?? {};
		await api.store.sendQueues.setFlow(queue, { paused: false, draining: true });
		api.time.offsetMs += limits.tenantSeenMs + 1;
		const answers = [await write("HELP", to), await write("STOP", to)];
		await api.store.sendQueues.setFlow(queue, { paused: false, draining: false });
		api.time.offsetMs += limits.tenantSeenMs + 1;
		assert.deepEqual(answers, Array(2).fill({ status: 200, code: undefined }));
		assert.equal((await replies(to)).length, 0);
		assert.equal((await send(to)).json.code, "policy_denied");
		const { text } = await api.request("", "GET", "/metrics");
		assert.match(text, /lethe_callbacks_total\{carrier="simulator",result="inbound_reply_no_route"\} 2/);
	});

	it("a STOP is confirmed by whatever sender a carrier takes, be it a service's id or the longest ARN", async () => {
		const longest = `arn:aws:sms-voice:us-east-1:111122223333:pool/${"a".repeat(256)}`.slice(0, 256);
		for (const [index, sender] of [`MG${"0a".repeat(16)}`, longest].entries()) {
			const { queue, key } = await addService(`service${index}`, sender);
			const to = freshNumber();
			const asked = await api.post(key, { to, sender });
			assert.equal(asked.status, 202, JSON.stringify(asked.json));
			const stop = inboundOf("STOP", { from: to, at: api.clock() });
			assert.deepEqual(await api.callback(stop, { kind: "inbound", queue }), { status: 200, code: undefined });
			const sent = await api.connection
				.collection("messages")
				.find({ sendQueue: queue, principalId: "engine" })
				.toArray();
			assert.equal(sent.length, 1);
		}
	});

	it("a STOP whose confirmation is no text that may be sent is in force and not asked for again", async () => {
		for (const [index, stopReply] of ["", "a".repeat(limits.textCharactersMax + 1)].entries()) {
			const { queue, key } = await addService(`reply${index}`, `MG${"0b".repeat(16)}`, { stopReply });
			const to = freshNumber();
			assert.equal((await api.post(key, { to })).status, 202);
			const stop = inboundOf("STOP", { from: to, at: api.clock() });
			assert.deepEqual(await api.callback(stop, { kind: "inbound", queue }), { status: 200, code: undefined });
			assert.equal((await api.post(key, { to })).json.code, "policy_denied");
		}
		assert.equal(await api.counted("inbound_reply_invalid_request"), 2);
	});

	it("a stranger's STOP is honoured and not answered", async () => {
		const to = freshNumber();
		await write("STOP", to);
		assert.equal((await replies(to)).length, 0);
		assert.equal((await send(to)).json.code, "policy_denied");
	});

	it("any other words change nothing", async () => {
		const to = freshNumber();
		await send(to);
		await unchanged(() => write("Thank you, see you tomorrow", to));
	});

	it("forged, unsigned and tampered messages change nothing", async () => {
		const to = freshNumber();
		const message = inboundOf("STOP", { from: to, at: api.clock() });
		const inbound = { kind: "inbound" } as const;
		for (const options of [
			{ ...inbound, signer: "other" },
			{ ...inbound, tamper: JSON.stringify({ ...message, from: freshNumber() }) },
			{ ...inbound, tamper: "" },
		]) {
			const answer = await unchanged(() => api.callback(message, options));
			assert.deepEqual(answer, { status: 401, code: "callback_unauthenticated" });
		}
		assert.equal((await send(to)).status, 202);
	});

	const late = (text: string, from: string, at: number, more: { eventId?: string; writtenAt?: number } = {}) => {
		const { writtenAt = at, ...own } = more;
		return api.callback(inboundOf(text, { from, at: writtenAt, ...own }), { kind: "inbound", at });
	};
	const minutesAgo = (minutes: number) => Math.floor(api.clock() / 1000) * 1000 - minutes * 60_000;

	it("a stale message changes nothing and is not asked for again, but for a STOP; brought again in time it counts", async () => {
		const to = freshNumber();
		for (const text of ["START", "HELP", "Thank you"]) {
			const answer = await unchanged(() => late(text, to, minutesAgo(6)));
			assert.deepEqual(answer, { status: 200, code: undefined }, text);
		}
		const ahead = minutesAgo(-6);
		assert.deepEqual(await unchanged(() => late("STOP", to, ahead)), { status: 200, code: undefined });
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		const event = { eventId: "start-late" };
		await unchanged(() => late("START", to, minutesAgo(6), event));
		await write("START", to, event);
		assert.equal((await send(to)).status, 202);
	});

	it("a stale STOP is in force from when it was signed, once, and is not confirmed", async () => {
		const to = freshNumber();
		await send(to);
		const at = minutesAgo(60);
		const event = { eventId: "stop-late", writtenAt: at + 1_000 };
		assert.deepEqual(await late("STOP", to, at, event), { status: 200, code: undefined });
		assert.equal((await send(to)).json.code, "policy_denied");
		assert.equal((await records()).at(-1)?.at, at);
		assert.equal((await replies(to)).length, 0);
		await write("START", to);
		api.replays.known.clear();
		await unchanged(() => late("STOP", to, at, event));
		assert.equal((await send(to)).status, 202);
	});

	it("a stale STOP does not undo the START that lifted one after it, and none of before the store's memory counts", async () => {
		const to = freshNumber();
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		await write("START", to);
		await unchanged(() => late("STOP", to, minutesAgo(60)));
		assert.equal((await send(to)).status, 202);
		await unchanged(() => late("STOP", freshNumber(), api.clock() - limits.inboundSeenMs - 1_000));
	});

	it("a consent given after it makes nothing of a stale STOP, as of none that came in time, nor does a narrower opt-out lifted since", async () => {
		const compliance = (await api.addKey(tenantId, ["compliance"])).key;
		const post = (path: string, body: object) => api.request(compliance, "POST", path, body);
		const consented = freshNumber();
		const consent = {
			...{ number: consented, type: "implied", purposes: ["transactional"], wording: "w1", evidence: "form-1" },
			obtainedAt: new Date(minutesAgo(30)).toISOString(),
		};
		assert.equal((await post("/v1/consents", consent)).status, 201);
		const narrower = freshNumber();
		const placed = await post("/v1/opt-outs", { number: narrower, scope: "marketing" });
		api.time.offsetMs += 2_000;
		const optedInAt = new Date(api.clock() - 1_000).toISOString();
		const lifted = await post(`/v1/opt-outs/${placed.json.items[0].id}/lift`, {
			obtainedAt: optedInAt,
			evidence: "form-2",
		});
		assert.equal(lifted.status, 200, lifted.text);
		for (const to of [consented, narrower]) {
			assert.deepEqual(await late("STOP", to, minutesAgo(60)), { status: 200, code: undefined });
			assert.equal((await send(to)).json.code, "policy_denied");
		}
	});

	it("a replayed STOP does not undo the START that came after it, though Redis was emptied in between", async () => {
		const to = freshNumber();
		await send(to);
		const event = { eventId: "stop-once", at: api.clock() };
		await write("STOP", to, event);
		api.time.offsetMs += 1_000;
		await write("START", to);
		api.replays.known.clear();
		assert.equal(((await unchanged(() => write("STOP", to, event))) as { status: number }).status, 200);
		assert.equal((await send(to)).status, 202);
	});

	it("a START of a year ago, whose carrier signs no time, does not undo the STOP that came after it", async () => {
		const to = freshNumber();
		await send(to);
		await write("STOP", to);
		api.time.offsetMs += 1_000;
		await write("START", to, { eventId: "start-once" });
		api.time.offsetMs += 1_000;
		await write("STOP", to);
		api.replays.known.clear();
		const now = api.time.offsetMs;
		api.time.offsetMs += 365 * 24 * 3600_000;
		await api.store.idempotencyKeys.eraseDue(api.clock());
		const answer = await unchanged(() => write("START", to, { eventId: "start-once" }));
		api.time.offsetMs = now;
		assert.equal((answer as { status: number }).status, 200);
		assert.equal((await send(to)).json.code, "policy_denied");
	});

	it("another sender, an unknown queue and a number of no plan change nothing and are counted", async () => {
		const to = freshNumber();
		await unchanged(() => write("STOP", to, { to: "Elsewhere" }));
		await unchanged(() => write("STOP", "+999999999"));
		const answer = await api.callback(inboundOf("STOP", { from: to }), {
			kind: "inbound",
			queue: "nowhere",
			signer: "queue",
		});
		assert.equal(answer.status, 404);
		const { text } = await api.request("", "GET", "/metrics");
		for (const result of [
			"inbound_stop",
			"inbound_stop_repeated",
			"inbound_start",
			"inbound_start_refused",
			"inbound_help",
			"inbound_other",
			"inbound_duplicate",
			"inbound_stale",
			"inbound_stop_late",
			"inbound_stop_overtaken",
			"inbound_unknown_sender",
			"inbound_unknown_number",
		]) {
			assert.match(text, new RegExp(`lethe_callbacks_total\\{carrier="simulator",result="${result}"\\} [1-9]`));
		}
		assert.match(text, /result="unknown_queue"/);
	});

	it("a message is honoured at the receipts' address too: several carriers have but one", async () => {
		const to = freshNumber();
		await send(to);
		const answer = await api.callback(inboundOf("STOP", { from: to }));
		assert.deepEqual(answer, { status: 200, code: undefined });
		assert.equal((await send(to)).status, 422);
	});

	it("a STOP that a process died over is asked for again by 503, which every carrier heeds, and is in force then", async () => {
		const to = freshNumber();
		const stop = inboundOf("STOP", { from: to, at: api.clock() });
		const id = api.ids.derive("request", JSON.stringify(["queue", "inbound", stop.eventId]));
		const eraseBy = api.clock() + limits.inboundSeenMs;
		await api.store.idempotencyKeys.claim({ _id: id, fingerprint: "", startedAt: api.clock(), eraseBy });
		const bring = () => api.callback(stop, { kind: "inbound", at: api.clock() });
		assert.deepEqual(await bring(), { status: 503, code: "callback_unconfirmed" });
		api.time.offsetMs += 61_000;
		assert.equal((await bring()).status, 200);
		assert.equal((await send(to)).json.code, "policy_denied");
	});

	it("a START that a later STOP overtakes while it is taken lifts nothing, and is not brought again", async () => {
		let meanwhile: (() => Promise<unknown>) | undefined;
		const own = await createTestApi(({ evidence }) => ({
			policies: openPolicies(),
			evidence: {
				...evidence,
				append: async (acts) => {
					const appended = await evidence.append(acts);
					if (acts.some(({ type }) => type === "opt_out_lifted")) await meanwhile?.();
					return appended;
				},
			},
		}));
		const { key: ownKey } = await own.addTenant();
		const to = freshNumber();
		const tell = async (text: string) => {
			own.time.offsetMs += 1_000;
			return (await own.callback(inboundOf(text, { from: to, at: own.clock() }), { kind: "inbound" })).status;
		};
		const told = [await tell("STOP")];
		meanwhile = () => tell("STOP");
		told.push(await tell("START"));
		const blocked = await own.post(ownKey, { to });
		meanwhile = undefined;
		told.push(await tell("START"));
		const lifted = await own.post(ownKey, { to });
		await own.close();
		assert.deepEqual([told, blocked.json.code, lifted.status], [[200, 200, 200], "policy_denied", 202]);
	});

	it("when the store fails half way the carrier brings it again, and then it is in force once", async () => {
		const failing = await createTestApi((deps) => ({
			policies: openPolicies(),
			store: {
				...deps.store,
				subjectMessages: {
					...deps.store.subjectMessages,
					newestAt: async (...args: Parameters<typeof deps.store.subjectMessages.newestAt>) => {
						if (away) throw new Error("away");
						return deps.store.subjectMessages.newestAt(...args);
					},
				},
			},
		}));
		let away = false;
		const { key: ownKey } = await failing.addTenant();
		const to = freshNumber();
		await failing.post(ownKey, { to });
		away = true;
		const message = inboundOf("STOP", { from: to });
		assert.equal((await failing.callback(message, { kind: "inbound" })).status, 500);
		away = false;
		assert.equal((await failing.callback(message, { kind: "inbound" })).status, 200);
		const stored = failing.connection.collection("messages");
		assert.equal(await stored.countDocuments({ principalId: "engine" }), 1);
		assert.equal(await failing.connection.collection("subjectRecords").countDocuments(), 1);
		await failing.close();
	});
});

describe("a sender that two tenants share", () => {
	it("is one to the recipient: STOP reaches both, and who wrote last confirms", async () => {
		const api = await createTestApi(() => ({ policies: openPolicies() }));
		const [one, other] = [await api.addTenant(), await api.addTenant()];
		const to = freshNumber();
		await api.post(one.key, { to });
		api.time.offsetMs += 1_000;
		await api.post(other.key, { to });
		await api.callback(inboundOf("STOP", { from: to, at: api.clock() }), { kind: "inbound" });
		for (const { key } of [one, other]) assert.equal((await api.post(key, { to })).json.code, "policy_denied");
		const replies = await api.connection.collection("messages").find({ principalId: "engine" }).toArray();
		assert.deepEqual(
			replies.map(({ tenantId }) => tenantId),
			[other.tenantId],
		);
		await api.close();
	});

	it("may be one that sends nothing but marketing: then STOP stops that, and STOP ALL everything", async () => {
		const api = await createTestApi(() => ({ policies: openPolicies() }));
		const { key } = await api.addTenant({
			inbound: { stopScope: "marketing", stopReply: "No more offers." },
		});
		const to = freshNumber();
		const write = (text: string) => api.callback(inboundOf(text, { from: to, at: api.clock() }), { kind: "inbound" });
		const send = (more: object) => api.request(key, "POST", "/v1/messages", messageBody({ to, ...more }));
		await write("STOP");
		const consent = { type: "express_written", purposes: ["marketing"], evidence: true };
		const marketing = await send({ category: "marketing", consent });
		assert.ok(marketing.json.reasons.includes("OPTED_OUT"));
		assert.equal((await send({})).status, 202);
		await write("Stop all");
		const ordinary = await send({});
		assert.deepEqual([ordinary.status, ordinary.json.code], [422, "policy_denied"]);
		// Its own words are of the marketing alone.
		const replies = await api.connection.collection("messages").find({ principalId: "engine" }).toArray();
		const lengths = replies.map(({ facts }) => facts.context.characters);
		assert.deepEqual(lengths, ["You have opted out and will get no more messages from this sender.".length]);
		await api.close();
	});
});

/** As carriers do that name the service which a recipient's message came to, or bring a long one in parts. */
function namingService(carrier: Carrier | undefined, service: string | undefined): Carrier | undefined {
	if (!carrier) return carrier;
	return {
		...carrier,
		verify(request, now) {
			const result = carrier.verify(request, now);
			for (const message of result.messages) {
				if (service !== undefined) message.service = service;
				if (message.eventId.startsWith("part-")) message.isPart = true;
				if (message.eventId.startsWith("told-")) message.isStop = true;
			}
			return result;
		},
	};
}
