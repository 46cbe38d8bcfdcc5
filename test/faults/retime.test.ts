// The worker killed with -9 while policies are applied to 2,000 stored messages: another goes on, and it ends as it would have.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createApiKey } from "../../cli/administer.ts";
import { loadConfig } from "../../config.ts";
import { createDeps, type Deps } from "../../deps.ts";
import type { Message, RetentionRecord } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { planRetention } from "../../policies/cohorts.ts";
import { explain } from "../../policies/explain.ts";
import { missingFrom } from "../../policies/inForce.ts";
import { enrolPerson } from "../../stack/enrolPerson.ts";
import { type Processes, startProcesses } from "../../stack/processes.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import { until } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";
import { shorter } from "../harness/policies.ts";
import { exitOnSignal } from "./exitOnSignal.ts";

exitOnSignal();

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const messageCount = 2_000;
const day = 24 * 3600_000;
const hour = 3600_000;
const needs = { content: "P30D", address: "P30D" };
const waitMsMax = 240_000;

type Answer = { id: string; state: string; simulation: { counts: Record<string, number> } };

describe("the worker killed while policies are applied", () => {
	let stack: Stack;
	let processes: Processes;
	let api: Deps;
	let tenantId: string;
	const keys: Record<string, string> = {};
	before(async () => {
		const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
		const dir = join(root, ".lethe", "faults-retime");
		stack = createStack({ root, dir, log: () => undefined, environment, fresh: true });
		await stack.start();
		processes = await startProcesses(stack, { log: () => undefined, ratePerSecond: 100 });
		tenantId = processes.demo.tenantId;
		const open = async (role: "api" | "admin") =>
			createDeps(
				{ ...loadConfig({ ...stack.addresses(), ...(await stack.vaultCredentials([role])) }), logLevel: "silent" },
				role,
			);
		api = await open("api");
		const admin = await open("admin");
		const tenant = await admin.store.tenants.find(tenantId);
		assert.ok(tenant?.governsPolicies, "the first tenant of a deployment");
		await admin.store.tenants.put({ ...tenant, establishment: "DE", retention: needs });
		keys.compliance = (await createApiKey(admin, { tenantId, name: "c", roles: ["compliance"] })).apiKey;
		const approver = { tenantId, login: "approver", name: "", roles: ["approver" as const] };
		const { enrolmentToken } = await admin.people.invite("admin", approver);
		keys.approver = await enrolPerson(processes.apiUrl, enrolmentToken);
		await admin.close();
	});
	after(async () => {
		await api?.close();
		await processes?.stop();
		await stack?.stop();
	});

	async function call(role: string, path: string, body?: object): Promise<Answer> {
		const headers = { authorization: `Bearer ${keys[role]}`, "content-type": "application/json" };
		const request = body ? { method: "POST", body: JSON.stringify(body) } : {};
		const response = await fetch(`${processes.apiUrl}/v1/${path}`, { ...request, headers });
		const answer = (await response.json()) as Answer;
		assert.ok(response.ok, `${path}: ${JSON.stringify(answer)}`);
		return answer;
	}

	/** A delivered message as the API stored it some time ago, encrypted under keys of this Vault. */
	async function stored(agoMs: number, held: boolean): Promise<Message> {
		const acceptedAt = Date.now() - agoMs;
		const context = { event: "send", lawfulBasis: "contract", evaluatedAt: new Date(acceptedAt).toISOString() };
		const place = { recipientCountry: "DE", senderEstablishment: "DE", category: "transactional" };
		const facts = { ...place, dataClasses: ["contact"], context } as unknown as Message["facts"];
		const message: Message = {
			...messageOf({ id: api.ids.random("message"), submissionId: api.ids.random("submission"), tenantId }),
			country: "DE",
			region: "DE",
			facts,
			decision: api.policies.evaluate(facts),
			state: "delivered",
			acceptedAt,
			deadlineAt: acceptedAt + hour,
			closeAt: acceptedAt + 2 * hour,
			holds: held ? ["hld_test"] : [],
		};
		message.retention = {};
		for (const [object, planned] of Object.entries(
			planRetention(api.policies.retentionPlan(facts), needs, message) ?? {},
		)) {
			const { eraseBy, atFinal, retentionClass, dueAt } = planned;
			const record: RetentionRecord = { eraseBy, atFinal };
			message.retention[object as "content"] = record;
			if (object !== "content" && object !== "address") continue;
			record.cohortId = await api.cohorts.ensure({ tenantId, region: "DE", retentionClass, dueAt });
			message[object] = await api.encryption.encrypt({
				...{ tenantId, messageId: message._id, object, cohortId: record.cohortId },
				plaintext: Plaintext.text(`${object} of ${message._id}`),
			});
		}
		return message;
	}

	async function publish(): Promise<void> {
		const { id } = await call("compliance", "policy-proposals", { pack: "defaults", changes: shorter, why: "A week" });
		await call("compliance", `policy-proposals/${id}/check`, {});
		await call("compliance", `policy-proposals/${id}/simulate`, {});
		const read = () => call("compliance", `policy-proposals/${id}`);
		const { simulation } = await until(async () => {
			const proposal = await read();
			return proposal.state === "simulated" && proposal;
		}, waitMsMax);
		assert.equal(simulation.counts.messages, messageCount);
		assert.equal(simulation.counts.blocked_by_hold, messageCount / 40);
		await call("approver", `policy-proposals/${id}/approve`, {});
		await call("compliance", `policy-proposals/${id}/publish`, {});
	}

	it("2,000 messages: exactly those that are due are gone, held ones kept, each done once and counted once", async () => {
		const ages = Array.from(
			{ length: messageCount },
			(_, index) => 3 * hour + (index * (29 * day - 3 * hour)) / messageCount,
		);
		const all: Message[] = [];
		for (const [index, age] of ages.entries()) all.push(await stored(age, index % 40 === 7));
		await Promise.all(all.map((message) => api.store.messages.insert(message)));
		await publish();

		const pass = () => api.store.retimings.latest();
		await until(async () => ((await pass())?.counts.messages ?? 0) >= messageCount / 5, waitMsMax);
		await processes.kill("worker");
		const killedAt = (await pass())?.counts.messages ?? 0;
		assert.ok(killedAt < messageCount, "in the middle");
		await processes.restart("worker");
		const done = await until(async () => {
			const latest = await pass();
			return latest?.state === "done" && latest;
		}, waitMsMax);

		await api.policies.refresh();
		const counted = { kept: 0, gone: 0, held: 0 };
		for (const { _id } of all) {
			const message = await api.store.messages.find(_id);
			assert.ok(message);
			const due = (message.retention.content?.eraseBy ?? 0) <= done.startedAt;
			const held = message.holds.length > 0;
			assert.equal(message.content !== undefined, held || !due, _id);
			assert.equal(message.address !== undefined, held || !due, _id);
			assert.deepEqual(
				message.retimings?.map(({ id }) => id),
				[done._id],
			);
			// A shipped pack may have a new version since the message was judged: each that changed is told of.
			const changed = missingFrom(message.retimings[0]?.packs ?? [], message.decision.packs);
			assert.equal(message.evidence.filter(({ type }) => type === "retimed").length, changed.length);
			if (message.acceptedAt + 7 * day <= done.startedAt) assert.ok(due, "what is older than seven days is due");
			else assert.ok((message.retention.content?.eraseBy ?? Infinity) <= message.acceptedAt + 7 * day);
			assert.ok(explain(message, api.policies).replay.agrees);
			counted[held ? "held" : message.content ? "kept" : "gone"]++;
		}
		assert.equal(done.counts.messages, messageCount);
		assert.equal(done.counts.purged, counted.gone);
		assert.equal(done.counts.blocked_by_hold, counted.held);
		assert.equal(done.counts.failed, undefined);
		// What may stay for seven days ends with a day of UTC: just after midnight only what is younger than six is kept.
		assert.ok(counted.kept > 350 && counted.gone > 1_300, JSON.stringify(counted));
	});
});
