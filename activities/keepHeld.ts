// What a hold keeps beyond its cohort's end goes under the hold's own key, so that the cohort's can be destroyed for the rest.

import type { Cohort } from "../adapters/mongo/models.ts";
import { LetheError } from "../domain/errors.ts";
import { finalStates } from "../domain/lifecycle.ts";
import { isReadable, type Message, noEnd, type SealedObjectName } from "../domain/message.ts";
import type { HoldRecord } from "../domain/subject.ts";
import type { Transition } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createDropEndedHolds } from "./dropEndedHolds.ts";
import { formerCohorts } from "./keyDates.ts";

export type KeepHeldDeps = Pick<ActivityDeps, "clock" | "log"> & {
	/** Ends a member that is still open. */
	endOpen: (message: Message) => Promise<void>;
	dropEndedHolds: ReturnType<typeof createDropEndedHolds>;
	cohorts: Pick<ActivityDeps["cohorts"], "ensure">;
	encryption: Pick<ActivityDeps["encryption"], "rewrap">;
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "findHeldIn" | "transition">;
		subjectRecords: Pick<ActivityDeps["store"]["subjectRecords"], "find">;
	};
};

const awayCodes: readonly string[] = ["keys_unavailable", "store_unavailable"];

/**
 * Moves one page of a cohort's held members under the keys of their holds; answers how many moved, 0 when none can.
 * A member that only holds without a record bear on stays, and keeps the cohort's key: nobody knows whether it may go. One
 * whose holds have all ended is let go of, for the next page of the purge.
 */
export function createKeepHeld(deps: KeepHeldDeps) {
	const { messages } = deps.store;

	return async function keepHeld(cohort: Cohort, object: SealedObjectName, itemsMax: number): Promise<number> {
		const skip = new Set<string>();
		const live = new Map<string, HoldRecord>();
		for (;;) {
			const page = await messages.findHeldIn(cohort._id, object, itemsMax, skip);
			if (page.length === 0) return 0;
			await look(page, live, skip);
			await Promise.all(page.map(deps.endOpen));
			const moved = await Promise.all(page.map((message) => move(cohort, object, message, live, skip)));
			const count = moved.filter(Boolean).length;
			if (count > 0) return count;
		}
	};

	async function look(page: Message[], live: Map<string, HoldRecord>, skip: Set<string>): Promise<void> {
		const ids = new Set(page.flatMap(({ holds }) => holds).filter((id) => !live.has(id) && !skip.has(id)));
		await Promise.all(
			[...ids].map(async (id) => {
				const record = await deps.store.subjectRecords.find(id);
				if (record?.kind === "hold" && !record.ended) live.set(id, record);
				else skip.add(id);
			}),
		);
	}

	async function move(
		cohort: Cohort,
		object: SealedObjectName,
		message: Message,
		live: ReadonlyMap<string, HoldRecord>,
		skip: Set<string>,
	): Promise<boolean> {
		const holdId = message.holds.find((id) => live.has(id));
		if (holdId === undefined) {
			await deps.dropEndedHolds(message);
			return false;
		}
		if (!isReadable(message)) return setAside(message, skip);
		try {
			if (await messages.transition(await rewrapUnder(deps, cohort, object, message, holdId))) return true;
		} catch (error) {
			const { code = "internal" } = error as { code?: string };
			if (awayCodes.includes(code)) throw error;
			// What can't be opened can't be kept, nor may the hold's other members wait for it.
			deps.log.error({ messageId: message._id, code }, "held message not kept");
		}
		// Another worker was faster, or the hold was released in between: the next page shows which.
		skip.add(message._id);
		return false;
	}

	// Where it is to go is among what nobody can read of it. The sweep finds it, and has it be an alert.
	async function setAside({ _id }: Message, skip: Set<string>): Promise<false> {
		await messages.transition({ id: _id, set: { nextCheckAt: deps.clock() } });
		skip.add(_id);
		return false;
	}
}

async function rewrapUnder(
	deps: KeepHeldDeps,
	cohort: Cohort,
	object: SealedObjectName,
	message: Message,
	holdId: string,
): Promise<Transition> {
	const { _id: messageId, tenantId, region } = message;
	const sealed = message[object];
	if (!sealed) throw new LetheError("internal", { cause: "a held member without its object" });
	const place = { tenantId, region, retentionClass: `hold/${holdId}`, dueAt: noEnd, holdId };
	const cohortId = await deps.cohorts.ensure(place);
	const kept = await deps.encryption.rewrap({ tenantId, messageId, object, sealed, cohortId });
	return {
		id: messageId,
		from: finalStates,
		// A release takes the hold off first: then this comes too late, and what is free is erased instead.
		where: {
			holds: holdId,
			[`${object}.cohortId`]: cohort._id,
			[`${object}.wrappingKeyId`]: sealed.wrappingKeyId,
		},
		set: {
			[`${object}.cohortId`]: cohortId,
			[`${object}.wrappingKeyId`]: kept.wrappingKeyId,
			[`${object}.wrappedKey`]: kept.wrappedKey,
			[`retention.${object}.cohortId`]: cohortId,
			[`retention.${object}.formerCohorts`]: formerCohorts(message, object, cohortId),
		},
		unset: [`retention.${object}.keyDueAt`],
		evidence: [{ at: deps.clock(), type: "kept", code: object }],
	};
}
