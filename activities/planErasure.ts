// What a granted erasure does to one message next: ends what is unsent, erases what is final, and marks what goes later.

import { isFinal, type State, unsentStates } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type ErasableObject, erasableObjects, type Message, sealedObjects } from "../domain/message.ts";
import { cancel, eraseParts, type Transition } from "../domain/transition.ts";

/** Whether an object is there still. */
export function isPresent(message: Message, object: ErasableObject): boolean {
	return object === "receipt" ? message.receipts.length > 0 : message[object] !== undefined;
}

/**
 * One conditional change, or undefined when nothing is left to do now.
 * @param eraseAt when the message's objects may and must go: now, or when a law's minimum ends; epoch ms
 * @param held a hold bears on its recipient, whether the message bears it yet or not
 */
export function planErasure(
	message: Message,
	requestId: string,
	eraseAt: number,
	held: boolean,
	now: number,
): Transition | undefined {
	const present = erasableObjects.filter((object) => isPresent(message, object) && message.retention[object]);
	const marks = markAll(message, present, requestId, eraseAt);
	if (eraseAt > now || held || message.holds.length > 0) return markOnly(message, marks, now);
	if ((unsentStates as readonly State[]).includes(message.state)) {
		const cancelling = cancel(message, now);
		return { ...cancelling, set: { ...marks, ...cancelling.set } };
	}
	if (!isFinal(message.state)) return markOnly(message, marks, now);
	if (present.length === 0) return undefined;
	return erase(message, present, marks, now);
}

/** Takes a request's marks from what it has not erased: that has its own dates again. Undefined when it bears none. */
export function clearMarks(message: Message, requestId: string, now: number): Transition | undefined {
	const set: Record<string, unknown> = {};
	const unset: string[] = [];
	const where: Record<string, unknown> = {};
	for (const object of erasableObjects) {
		const record = message.retention[object];
		if (record?.request !== requestId || record.erasedAt !== undefined) continue;
		const place = `retention.${object}`;
		Object.assign(where, { [`${place}.request`]: requestId, [`${place}.erasedAt`]: { $exists: false } });
		unset.push(`${place}.request`);
		// Re-timed since, it goes by the dates of then.
		if (!record.before) continue;
		set[`${place}.eraseBy`] = record.before.eraseBy;
		unset.push(`${place}.before`);
		if (!record.before.inPlace) unset.push(`${place}.inPlace`);
	}
	if (unset.length === 0) return undefined;
	return { id: message._id, from: [message.state], where, set: { ...set, ...lookSoon(message, now) }, unset };
}

function erase(message: Message, present: ErasableObject[], marks: Record<string, unknown>, now: number): Transition {
	const sealed = sealedObjects.filter((object) => present.includes(object));
	// As it was read: of two who erase it at once, one does, and says when. Of what came back once it was proven to be gone, when
	// it went is not stored where it stood.
	const asRead = present.map((object) => [
		`retention.${object}.erasedAt`,
		{ $in: [message.retention[object]?.erasedAt ?? null, null] },
	]);
	const sealedAsRead = sealed.map((object) => [`${object}.wrappingKeyId`, message[object]?.wrappingKeyId]);
	const erasing = eraseParts(message, present, now, Object.fromEntries([...asRead, ...sealedAsRead]));
	// The request's own certificate names them, unless it is lost: then the sweep certifies them by themselves.
	return { ...erasing, set: { ...marks, ...erasing.set, nextCheckAt: now + limits.requestCertifyMs } };
}

// Whoever ends the message, or finds it released, erases by these dates.
function markAll(message: Message, present: readonly ErasableObject[], requestId: string, eraseAt: number) {
	const marks: Record<string, unknown> = {};
	for (const object of present) {
		const record = message.retention[object];
		if (!record || (record.request === requestId && record.inPlace && record.eraseBy <= eraseAt)) continue;
		const { eraseBy, inPlace } = record;
		if (!record.before) marks[`retention.${object}.before`] = { eraseBy, ...(inPlace ? { inPlace } : {}) };
		marks[`retention.${object}.request`] = requestId;
		marks[`retention.${object}.inPlace`] = true;
		marks[`retention.${object}.eraseBy`] = Math.min(record.eraseBy, eraseAt);
	}
	return marks;
}

function markOnly(message: Message, marks: Record<string, unknown>, now: number): Transition | undefined {
	if (Object.keys(marks).length === 0) return undefined;
	return { id: message._id, from: [message.state], set: { ...marks, ...lookSoon(message, now) } };
}

function lookSoon({ state }: Message, now: number) {
	return isFinal(state) ? { nextCheckAt: now + limits.driverPatienceMs } : {};
}
