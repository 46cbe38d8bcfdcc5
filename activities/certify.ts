// Certificates of what was erased: read back first, signed, kept, and named on each message. What is still there is erased again.

import type { CertificateDocument } from "../adapters/mongo/models.ts";
import type { ErasedObject } from "../audit/certificate.ts";
import { carrierCopyOf, redactableParts, redactionKey } from "../domain/carrierCopy.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type Message, type RetentionRecord, type SealedObjectName, sealedObjects } from "../domain/message.ts";
import { eraseObjects, outcomeAsRead, type Transition } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import { asLeft, integrated } from "./integrate.ts";
import { type IssueCertificateDeps, issueCertificate } from "./issueCertificate.ts";
import { readKeyDates } from "./keyDates.ts";

type CertifyErasedDeps = Pick<ActivityDeps, "clock" | "ids" | "evidence"> &
	IssueCertificateDeps & { store: { messages: Pick<ActivityDeps["store"]["messages"], "transition"> } };

export type CertifyDeps = CertifyErasedDeps &
	Pick<ActivityDeps, "log" | "carriers"> & { store: { cohorts: Pick<ActivityDeps["store"]["cohorts"], "find"> } };

/** One object that was erased, and its message as read back since. */
export type Erased = ErasedObject & { object: SealedObjectName; messageId: string; stored: Message };

/**
 * Certifies every erased and uncertified object of these messages; a key server that is away leaves it to the sweep.
 * The messages must come from the store: one that bears `erasedAt` was read after the erasure, and shows what is left.
 */
export function createCertify(deps: CertifyDeps) {
	return async function certify(messages: Message[]): Promise<void> {
		let ended = messages.filter((message) => isFinal(message.state));
		let uncertified: Message[] = [];
		try {
			ended = await Promise.all(ended.map((message) => withCarrierCopy(deps, message)));
			uncertified = ended.filter((message) => erasedObjects(message).length > 0);
			const [first] = uncertified;
			if (first) {
				const erased = await Promise.all(uncertified.map((message) => readBack(deps, message)));
				const { tenantId, submissionId } = first;
				await certifyErased(deps, { kind: "submission", tenantId, about: submissionId }, erased.flat());
			}
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "certificate postponed");
			return;
		}
		const others = ended.filter((message) => !uncertified.includes(message));
		await Promise.all(others.map((message) => applyIntegrated(deps, message, setDue(message))));
	};
}

/**
 * Certifies again what of these messages was certified before: their carriers' copies have ended since.
 * @throws LetheError keys_unavailable | store_unavailable
 */
export function createCertifyAgain(deps: CertifyDeps) {
	return async function certifyAgain(messages: Message[]): Promise<void> {
		const certifyGroup = async (about: string, group: Message[]) => {
			const erased = await Promise.all(group.map((message) => readBack(deps, message, certifiedObjects(message))));
			const [{ tenantId }] = group as [Message];
			await certifyErased(deps, { kind: "submission", tenantId, about }, erased.flat());
		};
		const groups = [...Map.groupBy(messages, ({ submissionId }) => submissionId)];
		await Promise.all(groups.map(([about, group]) => certifyGroup(about, group)));
	};
}

/**
 * Certifies what was read back, and names the certificate on each message. What is still there makes no other object's
 * certificate incomplete: it gets one of its own, and is erased again.
 */
export async function certifyErased(
	deps: CertifyErasedDeps,
	on: Pick<CertificateDocument, "kind" | "tenantId" | "about">,
	erased: readonly Erased[],
): Promise<void> {
	const known = new Map(erased.map(({ messageId, stored }) => [messageId, stored]));
	for (const group of Map.groupBy(erased, ({ verified }) => verified).values()) {
		// The same erasures always get the same id: a repeated issue inserts nothing new.
		const about = group.map(({ messageId, object, erasedAt }) => `${messageId}/${object}/${erasedAt}`);
		const messages = [...new Set(group.map(({ stored }) => stored))];
		const carrierCopies = messages.map((message) => carrierCopyOf(message));
		// Once it is known what a carrier did, there is more to tell.
		about.push(...messages.flatMap(({ _id, carrierCopy }) => (carrierCopy?.endedAt ? [`${_id}/carrier`] : [])));
		about.sort();
		const id = deps.ids.derive("certificate", about.join("\n"));
		const objects = group.map(({ stored: _, ...object }) => object);
		const issuedAt = await issueCertificate(deps, { ...on, id, objects, carrierCopies });
		// Together, so that the log and the store take them as one batch each.
		const marks = [...Map.groupBy(group, ({ messageId }) => messageId)].map(async ([messageId, of]) => {
			const stored = known.get(messageId) as Message;
			// Its other objects' certificate finds the message as this one leaves it.
			known.set(messageId, await nameCertificate(deps, stored, of, { id, issuedAt }));
		});
		await Promise.all(marks);
	}
}

/** Names the certificate of objects of one message, all gone or all still there, on it; answers it as it then is. */
export function nameCertificate(
	deps: CertifyErasedDeps,
	stored: Message,
	of: readonly Erased[],
	certificate: { id: string; issuedAt: number },
): Promise<Message> {
	return applyIntegrated(deps, stored, mark(of, stored, certificate, deps.clock()));
}

/** Answers the message with the evidence that it then carries. */
async function applyIntegrated(deps: CertifyErasedDeps, message: Message, change: Transition): Promise<Message> {
	// Of an erasure, which a hold may still keep from taking place, the log is told by the sweep.
	if (change.erases) {
		await deps.store.messages.transition(change);
		return message;
	}
	const whole = await integrated(deps.evidence, message, change);
	// Something else was written of it meanwhile: the change stands by itself, and the sweep brings in what is missing.
	const isWhole = await deps.store.messages.transition(whole);
	if (!isWhole) await deps.store.messages.transition(change);
	const changed = asLeft(message, change);
	return isWhole && whole.rest ? { ...changed, archived: changed.evidence.length } : changed;
}

/** Objects that were erased and not yet read back, but for those that a purge page reads back. */
export function erasedObjects({ retention }: Message): SealedObjectName[] {
	return sealedObjects.filter((name) => {
		const { erasedAt, verifiedAt, certificateId } = retention[name] ?? {};
		return erasedAt !== undefined && verifiedAt === undefined && certificateId === undefined;
	});
}

/** Objects that were certified as gone, and are. */
function certifiedObjects(message: Message): SealedObjectName[] {
	return sealedObjects.filter((name) => {
		const { erasedAt, verifiedAt, certificateId } = message.retention[name] ?? {};
		return erasedAt !== undefined && (verifiedAt ?? certificateId) !== undefined && message[name] === undefined;
	});
}

/** The message, with its carrier's copy due where the carrier can be asked to forget it. */
async function withCarrierCopy(deps: CertifyDeps, message: Message): Promise<Message> {
	if (message.carrierCopy !== undefined || redactableParts(message.attempts) === undefined) return message;
	if (!(await deps.carriers.redacts(message.sendQueue))) return message;
	const now = deps.clock();
	return { ...message, carrierCopy: { state: "due", dueAt: now, nextTryAt: now, tries: 0 } };
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

function readBack(deps: CertifyDeps, stored: Message, objects = erasedObjects(stored)): Promise<Erased[]> {
	return Promise.all(
		objects.map(async (object) => {
			const record = stored.retention[object];
			return {
				messageId: stored._id,
				object,
				erasedAt: record?.erasedAt as number,
				// The stored document has neither ciphertext nor wrapped key of this object.
				verified: stored[object] === undefined,
				cohortId: record?.cohortId,
				...(await keyDatesOf(deps, record)),
				stored,
			};
		}),
	);
}

// The cohort itself is asked only where the plan may have become fact.
async function keyDatesOf(deps: CertifyDeps, record: RetentionRecord | undefined) {
	const isPlanned = record?.keyDueAt !== undefined && record.keyDueAt > deps.clock();
	if (isPlanned && !record.formerCohorts) return { keyDueAt: record.keyDueAt };
	const [dates] = await readKeyDates(deps.store, [record]);
	return dates;
}

function mark(
	of: readonly Erased[],
	stored: Message,
	{ id, issuedAt }: { id: string; issuedAt: number },
	now: number,
): Transition {
	const [{ verified }] = of as [Erased];
	const objects = of.map(({ object }) => object);
	const change = verified ? verify(stored, objects, now) : eraseAgain(stored, objects, now);
	const { where, evidence = [] } = change;
	return {
		...change,
		// A run and a sweep may certify at once: the certificate is the same, and is named once.
		where: { ...where, certificates: { $ne: id } },
		push: { certificates: { value: id, keep: limits.certificatesPerMessageMax } },
		// And is one entry: whoever loses has entered the very same.
		evidence: [{ at: issuedAt, type: "certified", ...(verified ? {} : { code: "incomplete" }) }, ...evidence],
	};
}

function verify(stored: Message, objects: SealedObjectName[], now: number): Transition {
	const verifiedAt = Object.fromEntries(objects.map((name) => [`retention.${name}.verifiedAt`, now]));
	// What else was erased is still to be read back, soon.
	const isMoreErased = erasedObjects(stored).some((name) => !objects.includes(name));
	const change = isMoreErased ? { id: stored._id, from: [stored.state] } : setDue(stored);
	return { ...change, set: { ...change.set, ...verifiedAt } };
}

function eraseAgain(stored: Message, objects: SealedObjectName[], now: number): Transition {
	const isHeld = stored.holds.length > 0;
	const erasures = stored.evidence.filter(({ type, code }) => type === "erased" && code === objects[0]).length;
	// A store that keeps bringing it back, or a hold, is not asked all the time.
	const waitMs = isHeld || erasures > 1 ? limits.heldCohortCheckMs : limits.driverPatienceMs;
	const nextCheckAt = now + waitMs;
	if (isHeld) return { id: stored._id, from: [stored.state], set: { nextCheckAt } };
	const asRead = objects.map((name) => [`retention.${name}.erasedAt`, stored.retention[name]?.erasedAt]);
	const change = eraseObjects(stored, objects, now, Object.fromEntries(asRead));
	return { ...change, set: { ...change.set, nextCheckAt } };
}

function setDue(message: Message): Pick<Transition, "id" | "from" | "where" | "set" | "unset"> {
	const dueAt = nextDueAt(message);
	const { carrierCopy, sendQueue } = message;
	// Whoever releases a hold, or notes an outcome, has the message looked at at once: that is not to be put off.
	const where = { holds: { $size: message.holds.length }, ...outcomeAsRead(message) };
	const change = { id: message._id, from: [message.state], where };
	// Not on record before it was first due; whoever has asked since has it asked again, which changes nothing.
	const isBegun = carrierCopy?.state === "due" && carrierCopy.tries === 0;
	const begun = isBegun ? { carrierCopy, redaction: redactionKey(sendQueue, carrierCopy.nextTryAt) } : {};
	if (dueAt === undefined) return { ...change, set: begun, unset: ["nextCheckAt"] };
	return { ...change, set: { nextCheckAt: dueAt, ...begun } };
}
