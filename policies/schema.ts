// What a pack file may hold. Everything unknown is refused: a rule that can't be read would be a rule that vanishes.

import { z } from "zod";
import { deliveryModes } from "../domain/message.ts";
import { consentTypes as givenConsents } from "../domain/subject.ts";
import { conditionSchema } from "./conditionSchema.ts";
import { isDuration } from "./durations.ts";
import { events, factsSchema, retentionObjects } from "./facts.ts";
import { reasonCodes } from "./reasons.ts";

/** What of a pack decides. */
export type PackFile = z.output<typeof decidingSchema>;
/** A pack whole: with the cases that its authors check it by. */
export type WholePack = z.output<typeof packSchema>;
export type RuleFile = PackFile["rules"][number];

export const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export const consentTypes = ["none", ...givenConsents] as const;
const clocks = ["created", "last_in_effect", "processed"] as const;
/** A rolling or calendar span → the fact that counts what was sent in it. */
export const frequencyFacts = { PT24H: "sameSubjectLast24h", P1D: "sentToday", P7D: "sentThisWeek" } as const;

const duration = z
	.string()
	.refine(isDuration, { error: "not a duration in ISO 8601, such as P30D" })
	.meta({ id: "length", examples: ["PT10M", "P30D"] });
const instant = z.iso
	.datetime({ error: "not a time in RFC 3339, UTC, such as 2026-07-01T00:00:00Z" })
	.meta({ id: "instant" });
const reasonCode = z.enum(reasonCodes).meta({ id: "reasonCode" });
const reasons = z.array(reasonCode).min(1);
const citations = z.array(z.string().min(3)).min(1);
const id = z.string().regex(/^[a-z][a-z0-9-]*$/, { error: "not lower-case words joined by -" });
// It stands in the evidence log as a code, which no longer one can be, nor one that a number would hide in.
const ruleId = z
	.string()
	.max(96, { error: "longer than 96 characters" })
	.regex(/^(?!.*\d(?:[.-]*\d){6})[a-z][a-z0-9-]*\.[a-z0-9-]+$/, {
		error: "not pack.rule, without seven digits in a row",
	});
const country = z.string().regex(/^([A-Z]{2}|EEA)$/, { error: "not a country, nor EEA" });
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, { error: "not HH:MM" });
const region = z.string().regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, { error: "not a region of ISO 3166-2" });
const holidaysOf = z.string().regex(/^[A-Z]{2}$/, { error: "not a country of ISO 3166-1" });
const within = z
	.union([duration, z.strictObject({ businessDays: z.int().min(1), calendar: holidaysOf.optional() })])
	.describe("A calendar duration, or days on which offices work, with the public holidays of `calendar` left out");
const grounds = z.array(z.string().min(2)).min(1);
const expiry = z
	.strictObject({
		type: z.enum(consentTypes),
		ground: grounds.optional().describe("Only on a ground that mentions one of these"),
		notGround: grounds.optional().describe("Only on a ground that mentions none of these; no ground counts"),
		age: duration,
	})
	.describe("Consent of that type, on such a ground, ends this long after it was given");
const term = z
	.strictObject({
		object: z.enum(retentionObjects),
		min: duration.optional().describe("It must be kept this long"),
		max: duration
			.nullable()
			.optional()
			.describe("It must be gone after this long; null, for suppression only: unbounded"),
		keep: duration.optional().describe("It is kept this long, within min and max, unless a tenant says otherwise"),
		clock: z
			.enum(clocks)
			.default("created")
			.describe("What starts the clock of min: its creation, when it was last in effect, or its processing"),
	})
	.refine(({ min, max, keep }) => min !== undefined || max !== undefined || keep !== undefined, {
		error: "none of min, max and keep",
	})
	.refine(({ object, max }) => max !== null || object === "suppression", {
		error: "only suppression may be unbounded",
	});

// Each rule has exactly one of these; what it does when its condition holds.
const effects = {
	deny: reasons.optional().describe("Refuses the event"),
	reasons: reasons.optional().describe("Says something of an event that is not refused"),
	consent: z
		.strictObject({
			minType: z.enum(consentTypes),
			absent: z.enum(["missing", "satisfied"]).describe("What a missing consent object means"),
			purposeBound: z.boolean().describe("Whether its purposes must name the category"),
			softOptIn: z.boolean().describe("soft_opt_in is enough when all four conditions of facts.context.softOptIn hold"),
			expires: z.array(expiry).default([]),
		})
		.optional()
		.describe("Sends: the consent they need"),
	window: z
		.strictObject({
			regions: z.array(region).min(1).optional().describe("Counts for recipients in, or resident in, these"),
			open: z
				.array(
					z
						.strictObject({ days: z.array(z.enum(weekdays)).min(1), start: time, end: time })
						.refine(({ start, end }) => start < end, { error: "start is not before end" }),
				)
				.min(1),
			closedOn: holidaysOf.optional().describe("Public holidays of this country are closed"),
		})
		.optional()
		.describe("Sends: open hours in the recipient's wall time, half-open; a day that no span names is closed"),
	frequency: z
		.strictObject({ max: z.int().min(1), per: z.enum(Object.keys(frequencyFacts) as (keyof typeof frequencyFacts)[]) })
		.optional()
		.describe("Sends: refused once `max` were sent within `per`"),
	delivery: z
		.strictObject({ mode: z.enum(deliveryModes), reason: reasonCode })
		.optional()
		.describe("Sends: the least protective way that is allowed"),
	retention: z.array(term).min(1).optional().describe("How long objects must, may and are kept"),
	right: z
		.strictObject({
			to: z.enum(["erasure", "access", "correction", "restriction", "objection"]),
			granted: z.boolean(),
			reasons,
			ackWithin: within.optional(),
			respondWithin: within.optional(),
			extendBy: within.optional().describe("By how much a person may extend the answer, told in time; never by itself"),
		})
		.optional()
		.describe("Requests by the subject: whether this law grants them, and the clocks it sets"),
	optOut: z
		.strictObject({
			reasons,
			honorWithin: within.optional(),
			confirmWithin: duration.optional(),
			maxConfirmations: z.int().min(0).optional(),
		})
		.optional()
		.describe("Inbound opt-outs"),
	erase: z
		.strictObject({ contentWithin: duration.optional(), backupsWithin: duration.optional() })
		.refine((value) => Object.keys(value).length > 0, { error: "neither contentWithin nor backupsWithin" })
		.optional()
		.describe("How soon content goes once nothing keeps it, and copies in backups after an erasure"),
	breach: z
		.strictObject({
			toAuthority: within.optional(),
			toSubjects: within.optional(),
			toSubjectsAtHighRisk: z
				.literal("without_undue_delay")
				.optional()
				.describe("Where the law has the persons told if the risk to them is high, and sets no date for it"),
			toController: within.optional(),
			keepRecord: duration.optional(),
		})
		.refine((value) => Object.keys(value).length > 0, { error: "no clock" })
		.optional()
		.describe(
			"Clocks of a breach, from awareness of it, for the people who run them; events ask for keepRecord alone, when the log is due",
		),
};

export const effectNames = Object.keys(effects) as (keyof typeof effects)[];

const rule = z
	.strictObject({
		id: ruleId,
		basis: z
			.enum(["law", "carrier", "default"])
			.describe(
				"law: statute, rule, regulator's guidance or binding standard; carrier: operators' terms; default: our choice",
			),
		citations,
		verifiedOn: z.iso.date({ error: "not a date" }),
		confidence: z.enum(["high", "medium", "low"]).describe("How sure the reading is"),
		note: z.string().optional().describe("Why it is read this way, where that is not plain from the source"),
		effectiveFrom: instant.optional(),
		effectiveTo: instant.optional(),
		on: z
			.array(z.enum(events))
			.min(1)
			.optional()
			.describe("Events that deny, reasons and erase apply to (send unless named); the other effects have their own"),
		when: conditionSchema.default({}).describe("When the rule fires; left out, whenever the pack applies"),
		...effects,
	})
	.superRefine((value, check) => {
		const named = effectNames.filter((effect) => value[effect] !== undefined);
		const message = `a rule has exactly one effect, this has ${named.join(", ") || "none"}`;
		if (named.length !== 1) check.addIssue({ code: "custom", message });
		const selectable = value.deny !== undefined || value.reasons !== undefined || value.erase !== undefined;
		if (value.on && !selectable)
			check.addIssue({ code: "custom", path: ["on"], message: "this effect has its own event" });
		refuseEmptyPeriod(value, check);
	});

const when = z.string().nullable().optional();
const length = duration.nullable().optional();
const packCase = z
	.strictObject({
		name: z.string().min(3),
		facts: factsSchema.meta({ id: "facts" }),
		expect: z.strictObject({
			allowed: z.boolean(),
			reasons: z.array(reasonCode).optional(),
			absentReasons: z.array(reasonCode).optional(),
			citations: z.array(z.string()).optional(),
			deliveryMode: z.enum(deliveryModes).nullable().optional(),
			deferUntilLocal: when,
			deferUntilUtc: when,
			contentRetentionMax: length,
			recordRetentionMin: length,
			recordRetentionMax: length,
			purgeContentWithin: length,
			confirmationWithin: length,
			maxConfirmations: z.int().nullable().optional(),
			ackBy: when,
			respondBy: when,
			honorBy: when,
			backupPurgeBy: when,
			notBefore: when,
			certificateNotBefore: when,
		}),
	})
	.describe(
		"Facts and what their decision must hold: bounds as good or stricter, codes and citations at least; null means absent",
	);

const resolution = z
	.strictObject({ object: z.enum(retentionObjects), yields: ruleId, to: ruleId, why: z.string(), citations })
	.describe("A clash of retention settled on purpose: for this object, `yields` counts for nothing where `to` applies");
const exclusion = z.strictObject({ when: conditionSchema, reason: reasonCode.optional(), citations });

const deciding = {
	id,
	version: z.string().regex(/^\d+\.\d+\.\d+$/, { error: "not a version such as 1.0.0" }),
	title: z.string(),
	effectiveFrom: instant.describe("In force from then, until effectiveTo or until the next version is"),
	effectiveTo: instant.optional(),
	destinations: z
		.array(country)
		.default([])
		.describe("Countries to which this pack opens the way; no pack for a destination means deny"),
	applies: conditionSchema.describe("When the pack applies"),
	excludes: z.array(exclusion).default([]).describe("When it does not after all"),
	rules: z.array(rule).min(1),
	resolutions: z.array(resolution).default([]),
};

export const decidingSchema = z.strictObject(deciding).superRefine(refuseClashes);

export const packSchema = z
	.strictObject({ ...deciding, cases: z.array(packCase).min(1) })
	.superRefine((pack, check) => {
		refuseClashes(pack, check);
		refuseDoubles(
			"cases",
			"name",
			pack.cases.map(({ name }) => name),
			check,
		);
	});

type Check = z.core.$RefinementCtx;

type Clashing = { id: string; rules: { id: string }[] } & Parameters<typeof refuseEmptyPeriod>[0];

function refuseClashes(pack: Clashing, check: Check): void {
	pack.rules.forEach((entry, index) => {
		const message = `does not start with ${pack.id}.`;
		if (!entry.id.startsWith(`${pack.id}.`)) check.addIssue({ code: "custom", path: ["rules", index, "id"], message });
	});
	refuseDoubles(
		"rules",
		"id",
		pack.rules.map((entry) => entry.id),
		check,
	);
	refuseEmptyPeriod(pack, check);
}

function refuseDoubles(list: string, key: string, names: string[], check: Check): void {
	names.forEach((name, index) => {
		const message = `${name} is there twice`;
		if (names.indexOf(name) !== index) check.addIssue({ code: "custom", path: [list, index, key], message });
	});
}

function refuseEmptyPeriod(
	{ effectiveFrom, effectiveTo }: { effectiveFrom?: string | undefined; effectiveTo?: string | undefined },
	check: Check,
): void {
	if (effectiveFrom === undefined || effectiveTo === undefined || Date.parse(effectiveFrom) < Date.parse(effectiveTo))
		return;
	check.addIssue({ code: "custom", path: ["effectiveTo"], message: "is not after effectiveFrom" });
}
