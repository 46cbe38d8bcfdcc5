// Certificates of what a submission forgot: read back first, signed, kept, and named on each message.

import { isFinal } from "../domain/lifecycle.ts";
import { type Message, type RetentionRecord, sealedObjects } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";

export type CertifyDeps = Pick<ActivityDeps, "clock" | "ids" | "certificates" | "log"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "transition">;
		cohorts: Pick<ActivityDeps["store"]["cohorts"], "find">;
		certificates: Pick<ActivityDeps["store"]["certificates"], "insert">;
	};
};

/**
 * Certifies every erased and uncertified object of these messages; a key server that is away leaves it to the sweep.
 * The messages must come from the store: one that bears `erasedAt` was read after the erasure, and shows what is left.
 */
export function createCertify(deps: CertifyDeps) {
	return async function certify(messages: Message[]): Promise<void> {
		const now = deps.clock();
		const ended = messages.filter((message) => isFinal(message.state));
		const uncertified = ended.filter((message) => erasedObjects(message).length > 0);
		let id: string | undefined;
		try {
			id = uncertified.length > 0 ? await issue(deps, uncertified) : undefined;
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "certificate postponed");
			return;
		}
		await Promise.all(ended.map((message) => mark(deps, message, id, now)));
	};
}

/** Objects that were erased and not yet read back. */
export function erasedObjects(message: Message): (typeof sealedObjects)[number][] {
	return sealedObjects.filter((name) => message.retention[name]?.erasedAt && !message.retention[name]?.verifiedAt);
}

/** When something of a final message is due next. Ciphertext is its cohort's matter, unless that ends too late for it. */
export function nextDueAt(message: Message): number | undefined {
	const sealed = sealedObjects.filter((name) => message[name] && message.retention[name]?.inPlace);
	const dues = [...sealed, ...(["receipt", "decision_record"] as const)]
		.map((name) => message.retention[name])
		.filter((record) => record && !record.erasedAt)
		.map((record) => record?.eraseBy as number);
	return dues.length > 0 ? Math.min(...dues) : undefined;
}

async function issue(deps: CertifyDeps, messages: Message[]): Promise<string> {
	const [first] = messages as [Message];
	const objects = [];
	for (const message of messages) {
		for (const name of erasedObjects(message)) {
			const record = message.retention[name];
			objects.push({
				messageId: message._id,
				object: name,
				erasedAt: record?.erasedAt as number,
				// Read back: the stored document has neither ciphertext nor wrapped key of this object.
				verified: message[name] === undefined,
				cohortId: record?.cohortId,
				...(await readKeyDates(deps, record)),
			});
		}
	}
	// The same objects always get the same id: a repeated issue inserts nothing new.
	const about = objects.map((object) => `${object.messageId}/${object.object}`).sort();
	const id = deps.ids.derive("certificate", about.join("\n"));
	const { jws } = await deps.certificates.issue({ id, kind: "submission", tenantId: first.tenantId, objects });
	await deps.store.certificates.insert({
		_id: id,
		tenantId: first.tenantId,
		kind: "submission",
		about: first.submissionId,
		jws,
		issuedAt: deps.clock(),
	});
	return id;
}

// The cohort itself is asked only where the plan may have become fact.
async function readKeyDates(
	deps: CertifyDeps,
	record: RetentionRecord | undefined,
): Promise<{ keyDestroyedAt?: number | undefined; keyDueAt?: number | undefined }> {
	if (record?.keyDueAt !== undefined && record.keyDueAt > deps.clock()) return { keyDueAt: record.keyDueAt };
	const cohort = record?.cohortId ? await deps.store.cohorts.find(record.cohortId) : undefined;
	return { keyDestroyedAt: cohort?.destroyedAt, keyDueAt: cohort?.dueAt };
}

async function mark(deps: CertifyDeps, message: Message, id: string | undefined, now: number): Promise<void> {
	const set: Record<string, unknown> = {};
	const objects = id ? erasedObjects(message) : [];
	for (const name of objects) set[`retention.${name}.verifiedAt`] = now;
	const dueAt = nextDueAt(message);
	if (dueAt !== undefined) set.nextCheckAt = dueAt;
	await deps.store.messages.transition({
		id: message._id,
		from: [message.state],
		// A run and a sweep may certify at once: the certificate is the same, and is named once.
		where: id && objects.length > 0 ? { certificates: { $ne: id } } : {},
		set,
		...(dueAt === undefined ? { unset: ["nextCheckAt"] } : {}),
		...(objects.length > 0 && id ? { push: { certificates: { value: id, keep: 16 } } } : {}),
		...(objects.length > 0 ? { evidence: [{ at: now, type: "certified" }] } : {}),
	});
}
