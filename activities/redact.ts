// Has carriers forget what is final: asked by the carrier's own id, read back where it shows it, asked again while it refuses.

import type { Carrier } from "../adapters/carriers/carrier.ts";
import { type CarrierPart, redactableParts, redactionKey, redactionsDue } from "../domain/carrierCopy.ts";
import { limits } from "../domain/limits.ts";
import type { CarrierCopyRecord, Message } from "../domain/message.ts";
import type { Transition } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { type IsKeptDeps, isKept } from "./isKept.ts";

export type RedactDeps = Pick<ActivityDeps, "clock" | "monotonic" | "log" | "carriers"> &
	IsKeptDeps & {
		store: {
			messages: Pick<ActivityDeps["store"]["messages"], "findRedactions" | "redactionQueues" | "take" | "transition">;
		};
		/** Issues a further certificate of what of these messages is erased and certified. */
		certifyAgain: (messages: Message[]) => Promise<void>;
		/** Throws while no carrier's copy may be dated by this machine's time; see `createClockGuard`. */
		checkClock: () => Promise<void>;
	};

type Answer = Extract<CarrierCopyRecord["state"], "read_back" | "confirmed"> | "refused";

/** What is left of a turn: more at once, nothing that is due, or a carrier that is better left alone for a while. */
export type Turned = "more" | "none" | "resting";

/**
 * A queue's turn asks for the messages whose carriers' copies are due, as long as the carrier forgets any; what is not
 * forgotten gets its next date. Certificates name the outcome. It is no part of the sweep, and keeps it waiting for nothing.
 */
export function createRedact(deps: RedactDeps) {
	const { messages } = deps.store;

	/** Undefined when somebody else has asked; the message as it was, when the carrier is yet to forget it. */
	async function redactOne(message: Message): Promise<Message | undefined> {
		const claimed = await messages.take(askAgain(message, deps.clock()));
		if (!claimed) return undefined;
		const outcome = settle(claimed, await askWithin(claimed), deps.clock());
		return (outcome && (await messages.take(outcome))) ?? claimed;
	}

	// A carrier that fails is one that is away, until the patience with one that refuses is over: then it makes no difference.
	async function askWithin(message: Message): Promise<Answer | undefined> {
		try {
			const answer = await ask(await deps.carriers.sender(message.sendQueue), redactableParts(message.attempts));
			if (answer === "refused")
				deps.log.warn({ code: "redaction_refused", messageId: message._id }, "redaction postponed");
			return answer;
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "redaction postponed");
			return isOver(message, deps.clock()) ? "refused" : undefined;
		}
	}

	// Out of the line last: whoever dies before has it certified once more, which makes the same certificate.
	async function certify(ended: Message[]): Promise<true> {
		await deps.certifyAgain(ended);
		const leave = ({ _id: id, state }: Message) => {
			const where = { "carrierCopy.state": { $ne: "due" } };
			return messages.transition({ id, from: [state], where, unset: ["redaction"] });
		};
		await Promise.all(ended.map(leave));
		return true;
	}

	// A hold that it may not bear yet keeps it as well: looked at again once it does, or the hold is released.
	const putOff = ({ _id: id, state, sendQueue }: Message) =>
		messages.transition({
			...{ id, from: [state], where: { "carrierCopy.state": "due" } },
			set: { redaction: redactionKey(sendQueue, deps.clock() + limits.driverPatienceMs) },
		});

	// Its hold keeps it there: the release has the sweep look at it, which puts it in the line again.
	const wait = ({ _id: id, state }: Message) =>
		messages.transition({ id, from: [state], where: { "holds.0": { $exists: true } }, unset: ["redaction"] });

	/** False when the carrier was asked and forgot none of them, or what it forgot can't be certified now. */
	async function redactSome(some: Message[]): Promise<boolean> {
		const one = async (message: Message): Promise<Message | undefined> => {
			if (message.holds.length === 0 && !(await isKept(deps, message))) return redactOne(message);
			await (message.holds.length > 0 ? wait(message) : putOff(message));
			return undefined;
		};
		const due = some.filter(isDue);
		const tried = await Promise.all(due.map((message) => guarded(deps, () => one(message), message._id)));
		const asked = tried.filter((message) => message !== undefined);
		const forgotten = asked.filter((message) => !isDue(message));
		const ended = [...some.filter((message) => !isDue(message)), ...forgotten];
		const isCertified = await guarded(deps, () => certify(ended));
		return isCertified === true && (asked.length === 0 || forgotten.length > 0);
	}

	return {
		/** Send queues that have something due. */
		findQueues: (): Promise<string[]> => messages.redactionQueues(deps.clock()),
		/** @throws LetheError store_unavailable | clock_off */
		async redactQueue(sendQueue: string, isStopping: () => boolean = () => false): Promise<Turned> {
			const until = deps.monotonic() + limits.redactionTurnMs;
			for (;;) {
				const due = redactionsDue(sendQueue, deps.clock());
				const page = await messages.findRedactions(due, limits.redactionPageItems);
				for (let start = 0; start < page.length; start += limits.redactionsAtOnceMax) {
					if (isStopping() || deps.monotonic() >= until) return "more";
					// By a clock that is off the patience would be over, or a carrier that refuses asked again on a day far off.
					await deps.checkClock();
					if (!(await redactSome(page.slice(start, start + limits.redactionsAtOnceMax)))) return "resting";
				}
				if (page.length < limits.redactionPageItems) return "none";
			}
		},
	};
}

function isDue({ carrierCopy }: Message): boolean {
	return carrierCopy?.state === "due";
}

// The date is a claim, and the asking is on record before it is done.
function askAgain(message: Message, now: number): Transition {
	const { carrierCopy = { tries: 0 }, sendQueue } = message;
	const { tries } = carrierCopy;
	const waitMs = Math.min(limits.redactionRetryFirstMs * 2 ** Math.min(tries, 20), limits.redactionRetryMaxMs);
	const nextTryAt = now + waitMs;
	const first = tries === 0 ? { evidence: [{ at: now, type: "redaction_asked" as const }] } : {};
	return {
		id: message._id,
		from: [message.state],
		where: { holds: { $size: 0 }, "carrierCopy.state": "due", "carrierCopy.tries": tries },
		set: {
			"carrierCopy.tries": tries + 1,
			"carrierCopy.nextTryAt": nextTryAt,
			redaction: redactionKey(sendQueue, nextTryAt),
		},
		...first,
	};
}

async function ask(carrier: Carrier | undefined, parts: CarrierPart[] | undefined): Promise<Answer> {
	if (!carrier?.redact || !parts) return "refused";
	const answers: Answer[] = [];
	for (const { carrierId, startedAt } of parts) {
		const confirmed = await carrier.redact(carrierId, AbortSignal.timeout(limits.carrierTimeoutMs));
		// Asked whatever it said: what it forgot at an earlier try it does not know any more. What it says that it forgot it had.
		const since = confirmed ? Number.POSITIVE_INFINITY : startedAt;
		const seen = await carrier.readBack?.(carrierId, since, AbortSignal.timeout(limits.carrierTimeoutMs));
		answers.push(
			seen === undefined ? (confirmed ? "confirmed" : "refused") : seen === "gone" ? "read_back" : "refused",
		);
	}
	if (answers.includes("refused")) return "refused";
	return answers.includes("confirmed") ? "confirmed" : "read_back";
}

function settle(message: Message, answer: Answer | undefined, now: number): Transition | undefined {
	if (answer === undefined || (answer === "refused" && !isOver(message, now))) return undefined;
	const state = answer === "refused" ? "given_up" : answer;
	return {
		id: message._id,
		from: [message.state],
		where: { "carrierCopy.state": "due" },
		set: {
			...{ "carrierCopy.state": state, "carrierCopy.endedAt": now },
			// Until its certificate says so.
			redaction: redactionKey(message.sendQueue, now + limits.driverPatienceMs),
		},
		evidence: [{ at: now, type: answer === "refused" ? "redaction_given_up" : "redacted", code: state }],
	};
}

function isOver({ carrierCopy }: Message, now: number): boolean {
	return carrierCopy !== undefined && now >= carrierCopy.dueAt + limits.redactionPatienceMs;
}
