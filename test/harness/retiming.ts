// What tests of re-timing share: an engine whose policies come from its store, and messages as they were stored under those of then.

import assert from "node:assert/strict";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { planRetention } from "../../policies/cohorts.ts";
import type { Policies } from "../../policies/index.ts";
import { nextVersion } from "../../policies/published.ts";
import { type Engine, until } from "./engine.ts";
import { messageOf } from "./message.ts";
import { publishChange, shippedVersion, shorter } from "./policies.ts";
import { createStoredPolicies } from "./storedPolicies.ts";

export const day = 24 * 3600_000;
export const hour = 3600_000;
/** The version of the defaults that `publishShorter` makes. */
export const changed = nextVersion(shippedVersion("defaults"));
/** What its tenant needs to keep, unless told. */
export const needs = { content: "P30D", address: "P30D" };

/** One engine and one tenant at a time: `restart` has others. */
export function createRetimingStage() {
	let engine: Engine;
	let policies: Policies;
	let tenantId: string;

	async function start(needed: TenantDocument["retention"] = needs): Promise<void> {
		({ engine, policies, tenantId } = await createStoredPolicies(needed));
	}

	async function restart(needed?: TenantDocument["retention"]): Promise<void> {
		await engine.close();
		await start(needed);
	}

	/** A message as the API stored it some time ago, under the policies of then. */
	async function stored(agoMs: number, shape: Partial<Message> = {}): Promise<Message> {
		const acceptedAt = engine.clock() - agoMs;
		const facts = {
			recipientCountry: "DE",
			senderEstablishment: "DE",
			category: "transactional",
			dataClasses: ["contact"],
			context: { event: "send", lawfulBasis: "contract", evaluatedAt: new Date(acceptedAt).toISOString() },
		} as const;
		const message: Message = {
			...messageOf({ id: engine.ids.random("message"), submissionId: engine.ids.random("submission"), tenantId }),
			country: "DE",
			region: "DE",
			facts: facts as unknown as Message["facts"],
			decision: policies.evaluate(facts as never),
			state: "delivered",
			acceptedAt,
			deadlineAt: acceptedAt + hour,
			closeAt: acceptedAt + 2 * hour,
			...shape,
		};
		const needed = (await engine.store.tenants.find(tenantId))?.retention ?? {};
		const plan = planRetention(policies.retentionPlan(message.facts), needed, message);
		assert.ok(plan);
		message.retention = {};
		for (const [object, { eraseBy, atFinal, dueAt, retentionClass }] of Object.entries(plan)) {
			const record: NonNullable<Message["retention"]["content"]> = { eraseBy, atFinal };
			message.retention[object as "content"] = record;
			if (object !== "content" && object !== "address") continue;
			const place = { tenantId, region: "DE", retentionClass, dueAt };
			record.cohortId = await engine.cohorts.ensure(place);
			message[object] = await engine.encryption.encrypt({
				...{ tenantId, messageId: message._id, object, cohortId: record.cohortId },
				plaintext: Plaintext.text(`${object} of ${message._id}`),
			});
		}
		return message;
	}

	async function storeAll(messages: Message[]): Promise<Message[]> {
		await Promise.all(messages.map((message) => engine.store.messages.insert(message)));
		return messages;
	}

	/** Publishes and lets the time pass after which it is in force. */
	async function publishShorter(changes = shorter) {
		const proposal = await publishChange({ ...engine, policies }, { pack: "defaults", changes });
		engine.time.offsetMs += limits.policyNoticeMs + 1_000;
		return proposal;
	}

	async function runPassAfterNotice(): Promise<void> {
		engine.time.offsetMs += limits.policyNoticeMs + 1_000;
		await runPass();
	}

	async function runPass(): Promise<void> {
		await engine.activities.sweepPage();
		await until(async () => (await engine.store.retimings.latest())?.state === "done", 120_000);
	}

	async function readAll(messages: Message[]): Promise<Message[]> {
		return (await Promise.all(messages.map(({ _id }) => engine.read(_id)))).filter(Boolean);
	}

	const cohortOf = (message: Message) => engine.store.cohorts.find(message.content?.cohortId as string);

	/** Lets time pass until the sweep has brought something about. */
	async function sweepUntil(condition: () => Promise<unknown>): Promise<void> {
		const end = Date.now() + 60_000;
		for (let round = 0; !(await condition()); round++) {
			assert.ok(Date.now() < end, `in vain: ${condition}`);
			// A slow machine needs more rounds, not a later day.
			if (round < 10) engine.time.offsetMs += 120_000;
			await engine.activities.sweepPage();
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}

	async function opens(message: Message, object: "content" | "address"): Promise<boolean> {
		const sealed = message[object];
		if (!sealed) return false;
		const place = { tenantId, messageId: message._id, object };
		const plaintext = await engine.encryption.decrypt({ ...place, sealed }).catch(() => undefined);
		return plaintext?.reveal() === `${object} of ${message._id}`;
	}

	return {
		get engine() {
			return engine;
		},
		get policies() {
			return policies;
		},
		/** The tenant of what is stored. */
		get tenantId() {
			return tenantId;
		},
		set tenantId(id: string) {
			tenantId = id;
		},
		start,
		restart,
		close: () => engine.close(),
		stored,
		storeAll,
		publishShorter,
		runPassAfterNotice,
		runPass,
		readAll,
		cohortOf,
		sweepUntil,
		opens,
	};
}

// What was stored before a published version of another pack came into force is re-timed by that one too.
export const versionOf = ({ decision }: Message) => decision.packs.find(({ id }) => id === "defaults")?.version;

/** The entries of its re-timing by `publishShorter`. */
export const retimed = (message: Message) =>
	message.evidence.filter(
		({ type, code }) => type === "retimed" && code === `defaults@${versionOf(message)}:to:${changed}`,
	);
