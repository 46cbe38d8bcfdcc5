// Messages of which nobody can read the packed part: set aside, so that they keep no other waiting, and known by that.

import type { mongo } from "mongoose";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { isReadable, type Message } from "../../domain/message.ts";
import { type StoredMessage, whole } from "./archive.ts";

type Stored = mongo.WithId<StoredMessage>;

// The last time that there is (ECMA-262): a date after it says that a message was set aside, and how much after it when.
const asideFrom = 8.64e15;

/**
 * Those that can be read, whole. The others are set aside, with what has whoever found them come by later.
 * @param later what to set of such a one for it to be found again at that time, where it is not the sweep that found it
 */
export async function readable(
	collection: mongo.Collection<Message>,
	found: Stored[],
	now: number,
	later: (at: number, message: Message) => Partial<Message> = () => ({}),
): Promise<Message[]> {
	const messages: Message[] = [];
	const asides: mongo.AnyBulkWriteOperation<Message>[] = [];
	for (const stored of found) {
		const message = wholeOrError(stored);
		if (message instanceof LetheError) {
			const set = { ...later(now + limits.unreadableCheckMs, stored), nextCheckAt: asideFrom + now };
			asides.push({ updateOne: { filter: { _id: stored._id }, update: { $set: set } } });
		} else messages.push(message);
	}
	if (asides.length > 0) await collection.bulkWrite(asides, { ordered: false });
	return messages;
}

/**
 * What a list shows of what is found, until it is enough: those that can be read, whole. The others are left out, and set
 * aside unless they are.
 * @param isEnough asked of what was read, before each that comes next
 * @throws LetheError store_unavailable once they are more than are told of: no list reads all that is stored
 */
export async function readableUntil(
	collection: mongo.Collection<Message>,
	found: AsyncIterable<Stored>,
	now: number,
	isEnough: (read: readonly Message[], next: Stored) => boolean,
): Promise<Message[]> {
	const messages: Message[] = [];
	const unread: Stored[] = [];
	for await (const stored of found) {
		if (isEnough(messages, stored) || unread.length > limits.unreadableItems) break;
		const message = wholeOrError(stored);
		if (message instanceof LetheError) unread.push(stored);
		else messages.push(message);
	}
	await setAside(collection, unread, now);
	if (unread.length > limits.unreadableItems)
		throw new LetheError("store_unavailable", { cause: "archives unreadable" });
	return messages;
}

/** All that is found: of what nobody can read what is not packed (see `isReadable`), and it is set aside unless it is. */
export async function wholeOrAside(
	collection: mongo.Collection<Message>,
	found: Stored[],
	now: number,
): Promise<Message[]> {
	const messages = found.map(wholeOrStored);
	await setAside(
		collection,
		found.filter((_, index) => !isReadable(messages[index] as Message)),
		now,
	);
	return messages;
}

// However often it is looked at, it is tried again in its turn.
async function setAside(collection: mongo.Collection<Message>, unread: Stored[], now: number): Promise<void> {
	const isAside = ({ nextCheckAt }: Stored) => nextCheckAt !== undefined && nextCheckAt >= asideFrom;
	await readable(
		collection,
		unread.filter((stored) => !isAside(stored)),
		now,
	);
}

/** Messages that were set aside, or tried again, before then: the longest first. */
export function findAside(
	collection: mongo.Collection<Message>,
	before: number,
	itemsMax: number,
	projection: mongo.Document = {},
): Promise<Stored[]> {
	const filter = { nextCheckAt: { $gte: asideFrom, $lt: asideFrom + before } };
	return collection.find(filter, { projection }).sort({ nextCheckAt: 1 }).limit(itemsMax).toArray();
}

/** The message, or what whoever asks for it is told where it can't be read. */
export function wholeOrError(stored: Stored): Message | LetheError {
	try {
		return whole<Message>(stored);
	} catch {
		return new LetheError("store_unavailable", { cause: "archive unreadable" });
	}
}

/** The message, or of one that can't be read what is not packed; see `isReadable`. */
export function wholeOrStored(stored: Stored): Message {
	const message = wholeOrError(stored);
	return message instanceof LetheError ? stored : message;
}

/** All of them, or what whoever asks for them is told where one can't be read. */
export function allOrError(stored: Stored[]): Message[] | LetheError {
	const read = stored.map(wholeOrError);
	return read.find((one) => one instanceof LetheError) ?? (read as Message[]);
}
