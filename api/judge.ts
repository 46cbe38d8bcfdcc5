// What may be sent, when, and how long each trace of it may live: all that is decided of a message before it is stored.

import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { Temporal } from "temporal-polyfill";
import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision, Facts, FactsContext } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { RetentionObject } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { type ObjectRetention, planRetention } from "../policies/cohorts.ts";
import { contentFacts } from "../policies/contentFacts.ts";
import type { ApiDeps } from "./deps.ts";
import { isOpaqueReference } from "./reference.ts";
import { durationPattern, type MessageInput } from "./schemas.ts";

/** A judged message. Times are epoch milliseconds; `facts` hold no content and no number. */
export type Judgement = {
	/** E.164. */
	number: Plaintext;
	country: string;
	facts: Facts;
	decision: Decision;
	/** Only when it may not be sent at once. */
	releaseAt?: number;
	deadlineAt: number;
	closeAt: number;
};

export type Retention = Record<RetentionObject, ObjectRetention>;

type Times = { now: number; sendAt: number; deadlineAt: number; closeAt: number };

/** Judges a request by its own words and the policies in force; pure but for what `policies` holds. */
export function createJudge(deps: Pick<ApiDeps, "policies">) {
	return {
		/**
		 * Checks a request and decides. The decision may be a denial: `requireAllowed` refuses it.
		 * @throws LetheError invalid_request, invalid_number, reference_not_opaque, card_number
		 */
		judge(input: MessageInput, tenant: TenantDocument, now: number): Judgement {
			const { number, country } = readNumber(input.to);
			if (input.clientReference !== undefined && !isOpaqueReference(input.clientReference)) {
				throw new LetheError("reference_not_opaque", {
					errors: [{ pointer: "/clientReference", detail: "Not opaque." }],
				});
			}
			const content = contentFacts(input.body.reveal());
			if (content.cardNumber) {
				throw new LetheError("card_number", { errors: [{ pointer: "/body", detail: "It holds a card number." }] });
			}
			const times = readTimes(input, now);
			const facts = toFacts(input, tenant, country, times, content.keywordClass);
			const decision = deps.policies.evaluate(facts);
			const releaseAt = Math.max(times.sendAt, readRelease(decision));
			return {
				number,
				country,
				facts,
				decision,
				...(releaseAt > now ? { releaseAt } : {}),
				deadlineAt: times.deadlineAt,
				closeAt: times.closeAt,
			};
		},

		/** @throws LetheError policy_denied or delivery_mode_unavailable, with the decision */
		requireAllowed(judgement: Judgement, input: MessageInput): void {
			const { decision, releaseAt, deadlineAt } = judgement;
			if (!decision.allowed) throw refusal("policy_denied", decision);
			if (releaseAt !== undefined && releaseAt >= deadlineAt) {
				const reasons = [...new Set([...decision.reasons, "EXPIRES_BEFORE_WINDOW"])];
				throw refusal("policy_denied", { ...decision, allowed: false, reasons });
			}
			const asked = input.deliver === "auto" ? "sms" : input.deliver;
			if ((decision.deliveryMode ?? asked) !== "sms" || asked !== "sms") {
				throw refusal("delivery_mode_unavailable", decision);
			}
		},

		/** When each object must be gone. @throws LetheError validity_too_long */
		plan(judgement: Judgement, tenant: TenantDocument, now: number): Retention {
			const times = { acceptedAt: now, closeAt: judgement.closeAt };
			const retention = planRetention(deps.policies.retentionPlan(judgement.facts), tenant.retention, times);
			if (!retention) throw new LetheError("validity_too_long", { errors: [validityError] });
			return retention;
		},
	};
}

const validityError = { pointer: "/validFor", detail: "Longer than the content may be kept." };

function refusal(code: "policy_denied" | "delivery_mode_unavailable", decision: Decision): LetheError {
	const { reasons, citations, rules } = decision;
	return new LetheError(code, { extra: { decision, reasons, citations, rules } });
}

function readNumber(to: Plaintext): { number: Plaintext; country: CountryCode } {
	const text = to.reveal();
	const parsed = /^\+[1-9]\d{6,14}$/.test(text) ? parsePhoneNumberFromString(text) : undefined;
	// Numbers of no country (satellite, international freephone) have no law that a pack could know.
	if (!parsed?.country || !parsed.isValid()) {
		throw new LetheError("invalid_number", { errors: [{ pointer: "/to", detail: "Not a valid number in E.164." }] });
	}
	return { number: Plaintext.text(parsed.number), country: parsed.country };
}

function readTimes(input: MessageInput, now: number): Times {
	const otp = input.category === "otp";
	const sendAt = Math.max(now, input.sendAt === undefined ? now : Date.parse(input.sendAt));
	const validForDefaultMs = otp ? limits.validForOtpDefaultMs : limits.validForDefaultMs;
	const validForMs = input.validFor === undefined ? validForDefaultMs : readDuration(input.validFor);
	if (validForMs < limits.validForMinMs || validForMs > limits.validForMaxMs) {
		throw invalid("/validFor", "From ten seconds to seven days.");
	}
	if (sendAt > now + limits.validForMaxMs) throw invalid("/sendAt", "At most seven days ahead.");
	const deadlineAt = sendAt + validForMs;
	return { now, sendAt, deadlineAt, closeAt: deadlineAt + (otp ? limits.receiptGraceOtpMs : limits.receiptGraceMs) };
}

function readDuration(text: string): number {
	const [days, hours, minutes, seconds] = (durationPattern.exec(text)?.slice(1) ?? []).map((part) => Number(part ?? 0));
	return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
}

function toFacts(
	input: MessageInput,
	tenant: TenantDocument,
	country: string,
	times: Times,
	keywordClass: string | undefined,
): Facts {
	if (input.recipientRegion && !input.recipientRegion.startsWith(`${country}-`)) {
		throw invalid("/recipientRegion", "Not a region of the recipient's country.");
	}
	const context: FactsContext = {
		...input.context,
		event: "send",
		// The rules of the time at which it is to be sent are the ones that count.
		evaluatedAt: formatInstant(times.sendAt),
		acceptedAt: formatInstant(times.now),
		expiresAt: formatInstant(times.deadlineAt),
		lawfulBasis: input.lawfulBasis,
		characters: input.body.reveal().length,
		otpValidity: input.category === "otp" ? `PT${Math.ceil((times.deadlineAt - times.sendAt) / 1000)}S` : undefined,
		keywordClass,
	};
	return withoutUndefined({
		recipientCountry: country,
		recipientRegion: input.recipientRegion,
		timezone: input.timezone,
		localTime: input.timezone === undefined ? undefined : localTime(times.sendAt, input.timezone),
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

function localTime(at: number, timezone: string): string {
	const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).toPlainDateTime();
	return local.toString({ smallestUnit: "second" });
}

function readRelease(decision: Decision): number {
	if (!decision.allowed || decision.deferUntilUtc === undefined) return 0;
	return Date.parse(decision.deferUntilUtc);
}

function invalid(pointer: string, detail: string): LetheError {
	return new LetheError("invalid_request", { errors: [{ pointer, detail }] });
}

function formatInstant(at: number): string {
	return new Date(at).toISOString();
}

// The store would keep an undefined field as null.
function withoutUndefined<T extends object>(value: T): T {
	return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
