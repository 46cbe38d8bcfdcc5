// Has carriers forget what is final: asked by the carrier's own id, read back where it shows it, asked again while it refuses.

import type { Carrier } from "../adapters/carriers/carrier.ts";
import { redactableIds } from "../domain/carrierCopy.ts";
import { limits } from "../domain/limits.ts";
import type { CarrierCopyRecord, Message } from "../domain/message.ts";
import type { Transition } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { type IsKeptDeps, isKept } from "./isKept.ts";

export type RedactDeps = Pick<ActivityDeps, "clock" | "monotonic" | "log" | "carriers"> &
	IsKeptDeps & {
		store: { messages: Pick<ActivityDeps["store"]["messages"], "take" | "transition"> };
		/** Issues a further certificate of what of these messages is erased and certified. */
		certifyAgain: (messages: Message[]) => Promise<void>;
	};

type Answer = Extract<CarrierCopyRecord["state"], "read_back" | "confirmed"> | "refused";

/** Asks for each message whose carrier's copy is due; what is not forgotten gets its next date. Certificates name the outcome. */
export function createRedact(deps: RedactDeps) {
	const { messages } = deps.store;

	async function redactOne(message: Message): Promise<Message | undefined> {
		const claimed = await messages.take(askAgain(message, deps.clock()));
		if (!claimed) return undefined;
		const answer = await askWithin(claimed);
		const outcome = settle(claimed, answer, deps.clock());
		return outcome && messages.take(outcome);
	}

	// A carrier that fails is one that is away, until the patience with one that refuses is over: then it makes no difference.
	async function askWithin(message: Message): Promise<Answer> {
		try {
			return await ask(await deps.carriers.sender(message.sendQueue), redactableIds(message.attempts));
		} catch (error) {
			if (!isOver(message, deps.clock())) throw error;
			return "refused";
		}
	}

	const putOff = ({ _id: id, state }: Message) =>
		messages.transition({
			...{ id, from: [state], where: { "carrierCopy.state": "due" } },
			set: { nextCheckAt: deps.clock() + limits.driverPatienceMs },
		});

	async function redactQueue(queue: readonly Message[], until: number): Promise<void> {
		const ended: Message[] = [];
		for (let start = 0; start < queue.length; start += limits.redactionsAtOnceMax) {
			const some = queue.slice(start, start + limits.redactionsAtOnceMax);
			const before = ended.length;
			let keptCount = 0;
			const one = async (message: Message) => {
				if (!(await isKept(deps, message))) return void ended.push(...[(await redactOne(message)) ?? []].flat());
				keptCount++;
				await putOff(message);
			};
			await Promise.all(some.map((message) => guarded(deps, () => one(message))));
			const isAway = ended.length === before && keptCount < some.length;
			// A carrier that is away or slow does not keep the sweep, nor does what waits for it take the room of others.
			if (isAway || deps.monotonic() >= until) {
				await Promise.all(queue.slice(start + some.length).map((message) => guarded(deps, () => putOff(message))));
				break;
			}
		}
		await guarded(deps, () => deps.certifyAgain(ended));
	}

	return async function redact(due: readonly Message[]): Promise<void> {
		const until = deps.monotonic() + limits.redactionPageMs;
		const queues = Map.groupBy(due, ({ sendQueue }) => sendQueue);
		await Promise.all([...queues.values()].map((queue) => redactQueue(queue, until)));
	};
}

/** Whether the carrier is to be asked now; a hold keeps its copy, too. */
export function isRedactionDue({ carrierCopy, holds }: Message, now: number): boolean {
	return carrierCopy?.state === "due" && carrierCopy.nextTryAt <= now && holds.length === 0;
}

// The date is a claim, and the asking is on record before it is done.
function askAgain(message: Message, now: number): Transition {
	const { carrierCopy = { tries: 0 } } = message;
	const { tries } = carrierCopy;
	const waitMs = Math.min(limits.redactionRetryFirstMs * 2 ** Math.min(tries, 20), limits.redactionRetryMaxMs);
	const first = tries === 0 ? { evidence: [{ at: now, type: "redaction_asked" as const }] } : {};
	return {
		id: message._id,
		from: [message.state],
		where: { holds: { $size: 0 }, "carrierCopy.state": "due", "carrierCopy.tries": tries },
		set: {
			"carrierCopy.tries": tries + 1,
			"carrierCopy.nextTryAt": now + waitMs,
			nextCheckAt: now + limits.driverPatienceMs,
		},
		...first,
	};
}

async function ask(carrier: Carrier | undefined, ids: string[] | undefined): Promise<Answer> {
	if (!carrier?.redact || !ids) return "refused";
	const answers: Answer[] = [];
	for (const id of ids) {
		const confirmed = await carrier.redact(id, AbortSignal.timeout(limits.carrierTimeoutMs));
		// Asked whatever it said: what it forgot at an earlier try it does not know any more.
		const seen = await carrier.readBack?.(id, AbortSignal.timeout(limits.carrierTimeoutMs));
		answers.push(
			seen === undefined ? (confirmed ? "confirmed" : "refused") : seen === "gone" ? "read_back" : "refused",
		);
	}
	if (answers.includes("refused")) return "refused";
	return answers.includes("confirmed") ? "confirmed" : "read_back";
}

function settle(message: Message, answer: Answer, now: number): Transition | undefined {
	if (answer === "refused" && !isOver(message, now)) return undefined;
	const state = answer === "refused" ? "given_up" : answer;
	return {
		id: message._id,
		from: [message.state],
		where: { "carrierCopy.state": "due" },
		set: { "carrierCopy.state": state, "carrierCopy.endedAt": now, nextCheckAt: now + limits.driverPatienceMs },
		evidence: [{ at: now, type: answer === "refused" ? "redaction_given_up" : "redacted", code: state }],
	};
}

function isOver({ carrierCopy }: Message, now: number): boolean {
	return carrierCopy !== undefined && now >= carrierCopy.dueAt + limits.redactionPatienceMs;
}
