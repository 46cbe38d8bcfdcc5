// Before anything is sent: checks again what time or others may have changed since acceptance. It may only be stricter.

import { isFinal } from "../domain/lifecycle.ts";
import type { Message } from "../domain/message.ts";
import { close, defer, refuse, type Transition } from "../domain/transition.ts";
import type { Group, Preparation } from "../workflows/contract.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";

export type PrepareDeps = Pick<ActivityDeps, "clock" | "policies"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "findBySubmission" | "transition"> };
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

/** Judges each open message of a submission anew and groups what is left by release time. */
export function createPrepare(deps: PrepareDeps) {
	const { messages } = deps.store;

	async function prepareMessage(message: Message): Promise<Message> {
		const changed = await change(messages, message._id, (current) => verdict(deps, current), message);
		if (!changed) return message;
		return (await messages.find(message._id)) ?? message;
	}

	return {
		prepareMessage,
		async prepare(submissionId: string): Promise<Preparation> {
			const found = await messages.findBySubmission(submissionId);
			const prepared = await Promise.all(found.map(prepareMessage));
			const open = prepared.filter((message) => !isFinal(message.state));
			const groups = Map.groupBy(open, (message) => message.group);
			return { groups: [...groups].map(([group, members]) => toGroup(group, members)) };
		},
	};
}

function verdict(deps: PrepareDeps, message: Message): Transition | undefined {
	if (message.state !== "accepted" && message.state !== "deferred") return undefined;
	const now = deps.clock();
	const over = close(message, now);
	if (over) return over;
	const decision = deps.policies.reevaluate(message.facts, Math.max(now, message.releaseAt ?? now));
	if (!decision.allowed) return refuse(message, now, "policy_denied");
	const releaseAt = decision.deferUntilUtc ? Date.parse(decision.deferUntilUtc) : undefined;
	if (releaseAt === undefined || releaseAt <= (message.releaseAt ?? now)) return undefined;
	if (releaseAt >= message.deadlineAt) return refuse(message, now, "expires_before_window");
	return defer(message, releaseAt, now, "quiet_hours");
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
