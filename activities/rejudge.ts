// Judges a message once more, by what has been recorded of its recipient since it was accepted. It may only be stricter.

import type { Facts } from "../domain/decision.ts";
import { limits } from "../domain/limits.ts";
import { currentFacts, deliveryModes, type Message, wasHandedOver } from "../domain/message.ts";
import { isRevoked, keepsOf, type Standing, standingOf } from "../domain/subject.ts";
import { countedWithinMs, countSends } from "../policies/frequency.ts";
import { withStanding } from "../policies/standing.ts";
import type { ActivityDeps } from "./deps.ts";

export type RejudgeDeps = Pick<ActivityDeps, "clock" | "policies"> & {
	store: {
		subjectRecords: Pick<ActivityDeps["store"]["subjectRecords"], "findBySubjects">;
		subjectMessages: Pick<ActivityDeps["store"]["subjectMessages"], "findCounted">;
	};
};

/**
 * `keeps`: holds that keep the message, permit its use, and that it does not bear yet. `held`: a hold on the recipient
 * that the message does not bear yet. `code` says why in a word, `rule` which rule was decisive.
 */
export type Verdict =
	| { kind: "due"; keeps?: string[] }
	| { kind: "held"; hold: string }
	| { kind: "refused"; code: RefusalCode; rule?: string | undefined }
	| { kind: "later"; until: number }
	| { kind: "suspended" };

type RefusalCode =
	| "policy_denied"
	| "delivery_mode"
	| "recipient_key_revoked"
	| "expires_before_window"
	| "destination_not_allowed";

/** What has been recorded since; the argument of `judge`. */
type Known = { standing: Standing; sends?: Sends };
type Sends = { times: number[]; complete: boolean };

export function createRejudge(deps: RejudgeDeps) {
	/** Reads what is recorded of the recipient: one read, and one more where a frequency limit applies. */
	async function know(message: Message): Promise<Known> {
		const records = await deps.store.subjectRecords.findBySubjects([...pseudonymsOf(message), message.tenantId]);
		const standing = standingOf(records, message.tenantId);
		return isCapped(message, standing) ? { standing, sends: await readSends(deps, message) } : { standing };
	}

	// Acceptance counted where a rule asked then; one that came into force since asks all the same.
	function isCapped(message: Message, standing: Standing): boolean {
		const facts = currentFacts(message);
		if (facts.context?.sentToday !== undefined) return true;
		return deps.policies.isCapped(withStanding(facts, standing), deps.clock());
	}

	/** The verdict on a message that would be sent at `at`, epoch milliseconds. */
	function judge(message: Message, at: number, known?: Known): Verdict {
		// Before anything else: a refusal erases, and must not what a hold keeps that the message does not bear yet.
		const hold = known?.standing.holds.find((id) => !message.restrictedBy?.includes(id));
		if (hold !== undefined) return { kind: "held", hold };
		const own = currentFacts(message);
		const facts = known ? toFacts(own, at, known) : own;
		// At the door a hold refuses; here it suspends, which was seen to above.
		const decision = deps.policies.reevaluate({ ...facts, legalHold: undefined }, at);
		if (!decision.allowed) return { kind: "refused", code: "policy_denied", rule: decision.rules[0] };
		const { recipientKeyId } = message;
		if (recipientKeyId !== undefined && known && isRevoked(known.standing, recipientKeyId)) {
			return { kind: "refused", code: "recipient_key_revoked" };
		}
		// Policies that came since may ask for a more protective way than the message was made for.
		const rank = (mode: Message["deliveryMode"]) => deliveryModes.indexOf(mode);
		if (rank(decision.deliveryMode ?? "sms") > rank(message.deliveryMode)) {
			return { kind: "refused", code: "delivery_mode", rule: decision.rules[0] };
		}
		const until = decision.deferUntilUtc ? Date.parse(decision.deferUntilUtc) : at;
		if (until <= at) {
			const keeps = keepsOf(known?.standing, message.acceptedAt).filter((id) => !message.holds.includes(id));
			return { kind: "due", ...(keeps.length > 0 ? { keeps } : {}) };
		}
		if (until >= message.deadlineAt) return { kind: "refused", code: "expires_before_window" };
		return { kind: "later", until };
	}

	return {
		know,
		judge,
		/** Reads and judges as of now, for whoever is about to hand the message over. */
		rejudge: async (message: Message): Promise<Verdict> => judge(message, deps.clock(), await know(message)),
	};
}

function toFacts(stated: Facts, at: number, { standing, sends }: Known): Facts {
	const facts = withStanding(stated, standing);
	if (!sends) return facts;
	return { ...facts, context: { ...facts.context, ...countSends(sends.times, facts, at, sends.complete) } };
}

// Read after the claim: of two messages whose claims raced at least one sees the other. Only what a carrier has, or may
// have, counts now; all that is merely on its way is counted when it comes here itself.
async function readSends(deps: RejudgeDeps, message: Message): Promise<Sends> {
	const since = deps.clock() - countedWithinMs;
	const { messages, complete } = await deps.store.subjectMessages.findCounted(
		pseudonymsOf(message),
		message.category,
		since,
		limits.countedMessagesMax,
	);
	const times = messages
		.filter(({ _id, tenantId }) => _id !== message._id && tenantId === message.tenantId)
		.flatMap(({ attempts }) => (wasHandedOver(attempts) ? (attempts.at(-1)?.startedAt ?? []) : []));
	return { times, complete };
}

// Under every key version that was live at acceptance: a consent of before the last one may have been withdrawn since.
// What was recorded since bears all live versions, and so one of these.
function pseudonymsOf({ subject }: Message): string[] {
	return [subject.mac, ...(subject.others ?? [])];
}
