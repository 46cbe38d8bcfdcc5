// The facts document: what every field may hold. Unknown fields are refused, so that a mistyped one can't switch a rule off.

import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { countryOf } from "../domain/country.ts";
import type { Facts } from "../domain/decision.ts";
import { type FieldError, LetheError } from "../domain/errors.ts";
import { categories, deliverModes } from "../domain/message.ts";
import { consentTypes } from "../domain/subject.ts";
import { formatInstant, isDuration } from "./durations.ts";
import { nearest } from "./faults.ts";
import { saysNone, setApart, toWord } from "./words.ts";
import { isRegion } from "./zones.ts";

export const events = [
	"send",
	"inbound",
	"erasure_request",
	"access_request",
	"correction_request",
	"restriction_request",
	"objection_request",
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

// Other names that people have for them, each for what is asked most of.
const dataClassNames = new Map(
	Object.entries({
		identity: ["name", "full_name"],
		order: ["transaction"],
		pan: ["cardholder", "cardholder_data", "card_number"],
		message_contents: ["message_content"],
		health: ["health_data", "sensitive_health", "medical", "medical_data", "diagnosis"],
		phi: ["protected_health_information"],
	} satisfies Partial<Record<(typeof dataClasses)[number], string[]>>).flatMap(([dataClass, names]) =>
		names.map((name) => [name, dataClass] as const),
	),
);

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
	try {
		const result = factsSchema.safeParse(value);
		if (!result.success)
			throw new LetheError("invalid_request", { errors: result.error.issues.flatMap(toFieldErrors) });
		const facts = withoutNulls(result.data) as Facts;
		return withMoments(facts, facts.context?.event) as Facts;
	} catch (error) {
		if (!(error instanceof RangeError)) throw error;
		// What goes deeper than the stack does is no document that people write.
		throw new LetheError("invalid_request", {
			cause: error,
			errors: [{ pointer: "/", detail: "is nested too deeply" }],
		});
	}
}

type FactKind = "text" | "word" | "flag" | "count" | "time" | "duration" | "proof" | "place";

/** What a rule may ask of a fact, by the kind of value that it holds. A `word` or `proof` is told apart by its letters and digits only. */
export const factKinds = z.registry<{ kind: FactKind }>();

const text = ofKind("text", z.string().max(200)).nullish();
const word = ofKind("word", z.string().max(200).transform(setApart)).nullish();
const flag = ofKind("flag", z.boolean()).nullish();
const count = ofKind("count", z.int().min(0)).nullish();
// So far from the ends of the four digits that no date that comes of a time passes them.
const isBounded = (time: string) => /^[1-8]/.test(time);
const moment = z.iso
	.datetime({ offset: true, error: "not a time in RFC 3339 with an offset" })
	.refine(isBounded, { error: "not of the years 1000 to 8999" })
	.meta({ id: "exactTime" });
const instant = ofKind(
	"time",
	z
		.union([moment, z.iso.date().refine(isBounded)], {
			error: "not a time in RFC 3339 with an offset, nor a day, of the years 1000 to 8999",
		})
		.meta({
			id: "time",
			description:
				"RFC 3339 with an offset; of a day, its beginning or end, whichever is stricter; a request came on that day",
		}),
).nullish();
const duration = ofKind(
	"duration",
	z
		.string()
		.max(40)
		.refine(isDuration, { error: "not a duration in ISO 8601, such as P30D" })
		.meta({ id: "duration", examples: ["PT10M", "P30D"] }),
).nullish();
// Proof of a thing is a yes, a reference to where it is kept, or a description, of which only that it is there is taken; or
// several of these. A word that says that there is none is none.
const described = z.looseObject({}).transform((description) => Object.values(description).some(isThere));
const listed = z
	.array(z.union([z.boolean(), z.string().max(2000), described]))
	.max(64)
	// What each says still counts: "none" in a list is none.
	.transform((all) => (all.length > 0 && all.every(isThere) ? all : false))
	.meta({ id: "proofs" });
const reference = (charactersMax: number) =>
	z
		.string()
		.max(charactersMax)
		.transform((text) => isThere(text) && text);
const single = z.union([z.boolean(), reference(200), described]);
const proofs = z.union([single, listed], { error: "neither a boolean nor a reference" });
const proof = ofKind("proof", proofs).nullish();
// Where the law applies needs no proof; what its words say is for the packs.
const scope = z.union([
	z.array(z.string().max(200)).max(8),
	z.boolean(),
	z.string().max(200),
	z.looseObject({}).transform(() => true),
]);
// Packs know countries by the codes of ISO 3166-1: by another one no law of theirs would be asked.
const withOwnCode = (name: string) => name.replace(/^[A-Z]{2}(?=-|$)/, (code) => countryOf(code) ?? code);
const place = ofKind(
	"place",
	z
		.string()
		.regex(/^([A-Z]{2}|EEA)(-[A-Z0-9]{1,3})?$/, { error: "not a country of ISO 3166-1 or a region of ISO 3166-2" })
		.refine((name) => !name.includes("-") || isRegion(name), { error: "not a region that the country has" })
		.transform(withOwnCode),
).nullish();

// Other names that people have for what is kept.
const objectNames = new Map(
	Object.entries({
		content: ["message", "body", "message_content"],
		address: ["number", "phone_number", "recipient"],
		receipt: ["receipts", "delivery_receipt", "traffic_data"],
		decision_record: [
			...["record", "records", "log", "logs", "audit_log", "audit_record", "message_record"],
			...["decision", "disclosure_log", "disclosure_record", "accounting", "accounting_of_disclosures"],
		],
		consent_evidence: ["consent", "consent_record"],
		suppression: [
			...["opt_out", "opt_out_record", "suppression_list", "suppression_hash", "suppression_entry"],
			...["do_not_call_list", "own_list"],
		],
		subject_request: [
			...["request", "request_record", "request_records", "erasure_request", "access_request"],
			...["subject_request_record", "dsr", "dsr_record", "rights_request"],
		],
		policy_documentation: ["policy", "policy_pack", "documentation", "risk_analysis", "review_record"],
	} satisfies Record<(typeof retentionObjects)[number], string[]>).flatMap(([object, names]) =>
		[object, ...names].map((name) => [name, object as (typeof retentionObjects)[number]] as const),
	),
);

/** What is kept, by any of its names; undefined when it is none. */
export function toRetentionObject(name: string): (typeof retentionObjects)[number] | undefined {
	return objectNames.get(toWord(setApart(name)));
}

const objectName = z
	.string()
	.max(200)
	.transform((name) => toRetentionObject(name) ?? name);
// No message leaves one, so it has no place in a message's plan: that it is due to be erased may be asked all the same.
const breachLog = "breach_log";
const breachLogNames = [breachLog, "breach_record", "breach_records", "breach_register"];
const object = objectName
	.transform((name) => (breachLogNames.includes(toWord(setApart(name))) ? breachLog : name))
	.pipe(z.enum([...retentionObjects, breachLog]));

function toDataClass(name: unknown): unknown {
	return (typeof name === "string" && dataClassNames.get(toWord(setApart(name)))) || name;
}

/** Null says that there is none; left out, it is not in question. */
function noneIfNull<S extends z.ZodType, N>(schema: S, none: N) {
	return schema
		.nullable()
		.transform((value) => value ?? none)
		.optional();
}

const maximum = z.union([duration.unwrap().unwrap(), z.literal(false)]);
const compositionItem = z.union([
	z.string().max(200),
	z.looseObject({ object: objectName.nullish(), min: duration, max: maximum.nullish() }),
]);
const composition = z
	.array(compositionItem)
	.max(64)
	.transform((items) => items.map((item) => withoutEnd(item)));
const resolution = z.looseObject({}).transform(withFalseForNull);

const context = z.strictObject({
	event: z.enum(events).nullish(),
	evaluatedAt: ofKind("time", moment).nullish(),
	phase: word,
	acceptedAt: instant,
	expiresAt: instant,
	receivedAt: instant,
	processedAt: instant,
	createdAt: instant,
	lastInEffectAt: instant,
	authenticatedAt: instant,
	lawfulBasis: word,
	art9Condition: word,
	gdprScope: ofKind("proof", scope).nullish(),
	ground: word,
	holdGround: word,
	restriction: z.strictObject({ active: flag, ground: word }).nullish(),
	autodialed: flag,
	tcpaBasis: word,
	freeToEndUser: flag,
	deliver: z.enum(deliverModes).nullish(),
	characters: count,
	sentToday: count,
	sentThisWeek: count,
	sameSubjectLast24h: count,
	sendsUncounted: flag,
	optOutAt: instant,
	optOutKeywordReply: ofKind("proof", z.union([z.boolean(), z.string().max(200)])).nullish(),
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
	patientPreference: z
		.strictObject({
			channel: word,
			warnedAt: instant,
			evidence: noneIfNull(ofKind("proof", proofs), false),
		})
		.nullish(),
	route: z
		.strictObject({
			provider: text,
			baaRef: noneIfNull(ofKind("proof", proofs), false),
			approvedSubprocessor: flag,
			processingCountry: place,
			transferMechanism: word,
		})
		.nullish(),
	senderId: z.strictObject({ type: word, registered: flag }).nullish(),
	dlt: noneIfNull(z.strictObject({ entityId: text, headerId: text, templateId: text }), {}),
	body: z.string().max(10_000).nullish(),
	keywordClass: z.enum(keywordClasses).nullish(),
	revokesAll: flag,
	cardNumber: flag,
	adLabel: flag,
	otpDigits: count,
	otpValidity: duration,
	object: object.nullish(),
	subject: word,
	composition: z.preprocess(listOne, composition).nullish(),
	resolution: z
		.union([
			z.boolean(),
			z.string().max(2000),
			resolution,
			z.array(z.union([z.string().max(2000), resolution])).max(16),
		])
		.nullish(),
	contentMaxReachedAt: instant,
	retentionDisclosure: noneIfNull(
		ofKind("proof", z.union([z.boolean(), reference(2000), z.looseObject({}).transform(saysAll), listed])),
		false,
	),
	necessaryForRequestedService: flag,
	verified: flag,
	liveKeyDestroyed: flag,
	keyBackupsExpireAt: instant,
	plaintextEverStored: flag,
});

export const factsSchema = z
	.strictObject({
		recipientCountry: ofKind(
			"place",
			z
				.string()
				.regex(/^[A-Z]{2}$/, { error: "not a country of ISO 3166-1" })
				.transform(withOwnCode),
		).nullish(),
		recipientRegion: ofKind(
			"place",
			z
				.string()
				.regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, { error: "not a region of ISO 3166-2" })
				// A mistyped one would be no state with rules of its own.
				.refine(isRegion, { error: "not a region that the country has" })
				.transform(withOwnCode),
		).nullish(),
		timezone: z
			.string()
			.refine((name) => name === "unknown" || isTimezone(name), { error: "not a time zone of the IANA database" })
			.transform((name) => (name === "unknown" ? null : name))
			.nullish(),
		localTime: z.iso
			.datetime({ local: true, error: "not a wall time" })
			.refine(isBounded, { error: "not of the years 1000 to 8999" })
			.refine((time) => !time.endsWith("Z"), { error: "not a wall time: it names a zone" })
			.nullish(),
		senderEstablishment: place,
		subjectResidence: place,
		category: z.enum(categories).nullish(),
		dataClasses: z
			.array(z.preprocess(toDataClass, z.enum(dataClasses).meta({ id: "dataClass" })))
			.max(64)
			.nullish(),
		consent: z
			.strictObject({
				type: z.enum(["none", ...consentTypes]).nullish(),
				obtainedAt: instant,
				purposes: z.array(z.string().max(200)).max(64).nullish(),
				evidence: noneIfNull(ofKind("proof", proofs), false),
				source: word,
				ground: word,
				withdrawnAt: instant,
			})
			.nullish(),
		optedOut: z.enum(["none", "marketing", "all"]).nullish(),
		legalHold: flag,
		context: context.nullish(),
	})
	.refine((facts) => isWithin(facts.recipientRegion, facts.recipientCountry), {
		path: ["recipientRegion"],
		error: "not a region of recipientCountry",
	});

const aDayMs = 86_400_000;
const day = /^\d{4}-\d\d-\d\d$/;
// A deadline, an expiry, a withdrawal or the age of a consent that began with the day is the stricter one.
const startsWithTheDay = new Set(["expiresAt", "optOutAt", "contentMaxReachedAt", "obtainedAt", "withdrawnAt"]);
// A request's clocks count days: at noon in UTC it is the day that was said in every zone, or the one after it.
const isTheDay = new Set(["receivedAt", "authenticatedAt"]);

// What is known by its day: all else, and whatever may only go after a minimum, is taken to have been when the day ended.
function withMoments(value: unknown, event: string | undefined, key = ""): unknown {
	if (Array.isArray(value)) return value.map((part) => withMoments(part, event));
	if (typeof value === "string" && key.endsWith("At") && day.test(value)) {
		const at = Date.parse(value) + intoTheDay(event === "purge_due" ? "" : key);
		// In what is described freely it may be no day.
		return Number.isNaN(at) ? value : formatInstant(at);
	}
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withMoments(field, event, name)]));
}

function intoTheDay(key: string): number {
	if (isTheDay.has(key)) return aDayMs / 2;
	return startsWithTheDay.has(key) ? 0 : aDayMs;
}

// By category: what says nothing of one has not disclosed it.
function saysAll(byCategory: Record<string, unknown>): boolean {
	const said = Object.values(byCategory);
	return said.length > 0 && said.every(isThere);
}

function isThere(said: unknown): boolean {
	return typeof said === "string" ? !saysNone(said) : said !== null && said !== false;
}

// An approval that is null is one that is not there.
function withFalseForNull(value: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, field ?? false]));
}

// What stands alone is a list of one; what can be neither is refused as it is.
function listOne(value: unknown): unknown {
	const isItem = typeof value === "string" || (typeof value === "object" && !Array.isArray(value));
	return isItem ? [value] : value;
}

// A maximum that is null says that there is none; one that is left out says nothing.
function withoutEnd(value: unknown, key = ""): unknown {
	if (value === null) return /max/i.test(key) ? false : null;
	if (Array.isArray(value)) return value.map((part) => withoutEnd(part));
	if (typeof value !== "object") return value;
	return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withoutEnd(field, name)]));
}

function isWithin(region: string | null | undefined, country: string | null | undefined): boolean {
	return !region || !country || region.startsWith(`${country}-`);
}

function ofKind<S extends z.ZodType>(kind: FactKind, schema: S): S {
	factKinds.add(schema, { kind });
	return schema;
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
	const at = issue.path.map((key) => `/${String(key)}`).join("");
	if (issue.code === "unrecognized_keys") {
		const fields = fieldsAt(issue.path);
		return issue.keys.map((key) => {
			const meant = nearest(key, fields);
			const mend = meant === undefined ? "" : `; did you mean ${meant}?`;
			return { pointer: `${at}/${key.slice(0, 64)}`, detail: `is not a field of the facts${mend}` };
		});
	}
	if (issue.code === "invalid_value") return [{ pointer: at, detail: `is not one of ${issue.values.join(", ")}` }];
	if (issue.code === "invalid_type") return [{ pointer: at || "/", detail: `is not of the type ${issue.expected}` }];
	const own = issue.message.startsWith("n") ? `is ${issue.message}` : `is not valid: ${issue.message}`;
	return [{ pointer: at || "/", detail: own }];
}

/** The fields that may stand at a place of the facts. */
function fieldsAt(path: readonly PropertyKey[]): string[] {
	let schema: z.ZodType | undefined = factsSchema;
	for (const key of path) {
		const inner: z.ZodType | undefined = schema && plainOf(schema);
		const shape: Record<string, z.ZodType> = inner instanceof z.ZodObject ? inner.shape : {};
		schema = shape[String(key)];
	}
	const last = schema && plainOf(schema);
	return last instanceof z.ZodObject ? Object.keys(last.shape) : [];
}

function plainOf(schema: z.ZodType): z.ZodType {
	if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return plainOf(schema.unwrap() as z.ZodType);
	return schema instanceof z.ZodPipe ? plainOf(schema.in as z.ZodType) : schema;
}

function withoutNulls(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutNulls);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, field]) => (field === null ? [] : [[key, withoutNulls(field)]])),
	);
}
