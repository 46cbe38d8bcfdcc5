// An attempt whose outcome nobody knows: the carrier is asked; only shown absence lets the message be sent again.

import type { Carrier, LookupTimes } from "../adapters/carriers/carrier.ts";
import { limits } from "../domain/limits.ts";
import { type Attempt, carrierIdsOf, type Message } from "../domain/message.ts";
import { close, endAttempt, release, submit, type Transition } from "../domain/transition.ts";
import { type AddAgainDeps, createAddAgain } from "./addAgain.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { referenceOf } from "./referenceOf.ts";
import { applyEvent, type createUnpark } from "./unpark.ts";

export type ResolveDeps = Pick<ActivityDeps, "ids"> &
	AddAgainDeps & {
		store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "transition"> };
		runs: Pick<ActivityDeps["runs"], "settleSoon">;
		carriers: { sender: (sendQueue: string) => Promise<Carrier | undefined> };
		unpark: ReturnType<typeof createUnpark>;
	};

/** Asks the carrier about a message that is sending past its lease, or submitted and in doubt. */
export function createResolve(deps: ResolveDeps) {
	const { messages } = deps.store;
	const addAgain = createAddAgain(deps);

	return async function resolve(message: Message): Promise<void> {
		const now = deps.clock();
		const over = close(message, now);
		if (over) return apply(over, message);
		const attempt = message.attempts.at(-1);
		const { sendQueue } = message;
		const carrier = await deps.carriers.sender(sendQueue).catch(() => undefined);
		const times = carrier?.capabilities.lookup || undefined;
		const askableAt = message.state === "sending" && attempt ? askableFrom(attempt, times) : now;
		// Whatever brought the message here early: the carrier may yet hear of the attempt.
		if (now < askableAt) return postpone(message, askableAt);
		// By the clock of whoever made the attempt it may not be over yet, for each may differ from Vault's by the skew: a look-up
		// may show the message, and no absence.
		const provenAt = askableAt + 2 * limits.clockSkewMs;
		const carrierIds = message.state === "submitted" && attempt ? carrierIdsOf(attempt) : [];
		for (const carrierId of carrierIds) await deps.unpark(message._id, sendQueue, carrierId);
		const found =
			attempt && carrier?.lookup
				? await carrier.lookup(
						referenceOf(deps, message._id, attempt.claim),
						attempt.startedAt,
						AbortSignal.timeout(limits.carrierTimeoutMs),
					)
				: ({ kind: "unavailable" } as const);
		if (found.kind === "found") {
			if (message.state === "sending") {
				const askAt = now + (times?.askAfterMs ?? limits.receiptPatienceMs);
				await apply(submit(message, found.carrierId, found.segments, now, askAt), message);
				await deps.unpark(message._id, sendQueue, found.carrierId);
			}
			const eventId = `lookup-${attempt?.number}-${found.state}`;
			await applyEvent(deps, { messageId: message._id, sendQueue }, { ...found, eventId }, false);
			if (message.state === "submitted") await postpone(message, askAgainAt(message, now, times));
			return;
		}
		if (found.kind === "absent" && message.state === "sending") {
			if (now < provenAt) return postpone(message, provenAt);
			await apply(release(message, "absent", now, now), message);
			return addAgain(message, now);
		}
		// Whoever waits for a code is told soon: the close of its message is minutes after it was of use.
		if (message.state === "sending" && message.category === "otp") {
			if (now < provenAt) return postpone(message, provenAt);
			return apply(endAttempt(message, "unknown", "ambiguous", now, attempt?.code ?? "lease_expired"), message);
		}
		const isPointless = message.state === "submitted" && !carrier?.lookup && carrier !== undefined;
		await postpone(message, isPointless ? message.closeAt : askAgainAt(message, now, times));
	};

	async function apply(transition: Transition, message: Message): Promise<void> {
		if ((await messages.transition(transition)) && transition.to !== "queued" && transition.to !== "submitted") {
			deps.runs.settleSoon(message);
		}
	}

	// Asked again later, until the message's close decides.
	async function postpone(message: Message, at: number): Promise<void> {
		const nextCheckAt = Math.min(message.closeAt, at);
		await change(messages, message._id, (current) =>
			current.state === message.state ? { id: message._id, from: [message.state], set: { nextCheckAt } } : undefined,
		);
	}
}

// Each time as late again as it has been so far: a carrier that is slow to know is not asked all the time.
function askAgainAt({ state, stateAt }: Message, now: number, times?: LookupTimes): number {
	return now + Math.max(times?.askAfterMs ?? limits.receiptPatienceMs, state === "submitted" ? now - stateAt : 0);
}

/** From then on, by the clock of its sender, the carrier is not at work on the attempt any more, and would know of it. */
function askableFrom({ endedAt, leaseUntil }: Attempt, times?: LookupTimes): number {
	return (endedAt ?? leaseUntil) + (times?.absentAfterMs ?? limits.carrierTimeoutMs);
}
