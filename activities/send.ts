// One attempt: claim, decrypt, check lease and deadline once more, call the carrier, record what came of it. The only caller of a carrier.

import type { Carrier, LookupTimes, SendOutcome } from "../adapters/carriers/carrier.ts";
import type { Told } from "../domain/circuit.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Attempt, Message } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import {
	close,
	endAttempt,
	hold,
	keep,
	noteOutcome,
	recordAmbiguous,
	release,
	submit,
	type Transition,
	withhold,
} from "../domain/transition.ts";
import { type AddAgainDeps, createAddAgain } from "./addAgain.ts";
import { carriedText } from "./carriedText.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { referenceOf } from "./referenceOf.ts";
import type { createRejudge, Verdict } from "./rejudge.ts";
import type { createReroute } from "./reroute.ts";
import type { Tenancy } from "./tenancy.ts";
import type { createUnpark } from "./unpark.ts";

export type SendDeps = Pick<
	ActivityDeps,
	"clock" | "monotonic" | "ids" | "encryption" | "linkSeal" | "log" | "random"
> &
	AddAgainDeps & {
		store: { messages: Pick<ActivityDeps["store"]["messages"], "claim" | "find" | "transition"> };
		runs: Pick<ActivityDeps["runs"], "settleSoon">;
		carriers: { sender: (sendQueue: string) => Promise<Carrier | undefined> };
		unpark: ReturnType<typeof createUnpark>;
		rejudge: Pick<ReturnType<typeof createRejudge>, "rejudge">;
		tenancy: Tenancy;
		reroute: ReturnType<typeof createReroute>;
		/** Throws while no message may be sent or ended by this machine's time; see `createClockGuard`. */
		checkClock: () => Promise<void>;
		/** Whether this process is to end soon. */
		isStopping: () => boolean;
	};

/** `times`: when its carrier can be asked what became of it; absent where it can't. */
type Outcome =
	| (SendOutcome & { times?: LookupTimes | false })
	| { kind: "overdue" }
	| { kind: "withheld"; verdict: Exclude<Verdict, { kind: "due" }> };

type Control = { holdBack: (ms: number) => Promise<void> };

/**
 * `send` makes the attempt that a job names, unless another sender, a cancel, a hold or the deadline was first. Answers
 * what that tells of the carrier.
 */
export function createSend(deps: SendDeps) {
	const { messages } = deps.store;
	const recording = { ...deps, addAgain: createAddAgain(deps) };

	return async function send(job: { messageId: string; attempt: number; sendQueue: string }, control: Control) {
		// By a clock that is off the lease would be over, or the deadline far, for everybody else: the message went out twice.
		await deps.checkClock();
		const asked = { at: deps.clock(), tick: deps.monotonic() };
		const message = await messages.claim(job);
		if (!message) {
			await endIfOver(deps, job.messageId);
			return undefined;
		}
		const outcome = await attempt(deps, message, asked);
		await record(recording, message, outcome, control);
		return tellsOf(outcome);
	};
}

// A carrier that says no is well; one that was not asked tells nothing of itself.
function tellsOf(outcome: Outcome): Told {
	if (outcome.kind === "overdue" || outcome.kind === "withheld") return undefined;
	if (outcome.kind === "ambiguous") return { code: outcome.code };
	if (outcome.kind !== "rejected" || outcome.permanent) return true;
	return ownRefusals.has(outcome.code) ? undefined : { code: outcome.code };
}

// Nothing went out: another server of ours was away, or the time was over.
const ownRefusals = new Set(["store_unavailable", "keys_unavailable", "lease_too_short", "withdrawn"]);

/** @param asked when the claim was asked for, by the wall clock and by the monotonic one */
async function attempt(deps: SendDeps, message: Message, asked: { at: number; tick: number }): Promise<Outcome> {
	// The claim was of a message that bore no hold: one that it bears by now came since.
	const [borne] = message.restrictedBy ?? [];
	if (borne !== undefined) return { kind: "withheld", verdict: { kind: "held", hold: borne } };
	let carrier: Carrier | undefined;
	try {
		carrier = await deps.carriers.sender(message.sendQueue);
	} catch (error) {
		return refused(isServerAway(error) ? "carrier_unavailable" : "not_configured");
	}
	if (!carrier) return refused("carrier_unavailable");
	// After the claim, so that an opt-out, a withdrawal or another message that came before it is seen.
	const verdict = await judge(deps, message).catch(() => undefined);
	if (!verdict) return refused("store_unavailable");
	if (verdict.kind !== "due") {
		// Past its deadline no policy lets a message go: that is not the policy's doing.
		const isOver = deps.clock() >= message.deadlineAt && verdict.kind !== "held";
		return isOver ? { kind: "overdue" } : { kind: "withheld", verdict };
	}
	// Before the carrier can make it final: its end erases nothing that a hold keeps.
	for (const id of verdict.keeps ?? []) {
		const kept = await deps.store.messages.transition(keep(message, id)).catch(() => undefined);
		if (kept === undefined) return refused("store_unavailable");
	}
	let parts: { to: Plaintext; text: Plaintext };
	try {
		parts = await decryptParts(deps, message);
	} catch {
		return refused("keys_unavailable");
	}
	try {
		// The wall clock may have been set back meanwhile; the monotonic one says how much of lease and deadline is left. Not
		// from the attempt's own start: it is written once the store comes to it, and the wait for that would count twice. A
		// wall clock that was put forward is believed: it had been slow.
		const { claim } = message.attempts.at(-1) as Attempt;
		const elapsedMs = () => deps.monotonic() - asked.tick;
		const remainingMs = () => message.deadlineAt - Math.max(asked.at + elapsedMs(), deps.clock());
		// The monotonic clock stands still while its machine is suspended: a wall clock that says so much more has not.
		const lastsMs = limits.leaseMs - limits.carrierTimeoutMs;
		const leaseLeft = () => elapsedMs() <= lastsMs && deps.clock() - asked.at <= lastsMs + limits.clockSkewMs;
		// Carriers take whole seconds: with less than one left, any validity would reach past the deadline.
		if (remainingMs() < 1_000) return { kind: "overdue" };
		if (!leaseLeft()) return refused("lease_too_short");
		const validitySeconds = validityOf(remainingMs());
		const outcome = await carrier.send(
			{
				...parts,
				reference: referenceOf(deps, message._id, claim),
				sender: message.senderId,
				validitySeconds,
				stillDue: () => remainingMs() >= validitySeconds * 1000 && leaseLeft(),
			},
			AbortSignal.timeout(limits.carrierTimeoutMs),
		);
		return { ...outcome, times: carrier.capabilities.lookup };
	} catch {
		// An adapter that throws has broken its contract: nobody knows how far it came.
		return { kind: "ambiguous", code: "adapter_failed", times: carrier.capabilities.lookup };
	} finally {
		parts.to.wipe();
		parts.text.wipe();
	}
}

/**
 * What of the time left the carrier may take, whole seconds. It counts from when it has the message, so the wait for a
 * connection comes off first: all of it, or a quarter of what is left where that is less.
 */
function validityOf(remainingMs: number): number {
	const waitMs = Math.min(limits.carrierTimeoutMs, remainingMs / 4);
	return Math.max(1, Math.floor((remainingMs - waitMs) / 1000));
}

// Whatever else keeps a carrier from being opened is in the queue's settings and secrets.
function isServerAway(error: unknown): boolean {
	const { code } = error as { code?: unknown };
	return code === "keys_unavailable" || code === "store_unavailable";
}

// Nothing was handed to the carrier: the attempt may be made again.
function refused(code: string): Outcome {
	return { kind: "rejected", code, permanent: false };
}

async function judge(deps: SendDeps, message: Message): Promise<Verdict> {
	const [suspended, allowed, verdict] = await Promise.all([
		deps.tenancy.isSuspended(message.tenantId),
		deps.tenancy.allows(message.tenantId, message.country),
		deps.rejudge.rejudge(message),
	]);
	if (suspended) return { kind: "suspended" };
	return allowed || verdict.kind === "held" ? verdict : { kind: "refused", code: "destination_not_allowed" };
}

async function decryptParts(deps: SendDeps, message: Message): Promise<{ to: Plaintext; text: Plaintext }> {
	const open = (object: "content" | "address") => {
		const sealed = message[object];
		if (!sealed) throw new Error("content_erased");
		return deps.encryption.decrypt({ tenantId: message.tenantId, messageId: message._id, object, sealed });
	};
	const [content, to] = await Promise.all([open("content"), open("address")]);
	return { to, text: carriedText(deps, message, content) };
}

type RecordDeps = SendDeps & { addAgain: ReturnType<typeof createAddAgain> };

async function record(deps: RecordDeps, message: Message, outcome: Outcome, control: Control): Promise<void> {
	const now = deps.clock();
	const code = failoverCode(message, outcome, now);
	if (code !== undefined) {
		const transition = outcomeTransition(deps, message, outcome, now);
		const moved = await deps.reroute(message, code, transition).catch(() => undefined);
		if (moved) {
			if (outcome.kind === "throttled") await control.holdBack(outcome.retryAfterMs);
			return deps.addAgain({ ...moved, notBefore: now }, now);
		}
	}
	const messages = createPatient(deps, message, now);
	const recorded = await persistOutcome(deps, messages, message, outcome, now);
	if (!recorded) return;
	if (outcome.kind === "accepted") {
		// What overtook the answer must not wait for the message's close: the sweep looks at it once more.
		const again = { id: message._id, from: ["submitted"] as const, set: { nextCheckAt: now } };
		await unparkAll(deps, message, outcome.partIds ?? [outcome.carrierId]).catch(() => messages.transition(again));
	}
	if (outcome.kind === "throttled") await control.holdBack(outcome.retryAfterMs);
	const isSuspended = outcome.kind === "withheld" && outcome.verdict.kind === "suspended";
	if (recorded.to === "queued" && !isSuspended) {
		await deps.addAgain({ ...message, notBefore: recorded.set?.notBefore as number }, now);
	}
	if (recorded.to === "rejected" || recorded.to === "unknown" || recorded.to === "expired") {
		deps.runs.settleSoon(message);
	}
}

/**
 * Records what came of the attempt, whatever else was written of its message meanwhile: a hold that keeps what its end was
 * to erase, say, or an end that came first, beside which it is noted. That nobody knows, as the sweep has it once the lease
 * is over, stands only until somebody does. Answers what took effect; undefined when somebody else has recorded what came
 * of this attempt.
 */
async function persistOutcome(
	deps: SendDeps,
	messages: ReturnType<typeof createPatient>,
	message: Message,
	outcome: Outcome,
	now: number,
) {
	const { claim } = message.attempts.at(-1) as Attempt;
	const decide = (current: Message): Transition | undefined => {
		const own = current.attempts.find((one) => one.claim === claim);
		const isOpen = own?.outcome === undefined || (own.outcome === "ambiguous" && outcome.kind !== "ambiguous");
		if (!own || !isOpen) return undefined;
		const transition = outcomeTransition(deps, current, outcome, now);
		return isFinal(current.state) ? noteOutcome(current, transition, now) : transition;
	};
	return (await change(messages, message._id, decide, message))?.applied;
}

/**
 * Why another carrier may have the message: this one surely did not take it, and is not going to soon. After an outcome
 * that nobody knows there is no such reason, nor where it was we who could not hand it over.
 */
function failoverCode(message: Message, outcome: Outcome, now: number): string | undefined {
	if (outcome.kind === "throttled") {
		const isBearable =
			outcome.retryAfterMs <= limits.throttleBearableMs && throttledInRow(message) < limits.throttledBearableMax;
		return isBearable && now + outcome.retryAfterMs < message.deadlineAt ? undefined : "throttled";
	}
	if (outcome.kind !== "rejected" || outcome.permanent) return undefined;
	return ownRefusals.has(outcome.code) || outcome.code === "carrier_unavailable" ? undefined : outcome.code;
}

// One by one: parts of a message that are applied at once race each other.
async function unparkAll(deps: SendDeps, message: Message, carrierIds: string[]): Promise<void> {
	for (const carrierId of carrierIds) await deps.unpark(message._id, message.sendQueue, carrierId);
}

function outcomeTransition(deps: SendDeps, message: Message, outcome: Outcome, now: number): Transition {
	switch (outcome.kind) {
		case "accepted":
			return submit(
				message,
				outcome.partIds ?? outcome.carrierId,
				outcome.segments,
				now,
				outcome.times ? now + outcome.times.askAfterMs : undefined,
			);
		case "rejected":
			if (outcome.permanent) return endAttempt(message, "rejected", "rejected", now, outcome.code);
			return release(message, "failed", now + backoffMs(message.attempt, deps.random()), now, outcome.code);
		case "throttled": {
			// A carrier that goes on saying no is asked less and less often, whatever it says of when.
			const waitMs = Math.max(outcome.retryAfterMs, backoffMs(throttledInRow(message), deps.random()));
			return release(message, "throttled", now + waitMs, now);
		}
		case "withheld":
			return withheldTransition(message, outcome.verdict, now);
		case "overdue":
			return endAttempt(message, "expired", "withheld", now, "deadline");
		case "ambiguous":
			// A code sent twice can be used twice: unless its carrier can be asked, nothing shows that it was not sent.
			return message.category === "otp" && !outcome.times
				? endAttempt(message, "unknown", "ambiguous", now, outcome.code)
				: recordAmbiguous(message, now + absentAfterMs(outcome.times), now, outcome.code);
	}
}

// Where no carrier can tell, the call itself must be over.
function absentAfterMs(times: LookupTimes | false | undefined): number {
	return times ? times.absentAfterMs : limits.carrierTimeoutMs;
}

function withheldTransition(message: Message, verdict: Exclude<Verdict, { kind: "due" }>, now: number): Transition {
	if (verdict.kind === "refused") return withhold(message, now, verdict.code, verdict.rule);
	// The sweep, which knows of the suspension, has it wait; no job is made for it meanwhile.
	if (verdict.kind === "suspended") return release(message, "withheld", now, now, "tenant_suspended");
	if (verdict.kind === "later") return release(message, "withheld", verdict.until, now, "quiet_hours");
	// Back to where a held message waits: for the release of its hold, or for its deadline.
	const back = release(message, "withheld", now + limits.driverPatienceMs, now, "held");
	return message.restrictedBy?.includes(verdict.hold)
		? back
		: { ...back, push: hold(message, verdict.hold).push ?? {} };
}

/** How many attempts before this one were the last ones, and throttled. */
function throttledInRow({ attempts }: Message): number {
	const before = attempts.slice(0, -1);
	return before.length - 1 - before.findLastIndex(({ outcome }) => outcome !== "throttled");
}

/** Exponential with full jitter, from one second to five minutes. `random` is in [0, 1). */
function backoffMs(attempt: number, random: number): number {
	const ceiling = Math.min(limits.backoffMaxMs, limits.backoffFirstMs * 2 ** Math.min(attempt, 20));
	return Math.round(ceiling / 2 + (random * ceiling) / 2);
}

/**
 * The carrier has answered: what is lost of that here costs a look-up, or is never known again. A store that is away is
 * waited for until the message's close, after which nothing is recorded; by a process that is to end, for a lease.
 */
function createPatient(deps: SendDeps, { closeAt }: Message, now: number) {
	const began = deps.monotonic();
	const openMs = Math.max(limits.leaseMs, closeAt - now);

	async function patiently<Result>(call: () => Promise<Result>): Promise<Result> {
		for (let round = 0; ; round++) {
			try {
				return await call();
			} catch (error) {
				if (deps.monotonic() - began > (deps.isStopping() ? limits.leaseMs : openMs)) throw error;
				await new Promise((resolve) => setTimeout(resolve, Math.min(2_000, 100 * 2 ** round)));
			}
		}
	}

	const { find, transition } = deps.store.messages;
	return {
		find: (id: string) => patiently(() => find(id)),
		transition: (one: Transition) => patiently(() => transition(one)),
	};
}

async function endIfOver(deps: SendDeps, messageId: string): Promise<void> {
	const message = await deps.store.messages.find(messageId);
	if (!message || !close(message, deps.clock())) return;
	const ended = await change(deps.store.messages, messageId, (current) => close(current, deps.clock()), message);
	if (ended) deps.runs.settleSoon(ended.before);
}
