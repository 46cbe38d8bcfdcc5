// Before anything is sent: checks again what time or others may have changed since acceptance. It may only be stricter.

import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import { close, defer, hold, refuse, type Transition } from "../domain/transition.ts";
import type { Group, Preparation } from "../workflows/contract.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createRejudge } from "./rejudge.ts";

type Rejudge = Pick<ReturnType<typeof createRejudge>, "judge" | "know">;

export type PrepareDeps = Pick<ActivityDeps, "clock"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "findBySubmission" | "transition"> };
	rejudge: Rejudge;
	/** Throws while no message may be ended by this machine's time; see `createClockGuard`. */
	checkClock: () => Promise<void>;
};

/** Judges each open message of a submission anew and groups what is left by release time. */
export function createPrepare(deps: PrepareDeps) {
	const { messages } = deps.store;

	async function prepareMessage(message: Message): Promise<Message> {
		// By a clock that is off what is queued would be over, too, and a window that opens past the deadline refuses for good.
		if (!isFinal(message.state)) await deps.checkClock();
		// What acceptance has just read is not read again here: the sender does, before the carrier is called.
		const fresh = deps.clock() - message.acceptedAt < limits.standingFreshMs;
		const known = fresh || isFinal(message.state) ? undefined : await deps.rejudge.know(message);
		const changed = await change(messages, message._id, (current) => verdict(deps, current, known), message);
		if (!changed) return message;
		return (await messages.find(message._id)) ?? message;
	}

	return {
		prepareMessage,
		async prepare(submissionId: string): Promise<Preparation> {
			const found = await messages.findBySubmission(submissionId);
			const preparing = await Promise.allSettled(found.map(prepareMessage));
			const failures = preparing.filter((one) => one.status === "rejected");
			if (failures.length === found.length && failures[0]) throw failures[0].reason;
			// What can't be judged stands in the plan as it was: `deliver` judges it again, and the others need not wait.
			const prepared = preparing.map((one, index) =>
				one.status === "fulfilled" ? one.value : (found[index] as Message),
			);
			const open = prepared.filter((message) => !isFinal(message.state));
			const groups = Map.groupBy(open, (message) => message.group);
			return { groups: [...groups].map(([group, members]) => toGroup(group, members)) };
		},
	};
}

function verdict(
	deps: PrepareDeps,
	message: Message,
	known: Awaited<ReturnType<Rejudge["know"]>> | undefined,
): Transition | undefined {
	if (!isUnprepared(message)) return undefined;
	const now = deps.clock();
	const over = close(message, now);
	if (over) return over;
	const found = deps.rejudge.judge(message, Math.max(now, message.releaseAt ?? now), known);
	if (found.kind === "refused") return refuse(message, now, found.code, found.rule);
	if (found.kind === "held") return hold(message, found.hold);
	return found.kind === "later" ? defer(message, found.until, now, "quiet_hours") : undefined;
}

function isUnprepared({ state }: Message): boolean {
	return state === "accepted" || state === "deferred";
}

function toGroup(group: number, members: Message[]): Group {
	const releases = members.flatMap((message) => message.releaseAt ?? []);
	return {
		group,
		// Only what was deferred sleeps: clocks that differ by a little must not cost a timer.
		...(releases.length > 0 ? { releaseAt: Math.max(...releases) } : {}),
		closeAt: Math.max(...members.map((message) => message.closeAt)),
		count: members.length,
	};
}
