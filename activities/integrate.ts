// Puts into the evidence log what messages carry of their own acts: with the update that ends them, or by the sweep.

import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import { evidenceAsRead, outcomeAsRead, type Transition } from "../domain/transition.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import type { ActivityDeps } from "./deps.ts";

export type IntegrateDeps = Pick<ActivityDeps, "clock" | "log" | "evidence"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "findUnintegrated" | "transition"> };
};

type EnsureDeps = Pick<ActivityDeps, "evidence"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "transition"> };
};

/**
 * Integrates a page of what has waited for long: nobody else was to come by. Answers how many it found, or none where not one
 * of them could be brought in: the next page would fare no better.
 */
export function createIntegrate(deps: IntegrateDeps) {
	const { messages } = deps.store;

	async function integrateOne(message: Message): Promise<boolean> {
		try {
			await messages.transition(await integrated(deps.evidence, message, { id: message._id }));
			return true;
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "evidence not integrated");
			return false;
		}
	}

	return async function integrate(): Promise<number> {
		const until = deps.clock() - limits.integratePatienceMs;
		const waiting = await messages.findUnintegrated(until, limits.sweepPageItems);
		const done = await Promise.all(waiting.map(integrateOne));
		const failed = waiting.filter((_, index) => !done[index]);
		if (failed.length === waiting.length) return 0;
		// One that fails again and again must not keep others from their turn. Where none can be waiting behind it, it has waited
		// since it began to: by that people are told of it.
		if (waiting.length === limits.sweepPageItems) {
			const set = { unintegratedSince: deps.clock() };
			await Promise.all(failed.map(({ _id: id }) => messages.transition({ id, set })));
		}
		return waiting.length;
	};
}

/** Has all that a message carries in the log, so that it may go; false when more was added meanwhile. @throws LetheError */
export async function ensureIntegrated(deps: EnsureDeps, message: Message): Promise<boolean> {
	if (message.unintegratedSince === undefined) return true;
	return deps.store.messages.transition(await integrated(deps.evidence, message, { id: message._id }));
}

/**
 * The change, once all that the message carries and the change adds is in the log: it says so of the message by itself, and
 * applies only if nothing else was added meanwhile.
 * @throws LetheError store_unavailable
 */
export async function integrated(
	evidence: Pick<ActivityDeps["evidence"], "integrate">,
	message: Message,
	change: Transition,
): Promise<Transition> {
	const count = await evidence.integrate(message, change.evidence);
	const isResting = isFinal(message.state);
	return {
		...change,
		// An attempt's outcome may be noted without evidence, and a message that comes to rest has its attempts as they were read.
		where: { ...change.where, ...evidenceAsRead(message), ...(isResting ? outcomeAsRead(message) : {}) },
		set: { ...change.set, integrated: count },
		unset: [...(change.unset ?? []), "unintegratedSince"],
		...(isResting ? { rest: asLeft(message, change) } : {}),
	};
}

/** A message as a change leaves it: its evidence, its retention, and what has no parts. */
export function asLeft(message: Message, { evidence = [], set = {}, unset = [] }: Transition): Message {
	const left: Record<string, unknown> = { ...message, evidence: [...message.evidence, ...evidence] };
	const retention: Record<string, object> = { ...message.retention };
	for (const [path, value] of [...Object.entries(set), ...unset.map((gone) => [gone, undefined] as const)]) {
		const [field = "", object, part] = path.split(".");
		if (object === undefined) left[field] = value;
		else if (field === "retention" && part !== undefined)
			retention[object] = withoutUndefined({ ...retention[object], [part]: value });
	}
	return { ...withoutUndefined(left), retention } as unknown as Message;
}
