// What may be sent, when, and how long each trace of it may live: all that is decided of a message before it is stored.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision, Facts, FactsContext, RetentionPlan } from "../domain/decision.ts";
import { type ErrorCode, type FieldError, LetheError } from "../domain/errors.ts";
import { formatTime } from "../domain/formatTime.ts";
import { limits } from "../domain/limits.ts";
import type { RetentionObject, SubjectPseudonym } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import { routeFacts } from "../domain/routes.ts";
import { keepsOf, keyInForce, type RecipientKeyRecord, type Standing, withoutRefusals } from "../domain/subject.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import type { Area } from "../policies/areaCodes.ts";
import { dueAfter, type ObjectRetention, planRetention } from "../policies/cohorts.ts";
import { type ContentFacts, contentFacts } from "../policies/contentFacts.ts";
import { countSends } from "../policies/frequency.ts";
import { withStanding } from "../policies/standing.ts";
import { formatWallTime, wallClock } from "../policies/windows.ts";
import { candidateZones, soleZone } from "../policies/zones.ts";
import type { ComposedInput } from "./compose.ts";
import type { ApiDeps } from "./deps.ts";
import { type Recipient, readRecipient } from "./recipient.ts";
import { isOpaqueReference } from "./reference.ts";
import { refuseRegion } from "./refuseRegion.ts";
import { readDuration } from "./schemas.ts";
import type { Reservation, SendCounter } from "./sendCounts.ts";
import { createSubjects, type SubjectsDeps } from "./subjects.ts";

/** A judged message. Times are epoch milliseconds; `facts` hold no content and no number. */
export type Judgement = {
	/** E.164. */
	number: Plaintext;
	country: string;
	/** The country and first four digits of the number. */
	range: string;
	subject: SubjectPseudonym;
	facts: Facts;
	decision: Decision;
	/** The send queue that it takes; absent where none may have it. */
	queue?: SendQueueDocument;
	/** Packs that would have applied but for an exclusion, of the same moment as the decision. */
	excluded: Decision["packs"];
	/** Of the same moment too. @throws Error when the packs leave no interval */
	retentionPlan: () => RetentionPlan;
	/** Holds on a period or on all of the tenant: the message bears them from the start. */
	keeps: string[];
	/** Only when it may not be sent at once. */
	releaseAt?: number;
	deadlineAt: number;
	closeAt: number;
	/** What end-to-end encrypted texts to the recipient are encrypted to. */
	recipientKey?: RecipientKeyRecord;
	/** Only where a frequency limit applies: the message counts towards it already. */
	reservation?: Reservation;
	/**
	 * Only where that is not to be told: the rule by which what is on record of the recipient forbids it. It is not sent,
	 * and all else here is what is decided for any other number.
	 */
	withheldFor?: string;
};

/** The engine's own answer to what a recipient wrote. */
export type Reply = {
	/** Of the opt-out that it confirms. */
	optOutAt?: number;
	/** Epoch milliseconds; after that it is not sent. */
	by: number;
};

/** `dueAfter(object, ms)`: when that object would be due of the same message, had it come `ms` later. */
export type Retention = Record<RetentionObject, ObjectRetention> & {
	dueAfter: (object: RetentionObject, ms: number) => number | undefined;
};

type Times = { now: number; sendAt: number; deadlineAt: number; closeAt: number };

type FindRoutes = (country: string, macs: readonly string[]) => Promise<SendQueueDocument[]>;

export type JudgeDeps = Pick<ApiDeps, "policies"> & SubjectsDeps & { sendCounts: SendCounter };

/** Judges a request by its own words, by what is on record of its recipient, and by the policies in force. */
export function createJudge(deps: JudgeDeps) {
	const subjects = createSubjects(deps);
	const { sendCounts: counts } = deps;

	return {
		/**
		 * Checks a request and decides. The decision may be a denial: `requireAllowed` refuses it.
		 * @param own `reserve` has the message counted from now on if it is allowed; without it nothing is kept. `discreet`: what
		 * the recipient has refused decides nothing that is told, see `withheldFor`. `findRoutes` names the send queues that may
		 * have it, the best first: it takes the first that the policies let it
		 * @throws LetheError invalid_request, invalid_number, reference_not_opaque, keys_unavailable, store_unavailable
		 */
		async judge(
			input: ComposedInput,
			tenant: TenantDocument,
			now: number,
			own: { reserve?: boolean; reply?: Reply | undefined; discreet?: boolean; findRoutes?: FindRoutes } = {},
		): Promise<Judgement> {
			const recipient = readRecipient(input.to, "/to");
			checkReference(input);
			const times = readTimes(input, now, own.reply);
			refuseRegion(input.recipientRegion, recipient);
			const subject = await subjects.identify(tenant._id, recipient.number);
			const asked = Promise.all([subjects.standing(subject), own.findRoutes?.(recipient.country, subject.macs)]);
			// It is waited for below, whatever happens before.
			asked.catch(() => undefined);
			// Once it is on its way: what is made of the request meanwhile takes as long as half of the answer.
			await nextTurn();
			const content = contentFacts(input.body.reveal());
			const stated = toFacts(input, tenant, recipient, times, { content, reply: own.reply });
			const [standing, queues = []] = await asked;
			const known = withStanding(stated, standing);
			const capped = deps.policies.isCapped(known);
			const stored = capped ? await counts.read(subject, input.category) : undefined;
			// From here to the reservation nothing waits.
			const counted = stored && counts.count(stored, subject, known, times.sendAt);
			const judged = decideRoute(deps.policies, withContext(known, counted), queues);
			const hides = own.discreet === true && !judged.decision.allowed;
			const { decision, excluded, retentionPlan, queue, facts } = hides
				? decideRoute(deps.policies, factsOfOthers(deps.policies, stated, standing, times), queues)
				: judged;
			const isWithheld = hides && decision.allowed;
			const releaseAt = Math.max(times.sendAt, readRelease(decision));
			const recipientKey = keyInForce(standing);
			const reserves = capped && judged.decision.allowed && own.reserve === true;
			const reservation = reserves ? counts.reserve(subject, input.category, releaseAt) : undefined;
			return {
				number: recipient.number,
				country: recipient.country,
				range: recipient.range,
				subject: subject.pseudonym,
				facts,
				decision,
				...(queue ? { queue } : {}),
				excluded,
				retentionPlan,
				keeps: keepsOf(standing, now),
				...(releaseAt > now ? { releaseAt } : {}),
				deadlineAt: times.deadlineAt,
				closeAt: times.closeAt,
				...(recipientKey ? { recipientKey } : {}),
				...(reservation ? { reservation } : {}),
				...(isWithheld ? { withheldFor: judged.decision.rules[0] ?? "unknown" } : {}),
			};
		},

		requireAllowed,

		/** When each object must be gone. @throws LetheError validity_too_long */
		plan(judgement: Judgement, needs: TenantDocument["retention"], now: number): Retention {
			const times = { acceptedAt: now, closeAt: judgement.closeAt };
			const plan = judgement.retentionPlan();
			const retention = planRetention(plan, needs, times);
			if (!retention) throw new LetheError("validity_too_long", { errors: [validityError] });
			return { ...retention, dueAfter: (object, ms) => dueAfter(plan, needs, times, object, ms) };
		},
	};
}

/** @throws LetheError card_number, policy_denied, with the decision */
function requireAllowed({ decision, facts, releaseAt, deadlineAt }: Judgement): void {
	// Whatever the policies in force say of it: it is not to be stored.
	if (facts.context?.cardNumber) throw refusal("card_number", decision, [cardNumberError]);
	if (!decision.allowed) throw refusal("policy_denied", decision);
	if (releaseAt !== undefined && releaseAt >= deadlineAt) {
		const reasons = [...new Set([...decision.reasons, "EXPIRES_BEFORE_WINDOW"])];
		throw refusal("policy_denied", { ...decision, allowed: false, reasons });
	}
}

/** The facts, had this recipient refused nothing and been sent nothing yet: what another number's would be. */
function factsOfOthers(
	policies: Pick<ApiDeps["policies"], "isCapped">,
	stated: Facts,
	standing: Standing,
	{ sendAt }: Times,
): Facts {
	const facts = withStanding(stated, withoutRefusals(standing));
	return withContext(facts, policies.isCapped(facts) ? countSends([], facts, sendAt, true) : undefined);
}

function withContext(facts: Facts, more: Partial<FactsContext> = {}): Facts {
	return { ...facts, context: { ...facts.context, ...more } };
}

/** Decides for the first route that the policies let it take; for the best one where they let it take none. */
function decideRoute(policies: Pick<ApiDeps["policies"], "consider">, facts: Facts, queues: SendQueueDocument[]) {
	const tried = queues.map((queue) => () => {
		const routed = withContext(facts, routeFacts(queue, facts.recipientCountry ?? ""));
		return { facts: routed, ...policies.consider(routed), queue };
	});
	let best: ReturnType<(typeof tried)[number]> | undefined;
	for (const decide of tried) {
		const one = decide();
		if (one.decision.allowed) return one;
		best ??= one;
	}
	return best ?? { facts, ...policies.consider(facts), queue: undefined };
}

const cardNumberError = { pointer: "/body", detail: "It holds a card number." };
const validityError = { pointer: "/validFor", detail: "Longer than the content may be kept." };

/** A refusal for what was decided, which it tells. */
export function refusal(code: ErrorCode, decision: Decision, errors: FieldError[] = []): LetheError {
	const { reasons, citations, rules } = decision;
	return new LetheError(code, { errors, extra: { decision, reasons, citations, rules } });
}

/** @throws LetheError reference_not_opaque */
function checkReference({ clientReference }: ComposedInput): void {
	if (clientReference === undefined || isOpaqueReference(clientReference)) return;
	throw new LetheError("reference_not_opaque", { errors: [{ pointer: "/clientReference", detail: "Not opaque." }] });
}

function readTimes(input: ComposedInput, now: number, reply: Reply | undefined): Times {
	const otp = input.category === "otp";
	const asked = input.sendAt === undefined ? now : Date.parse(input.sendAt);
	if (asked < now - limits.sendAtPastMsMax) throw invalid("/sendAt", "It lies in the past.");
	const sendAt = Math.max(now, asked);
	const validForDefaultMs = otp ? limits.validForOtpDefaultMs : limits.validForDefaultMs;
	const validForMs = input.validFor === undefined ? validForDefaultMs : readDuration(input.validFor);
	if (validForMs < limits.validForMinMs || validForMs > limits.validForMaxMs) {
		throw invalid("/validFor", "From ten seconds to seven days.");
	}
	if (sendAt > now + limits.validForMaxMs) throw invalid("/sendAt", "At most seven days ahead.");
	const deadlineAt = Math.min(sendAt + validForMs, reply?.by ?? Number.POSITIVE_INFINITY);
	return { now, sendAt, deadlineAt, closeAt: deadlineAt + (otp ? limits.receiptGraceOtpMs : limits.receiptGraceMs) };
}

function toFacts(
	input: ComposedInput,
	tenant: TenantDocument,
	recipient: Recipient,
	times: Times,
	own: { content: ContentFacts; reply: Reply | undefined },
): Facts {
	const { country } = recipient;
	const { region, timezone } = placeOf(input, recipient);
	const confirms = own.reply?.optOutAt;
	const context: FactsContext = {
		...input.context,
		event: "send",
		// The rules of the time at which it is to be sent are the ones that count.
		evaluatedAt: formatTime(times.sendAt),
		acceptedAt: formatTime(times.now),
		expiresAt: formatTime(times.deadlineAt),
		lawfulBasis: input.lawfulBasis,
		deliver: input.deliver === "auto" ? undefined : input.deliver,
		characters: input.body.reveal().length,
		otpValidity: input.category === "otp" ? `PT${Math.ceil((times.deadlineAt - times.sendAt) / 1000)}S` : undefined,
		keywordClass: own.content.keywordClass,
		cardNumber: own.content.cardNumber || undefined,
		// Asked of nothing else, and so recorded of nothing else.
		adLabel: input.category === "marketing" ? own.content.adLabel : undefined,
		...(confirms === undefined ? {} : { optOutKeywordReply: true, optOutAt: formatTime(confirms) }),
	};
	return withoutUndefined({
		recipientCountry: country,
		recipientRegion: region,
		timezone,
		localTime: timezone === undefined ? undefined : formatWallTime(wallClock(timezone, times.sendAt)),
		senderEstablishment: tenant.establishment,
		subjectResidence: input.subjectResidence,
		category: input.category,
		dataClasses: input.dataClasses,
		// The packs take a reference as proof too; the type is theirs to widen.
		consent: input.consent as Facts["consent"],
		optedOut: input.optedOut,
		context: withoutUndefined(context),
	});
}

/** Where the recipient is: in the caller's words first, then by the number where that does not contradict them. */
function placeOf(input: ComposedInput, { country, ...area }: Recipient): Area {
	const stated: Area = withoutUndefined({ region: input.recipientRegion, timezone: input.timezone });
	const region = stated.region ?? (fits(country, area.region, stated.timezone) ? area.region : undefined);
	const told = stated.region === undefined || stated.region === area.region ? area.timezone : undefined;
	const timezone = stated.timezone ?? told ?? soleZone(country, region);
	return withoutUndefined({ region, timezone });
}

function fits(country: string, region: string | undefined, timezone: string | undefined): boolean {
	return timezone === undefined || candidateZones(country, region).some(({ zone }) => zone === timezone);
}

function readRelease(decision: Decision): number {
	if (!decision.allowed || decision.deferUntilUtc === undefined) return 0;
	return Date.parse(decision.deferUntilUtc);
}

function invalid(pointer: string, detail: string): LetheError {
	return new LetheError("invalid_request", { errors: [{ pointer, detail }] });
}
