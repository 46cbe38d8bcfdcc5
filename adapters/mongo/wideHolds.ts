// Holds on a period or on all of a tenant: put on and taken off page by page, the newest messages first, and taken up after a kill.

import type { mongo } from "mongoose";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { type HoldRecord, holdPassesOf, nextPassAt, type SubjectRecord } from "../../domain/subject.ts";
import { guardStore } from "./guard.ts";
import type { Models } from "./models.ts";

type Place = NonNullable<HoldRecord["place"]>;

/** @throws LetheError store_unavailable */
export function createWideHoldStore(models: Models) {
	const messages = models.messages.collection as unknown as mongo.Collection<Message>;
	const records = models.subjectRecords.collection as unknown as mongo.Collection<SubjectRecord>;

	/** One page; answers the place to go on from, or undefined when that was the last. */
	async function applyPage(record: HoldRecord, now: number): Promise<Place | undefined> {
		// Another process's clock may be ahead of this one's.
		const newest = (record.to ?? now + limits.reservationMs) + 1;
		const { acceptedAt, id } = record.place ?? { acceptedAt: newest, id: "" };
		const before = { $or: [{ acceptedAt: { $lt: acceptedAt } }, { acceptedAt, _id: { $lt: id } }] };
		const found = await messages
			.find({ tenantId: record.tenantId, ...before }, { projection: { acceptedAt: 1, holds: 1 } })
			.sort({ acceptedAt: -1, _id: -1 })
			.limit(limits.holdPageItems)
			.toArray();
		const covered = found.filter((message) => message.acceptedAt >= sinceOf(record));
		const released = record.ended !== undefined;
		const ids = covered.filter(({ holds }) => holds.includes(record._id) === released).map(({ _id }) => _id);
		const update = released
			? { $pull: { holds: record._id }, $set: { nextCheckAt: now } }
			: { $addToSet: { holds: record._id } };
		if (ids.length > 0) await messages.updateMany({ _id: { $in: ids } }, update as mongo.UpdateFilter<Message>);
		const last = covered.at(-1);
		return last && covered.length === limits.holdPageItems ? { acceptedAt: last.acceptedAt, id: last._id } : undefined;
	}

	/** False when the hold was released, or another process has come further, meanwhile. */
	async function advance(record: HoldRecord, next: Place | undefined, now: number): Promise<boolean> {
		const { _id, ended, place, passes = 0 } = record;
		// A pass that was ended meanwhile has no place either: by its number it is told from this one.
		const isApplied = !next && !ended && passes + 1 >= holdPassesOf(record);
		const standing = { "place.id": place?.id ?? { $exists: false }, passes: record.passes ?? { $exists: false } };
		const filter = { _id, ended: { $exists: ended !== undefined }, ...standing };
		const update = next
			? { $set: { place: next } }
			: { $set: { passes: passes + 1, ...(isApplied ? { appliedAt: now } : {}) }, $unset: { place: 1 } };
		const result = await records.updateOne(
			filter as mongo.Filter<SubjectRecord>,
			update as mongo.UpdateFilter<SubjectRecord>,
		);
		return result.matchedCount === 1;
	}

	return {
		/**
		 * Goes on with a pass, for a bounded number of pages: a live hold is put on, a released one taken off. True when the
		 * pass is over; false, too, when it may not begin yet.
		 */
		apply: (record: HoldRecord, now: number): Promise<boolean> =>
			guardStore(async () => {
				if (now < nextPassAt(record)) return false;
				let at = record;
				for (let page = 0; page < limits.holdPagesMax; page++) {
					const next = await applyPage(at, now);
					if (!(await advance(at, next, now))) return false;
					if (!next) return true;
					at = { ...at, place: next };
				}
				return false;
			}),
	};
}

// Further passes of a live hold need not look at what was there long before it: the first has. A release looks at all again,
// since a process that had read the hold as live may have put it on once more.
function sinceOf({ at, from = 0, ended, passes = 0 }: HoldRecord): number {
	return ended || passes === 0 ? from : Math.max(from, at - limits.holdSettleMs);
}
