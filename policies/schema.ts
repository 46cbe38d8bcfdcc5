// What a pack file may hold. Everything unknown is refused: a rule that can't be read would be a rule that vanishes.

import { z } from "zod";
import { conditionSchema } from "./conditions.ts";
import { isDuration } from "./durations.ts";
import { events, factsSchema, retentionObjects } from "./facts.ts";
import { reasonCodes } from "./reasons.ts";

export type PackFile = z.output<typeof packSchema>;
export type RuleFile = PackFile["rules"][number];

export const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export const consentTypes = ["none", "implied", "soft_opt_in", "express", "express_written"] as const;
/** Least to most protective. */
export const deliveryModes = ["sms", "secure_link", "e2ee"] as const;
/** A rolling or calendar span → the fact that counts what was sent in it. */
export const frequencyFacts = { PT24H: "sameSubjectLast24h", P1D: "sentToday", P7D: "sentThisWeek" } as const;

const duration = z.string().refine(isDuration, { error: "not a duration in ISO 8601" });
const instant = z.iso.datetime({ error: "not a time in RFC 3339, UTC" });
const reasons = z.array(z.enum(reasonCodes)).min(1);
const citations = z.array(z.string().min(3)).min(1);
const id = z.string().regex(/^[a-z][a-z0-9-]*$/, { error: "not lower-case words joined by -" });
const ruleId = z.string().regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, { error: "not pack.rule" });
const country = z.string().regex(/^([A-Z]{2}|EEA)$/, { error: "not a country, nor EEA" });
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, { error: "not HH:MM" });
/** A calendar duration, or days on which offices work; holidays are those of `calendar`. */
const within = z.union([
	duration,
	z.strictObject({
		businessDays: z.int().min(1),
		calendar: z
			.string()
			.regex(/^[A-Z]{2}$/)
			.optional(),
	}),
]);

// Each rule has exactly one of these; what it does when its condition holds.
const effects = {
	/** Refuses the event. */
	deny: reasons.optional(),
	/** Says something of an event that is not refused. */
	reasons: reasons.optional(),
	/** Sends: the consent they need. `absent` says what a missing consent object means. */
	consent: z
		.strictObject({
			minType: z.enum(consentTypes),
			absent: z.enum(["missing", "satisfied"]),
			/** Whether its purposes must name the category. */
			purposeBound: z.boolean(),
			/** Existing-customer exception: soft_opt_in is enough when all four conditions of facts.context.softOptIn hold. */
			softOptIn: z.boolean(),
			/** Consent of that type, on that ground if one is named, ends after `age`. */
			expires: z
				.array(z.strictObject({ type: z.enum(consentTypes), ground: z.string().optional(), age: duration }))
				.default([]),
		})
		.optional(),
	/** Sends: open hours in the recipient's wall time, half-open; a day that no span names is closed. */
	window: z
		.strictObject({
			regions: z
				.array(z.string().regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/))
				.min(1)
				.optional(),
			open: z
				.array(
					z
						.strictObject({ days: z.array(z.enum(weekdays)).min(1), start: time, end: time })
						.refine(({ start, end }) => start < end, { error: "start is not before end" }),
				)
				.min(1),
			/** Public holidays of this country are closed. */
			closedOn: z
				.string()
				.regex(/^[A-Z]{2}$/)
				.optional(),
		})
		.optional(),
	/** Sends: refused once `max` were sent within `per`. */
	frequency: z
		.strictObject({ max: z.int().min(1), per: z.enum(Object.keys(frequencyFacts) as (keyof typeof frequencyFacts)[]) })
		.optional(),
	/** Sends: the least protective way that is allowed. */
	delivery: z.strictObject({ mode: z.enum(deliveryModes), reason: z.enum(reasonCodes) }).optional(),
	/** How long objects may and must be kept; null is unbounded and for suppression only. */
	retention: z
		.array(
			z
				.strictObject({
					object: z.enum(retentionObjects),
					min: duration.optional(),
					max: duration.nullable().optional(),
					/** What starts the clock of `min`. */
					clock: z.enum(["created", "last_in_effect"]).default("created"),
				})
				.refine(({ min, max }) => min !== undefined || max !== undefined, { error: "neither min nor max" })
				.refine(({ object, max }) => max !== null || object === "suppression", {
					error: "only suppression may be unbounded",
				}),
		)
		.min(1)
		.optional(),
	/** Requests by the subject: whether this law grants them, and the clocks it sets. */
	right: z
		.strictObject({
			to: z.enum(["erasure", "access"]),
			granted: z.boolean(),
			reasons,
			ackWithin: within.optional(),
			respondWithin: within.optional(),
		})
		.optional(),
	/** Inbound opt-outs. */
	optOut: z
		.strictObject({
			reasons,
			honorWithin: within.optional(),
			confirmWithin: duration.optional(),
			maxConfirmations: z.int().min(0).optional(),
		})
		.optional(),
	/** How soon content goes once nothing keeps it, and copies in backups after an erasure. */
	erase: z.strictObject({ contentWithin: duration.optional(), backupsWithin: duration.optional() }).optional(),
};

export const effectNames = Object.keys(effects) as (keyof typeof effects)[];

const rule = z
	.strictObject({
		id: ruleId,
		basis: z.enum(["law", "carrier", "default"]),
		citations,
		verifiedOn: z.iso.date(),
		confidence: z.enum(["high", "medium", "low"]),
		/** Why it is read this way, where that is not plain from the source. */
		note: z.string().optional(),
		effectiveFrom: instant.optional(),
		effectiveTo: instant.optional(),
		/** Events that `deny`, `reasons` and `erase` apply to; the other effects have their own. */
		on: z.array(z.enum(events)).min(1).optional(),
		when: conditionSchema.default({}),
		...effects,
	})
	.superRefine((value, check) => {
		const named = effectNames.filter((effect) => value[effect] !== undefined);
		const message = `a rule has exactly one effect, this has ${named.join(", ") || "none"}`;
		if (named.length !== 1) check.addIssue({ code: "custom", message });
		const selectable = value.deny !== undefined || value.reasons !== undefined || value.erase !== undefined;
		if (value.on && !selectable)
			check.addIssue({ code: "custom", path: ["on"], message: "this effect has its own event" });
	});

/** Facts and what their decision must hold: bounds as good or stricter, codes and citations at least; null means absent. */
const packCase = z.strictObject({
	name: z.string().min(3),
	facts: factsSchema,
	expect: z.strictObject({
		allowed: z.boolean(),
		reasons: z.array(z.enum(reasonCodes)).optional(),
		absentReasons: z.array(z.enum(reasonCodes)).optional(),
		citations: z.array(z.string()).optional(),
		deliveryMode: z.enum(deliveryModes).nullable().optional(),
		deferUntilLocal: z.string().nullable().optional(),
		deferUntilUtc: z.string().nullable().optional(),
		contentRetentionMax: duration.nullable().optional(),
		recordRetentionMin: duration.nullable().optional(),
		recordRetentionMax: duration.nullable().optional(),
		purgeContentWithin: duration.nullable().optional(),
		confirmationWithin: duration.nullable().optional(),
		maxConfirmations: z.int().nullable().optional(),
		ackBy: z.string().nullable().optional(),
		respondBy: z.string().nullable().optional(),
		honorBy: z.string().nullable().optional(),
		backupPurgeBy: z.string().nullable().optional(),
		notBefore: z.string().nullable().optional(),
		certificateNotBefore: z.string().nullable().optional(),
	}),
});

export const packSchema = z
	.strictObject({
		id,
		version: z.string().regex(/^\d+\.\d+\.\d+$/, { error: "not a version such as 1.0.0" }),
		title: z.string(),
		effectiveFrom: instant,
		effectiveTo: instant.optional(),
		/** Countries to which this pack opens the way; no pack for a destination means deny. */
		destinations: z.array(country).default([]),
		/** When the pack applies. */
		applies: conditionSchema,
		/** When it does not after all. */
		excludes: z.array(z.strictObject({ when: conditionSchema, reason: z.enum(reasonCodes), citations })).default([]),
		rules: z.array(rule).min(1),
		/** Clashes of retention settled on purpose: the rule that `yields` counts for nothing where `to` applies. */
		resolutions: z
			.array(
				z.strictObject({ object: z.enum(retentionObjects), yields: ruleId, to: ruleId, why: z.string(), citations }),
			)
			.default([]),
		cases: z.array(packCase).min(1),
	})
	.superRefine((pack, check) => {
		pack.rules.forEach((entry, index) => {
			const message = `does not start with ${pack.id}.`;
			if (!entry.id.startsWith(`${pack.id}.`))
				check.addIssue({ code: "custom", path: ["rules", index, "id"], message });
		});
	});
