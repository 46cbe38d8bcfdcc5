// Frequency limits at the door: how much was sent to a recipient, by the store, and what this process is about to add.

import type { CountedMessage, CountedMessages } from "../adapters/mongo/subjectMessages.ts";
import type { Facts } from "../domain/decision.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { type Message, wasHandedOver } from "../domain/message.ts";
import { countedWithinMs, countSends, type SendCounts } from "../policies/frequency.ts";
import type { ApiDeps } from "./deps.ts";
import type { Subject } from "./subjects.ts";

type SendCountsDeps = Pick<ApiDeps, "clock"> & {
	store: { subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "findCounted"> };
};

/** A message that is about to be stored. */
type Coming = { id: string | undefined; category: string; time: number; until: number };

/** One a process, for all that accept: each has to see what the others are about to add. */
export type SendCounter = ReturnType<typeof createSendCounts>;

/** `settle` tells the id that the store is going to show; `forgo`, that it is not going to. */
export type Reservation = { settle: (id: string) => void; forgo: () => void };

/**
 * Counted are a tenant's messages of the same category to the same recipient, whether sent or still to be sent; those
 * that ended unsent are not. One indexed read a message, and only where a rule asks.
 *
 * What is guaranteed: of the messages that one API process accepts, none goes beyond a limit, however many come at once.
 * Several processes may each accept up to the limit in the same instant; the sender counts again after its claim, when
 * each sees the other's, so that carriers are never handed more than the limit. In that race it may refuse more than it
 * had to.
 */
export function createSendCounts(deps: SendCountsDeps) {
	const coming = new Map<string, Coming[]>();

	return {
		/** What the store knows; the argument of `count`. */
		read: (subject: Subject, category: Message["category"]): Promise<CountedMessages> =>
			deps.store.subjectMessages.findCounted(
				subject.macs,
				category,
				deps.clock() - countedWithinMs,
				limits.countedMessagesMax,
			),

		/**
		 * What frequency rules ask of a recipient at the time of sending, `at`. Judge by it and reserve without waiting in
		 * between: then no other message can.
		 */
		count(stored: CountedMessages, subject: Subject, facts: Facts, at: number): SendCounts {
			const now = deps.clock();
			const shown = new Set(stored.messages.map(({ _id }) => _id));
			const counted = stored.messages.filter(
				({ tenantId, state, attempts }) =>
					tenantId === subject.tenantId && (!isFinal(state) || wasHandedOver(attempts)),
			);
			const more = subject.macs
				.flatMap((mac) => coming.get(mac) ?? [])
				.filter(({ id, category, until }) => category === facts.category && until > now && !(id && shown.has(id)));
			return countSends([...counted.map(timeOf), ...more.map(({ time }) => time)], facts, at, stored.complete);
		},

		/** Counts a message that is to be sent at `time`, until the store shows it. */
		reserve(subject: Subject, category: string, time: number): Reservation {
			const now = deps.clock();
			const { mac } = subject.pseudonym;
			const entry: Coming = { id: undefined, category, time, until: now + limits.reservationMs };
			const known = coming.get(mac) ?? [];
			// Touched last, kept last: the first keys are those whose reservations are over.
			coming.delete(mac);
			coming.set(mac, [...known.filter(({ until }) => until > now), entry]);
			for (const [key, entries] of coming) {
				if ((entries.at(-1)?.until ?? 0) > now) break;
				coming.delete(key);
			}
			return {
				settle: (id) => {
					entry.id = id;
				},
				forgo: () => {
					coming.set(
						mac,
						(coming.get(mac) ?? []).filter((other) => other !== entry),
					);
				},
			};
		},
	};
}

function timeOf({ attempts, releaseAt, acceptedAt }: CountedMessage): number {
	return (wasHandedOver(attempts) ? attempts.at(-1)?.startedAt : undefined) ?? releaseAt ?? acceptedAt;
}
