// The facts document: what every field may hold. Unknown fields are refused, so that a mistyped one can't switch a rule off.

import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import type { Facts } from "../domain/decision.ts";
import { type FieldError, LetheError } from "../domain/errors.ts";
import { categories } from "../domain/message.ts";
import { isDuration } from "./durations.ts";

export const events = [
	"send",
	"inbound",
	"erasure_request",
	"access_request",
	"hold_released",
	"policy_publish",
	"purge_due",
	"erasure_verify",
] as const;

export const retentionObjects = [
	"content",
	"address",
	"receipt",
	"decision_record",
	"consent_evidence",
	"suppression",
	"subject_request",
	"policy_documentation",
] as const;

/** Kinds of data that packs can tell apart; an unknown one would slip past the rules, so it is refused. */
export const dataClasses = [
	"contact",
	"otp_secret",
	"identity",
	"account",
	"order",
	"appointment",
	"usage",
	"financial",
	"payment",
	"pan",
	"location",
	"precise_geolocation",
	"government_id",
	"children",
	"criminal",
	"message_contents",
	"sensitive_pi",
	"health",
	"phi",
	"consumer_health",
	"reproductive_health",
	"genetic",
	"biometric",
	"ethnicity",
	"religion",
	"political_opinion",
	"trade_union",
	"sex_life",
	"sexual_orientation",
	"special_category",
] as const;

const keywordClasses = ["stop", "start", "help"] as const;

/** Whether the runtime knows `name` as an IANA time zone. */
export function isTimezone(name: string): boolean {
	if (!/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return false;
	try {
		Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
		return true;
	} catch {
		return false;
	}
}

/**
 * Checks a facts document. Nulls count as absent and are dropped; the input is not changed.
 * @throws LetheError invalid_request; `errors` name the fields and never repeat a value
 */
export function parseFacts(value: unknown): Facts {
	const result = factsSchema.safeParse(value);
	if (!result.success) throw new LetheError("invalid_request", { errors: result.error.issues.flatMap(toFieldErrors) });
	return withoutNulls(result.data) as Facts;
}

const text = z.string().max(200).nullish();
const flag = z.boolean().nullish();
const count = z.int().min(0).nullish();
const instant = z.iso.datetime({ offset: true, error: "not a time in RFC 3339 with an offset" }).nullish();
const duration = z.string().max(40).refine(isDuration, { error: "not a duration in ISO 8601" }).nullish();
// Proof of a thing is a yes, or a reference to where it is kept.
const proof = z.union([z.boolean(), z.string().max(200)], { error: "neither a boolean nor a reference" }).nullish();
const place = z
	.string()
	.regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/, { error: "not a country of ISO 3166-1 or a region of ISO 3166-2" })
	.nullish();

const context = z.strictObject({
	event: z.enum(events).nullish(),
	evaluatedAt: instant,
	phase: text,
	acceptedAt: instant,
	expiresAt: instant,
	receivedAt: instant,
	processedAt: instant,
	createdAt: instant,
	lastInEffectAt: instant,
	authenticatedAt: instant,
	lawfulBasis: text,
	art9Condition: text,
	gdprScope: proof,
	ground: text,
	holdGround: text,
	restriction: z.strictObject({ active: flag, ground: text }).nullish(),
	autodialed: flag,
	tcpaBasis: text,
	freeToEndUser: flag,
	characters: count,
	sentToday: count,
	sentThisWeek: count,
	sameSubjectLast24h: count,
	optOutAt: instant,
	optOutKeywordReply: proof,
	suppressionHashMatch: flag,
	freshOptInEvidence: proof,
	softOptIn: z
		.strictObject({
			collectedInSale: flag,
			ownSimilarProducts: flag,
			optOutOfferedAtCollection: flag,
			optOutInMessage: flag,
		})
		.nullish(),
	hipaaCoveredEntity: flag,
	hipaaAuthorization: proof,
	patientPreference: z.strictObject({ channel: text, warnedAt: instant, evidence: proof }).nullish(),
	route: z
		.strictObject({
			provider: text,
			baaRef: proof,
			approvedSubprocessor: flag,
			processingCountry: place,
			transferMechanism: text,
		})
		.nullish(),
	senderId: z.strictObject({ type: text, registered: flag }).nullish(),
	dlt: z.strictObject({ entityId: text, headerId: text, templateId: text }).nullish(),
	body: z.string().max(10_000).nullish(),
	keywordClass: z.enum(keywordClasses).nullish(),
	cardNumber: flag,
	otpDigits: count,
	otpValidity: duration,
	object: z.enum(retentionObjects).nullish(),
	subject: text,
	composition: z
		.array(z.union([z.string().max(200), z.looseObject({ min: duration, max: duration })]))
		.max(64)
		.nullish(),
	resolution: z.union([z.boolean(), z.string().max(2000), z.looseObject({})]).nullish(),
	contentMaxReachedAt: instant,
	// Null says that there is none; left out, it is not in question.
	retentionDisclosure: z
		.union([z.boolean(), z.string().max(2000), z.looseObject({})])
		.nullable()
		.transform((value) => value ?? false)
		.optional(),
	necessaryForRequestedService: flag,
	verified: flag,
	liveKeyDestroyed: flag,
	keyBackupsExpireAt: instant,
	plaintextEverStored: flag,
});

export const factsSchema = z
	.strictObject({
		recipientCountry: z
			.string()
			.regex(/^[A-Z]{2}$/, { error: "not a country of ISO 3166-1" })
			.nullish(),
		recipientRegion: z
			.string()
			.regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, { error: "not a region of ISO 3166-2" })
			.nullish(),
		timezone: z.string().refine(isTimezone, { error: "not a time zone of the IANA database" }).nullish(),
		localTime: z.iso
			.datetime({ local: true, error: "not a wall time" })
			.refine((time) => !time.endsWith("Z"), { error: "not a wall time: it names a zone" })
			.nullish(),
		senderEstablishment: place,
		subjectResidence: place,
		category: z.enum(categories).nullish(),
		dataClasses: z.array(z.enum(dataClasses)).max(64).nullish(),
		consent: z
			.strictObject({
				type: z.enum(["none", "implied", "soft_opt_in", "express", "express_written"]).nullish(),
				obtainedAt: instant,
				purposes: z.array(z.string().max(200)).max(64).nullish(),
				evidence: proof,
				source: text,
				ground: text,
				withdrawnAt: instant,
			})
			.nullish(),
		optedOut: z.enum(["none", "marketing", "all"]).nullish(),
		legalHold: flag,
		context: context.nullish(),
	})
	.refine((facts) => !facts.recipientRegion || facts.recipientRegion.slice(0, 2) === facts.recipientCountry, {
		path: ["recipientRegion"],
		error: "not a region of recipientCountry",
	});

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
	const at = issue.path.map((key) => `/${String(key)}`).join("");
	if (issue.code === "unrecognized_keys") {
		return issue.keys.map((key) => ({ pointer: `${at}/${key.slice(0, 64)}`, detail: "is not a field of the facts" }));
	}
	if (issue.code === "invalid_value") return [{ pointer: at, detail: `is not one of ${issue.values.join(", ")}` }];
	const own = issue.message.startsWith("n") ? `is ${issue.message}` : `is not valid: ${issue.message}`;
	return [{ pointer: at || "/", detail: own }];
}

function withoutNulls(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutNulls);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, field]) => (field === null ? [] : [[key, withoutNulls(field)]])),
	);
}
