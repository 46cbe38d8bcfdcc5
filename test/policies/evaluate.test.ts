// What holds of every decision, whatever the facts and the packs.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision, Facts } from "../../domain/decision.ts";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { candidateZones } from "../../policies/zones.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const loaded = readPacks();
const packs = indexPacks(loaded);
const runs = { numRuns: 300 };

const [defaults] = loaded.filter(({ file }) => file.id === "defaults");
const others = loaded.filter(({ file }) => file.id !== "defaults");
const indexes = new Map<string, ReturnType<typeof indexPacks>>();

const instants = fc
	.integer({ min: Date.UTC(2026, 6, 2), max: Date.UTC(2027, 11, 31) })
	.map((at) => new Date(at).toISOString());
const consents = fc.record(
	{
		type: fc.constantFrom("none", "implied", "soft_opt_in", "express", "express_written"),
		obtainedAt: instants,
		purposes: fc.constantFrom(["marketing"], ["transactional"], ["marketing", "health"]),
		evidence: fc.boolean(),
		withdrawnAt: instants,
	},
	{ requiredKeys: ["type"] },
);
const places = fc.constantFrom(
	{ recipientCountry: "US" },
	{ recipientCountry: "US", recipientRegion: "US-TX" },
	{ recipientCountry: "US", recipientRegion: "US-CA", timezone: "America/Los_Angeles" },
	{ recipientCountry: "DE", timezone: "Europe/Berlin" },
	{ recipientCountry: "FR" },
	{ recipientCountry: "GB" },
	{ recipientCountry: "IN" },
	{ recipientCountry: "AU" },
	{ recipientCountry: "JP" },
);
const contexts = fc.record(
	{
		event: fc.constant("send"),
		evaluatedAt: instants,
		expiresAt: instants,
		lawfulBasis: fc.constantFrom("contract", "consent", "none of them"),
		art9Condition: fc.constant("explicit_consent"),
		autodialed: fc.boolean(),
		tcpaBasis: fc.constantFrom("consent", "health_exemption"),
		hipaaCoveredEntity: fc.boolean(),
		hipaaAuthorization: fc.boolean(),
		patientPreference: fc.constant({ channel: "sms", warnedAt: "2026-01-01T00:00:00Z", evidence: true }),
		sentToday: fc.nat(4),
		sameSubjectLast24h: fc.nat(4),
		optOutAt: instants,
		optOutKeywordReply: fc.boolean(),
		suppressionHashMatch: fc.boolean(),
		otpDigits: fc.integer({ min: 4, max: 8 }),
		cardNumber: fc.boolean(),
	},
	{ requiredKeys: ["evaluatedAt"] },
);
const facts = fc
	.tuple(
		places,
		fc.record(
			{
				senderEstablishment: fc.constantFrom("US", "DE", "JP"),
				subjectResidence: fc.constantFrom("US-CA", "DE", "GB"),
				category: fc.constantFrom("otp", "transactional", "marketing", "health"),
				dataClasses: fc.subarray(["contact", "health", "phi"]),
				consent: consents,
				optedOut: fc.constantFrom("none", "marketing", "all"),
				context: contexts,
			},
			{ requiredKeys: ["context", "category"] },
		),
	)
	.map(([place, others]) => ({ ...place, ...others }) as Facts);

// What most packs let through, at any time and anywhere.
const sendable = fc.tuple(places, instants, fc.constantFrom("marketing", "health", "transactional"), fc.boolean()).map(
	([place, evaluatedAt, category, phi]): Facts => ({
		...place,
		category,
		dataClasses: phi ? ["phi"] : ["contact"],
		consent: { type: "express_written", purposes: [category], evidence: true },
		context: {
			evaluatedAt,
			lawfulBasis: "consent",
			art9Condition: "explicit_consent",
			hipaaAuthorization: true,
			patientPreference: { channel: "sms", warnedAt: "2026-01-01T00:00:00Z", evidence: true },
		},
	}),
);

test("a further pack never lets through what the others refuse", () => {
	fc.assert(
		fc.property(fc.subarray(others), fc.constantFrom(...others), facts, (some, more, given) => {
			const fewer = evaluate(indexOf(some), given);
			fc.pre(!fewer.allowed && !fewer.reasons.includes("NO_PACK_DENY_DEFAULT"));
			const all = evaluate(indexOf([...some, more]), given);
			assert.equal(all.allowed, false, `${more.file.id}: ${fewer.reasons}`);
		}),
		runs,
	);
});

test("a further pack never makes a message go earlier, or by a less protective way", () => {
	const modes = ["sms", "secure_link", "e2ee"];
	fc.assert(
		fc.property(fc.subarray(others), fc.constantFrom(...others), sendable, (some, more, given) => {
			const fewer = evaluate(indexOf(some), given);
			const all = evaluate(indexOf([...some, more]), given);
			fc.pre(fewer.allowed && all.allowed);
			assert.ok((fewer.deferUntilUtc ?? "") <= (all.deferUntilUtc ?? ""));
			assert.ok(modes.indexOf(fewer.deliveryMode ?? "") <= modes.indexOf(all.deliveryMode ?? ""));
		}),
		runs,
	);
});

test("the same packs and facts give the same decision, and the facts stay as they were", () => {
	fc.assert(
		fc.property(facts, (given) => {
			const before = JSON.stringify(given);
			const decision = evaluate(packs, deepFreeze(structuredClone(given)));
			assert.deepEqual(evaluate(indexPacks(readPacks().reverse()), given), decision);
			assert.equal(JSON.stringify(given), before);
		}),
		{ numRuns: 20 },
	);
});

test("what is refused for its delivery mode outside the open hours waits for nothing", () => {
	const early = { evaluatedAt: "2026-11-25T10:00:00Z", hipaaAuthorization: true };
	const decide = (deliver: string) =>
		evaluate(packs, usMarketing({ dataClasses: ["phi"], recipientRegion: "US-NY", context: { ...early, deliver } }));
	assert.equal(decide("secure_link").deferUntilUtc, "2026-11-25T13:00:00Z");
	const { reasons, deferUntilUtc, deferUntilLocal } = decide("sms");
	assert.deepEqual(reasons, ["DELIVERY_MODE_TOO_WEAK", "PHI_SECURE_LINK"]);
	assert.deepEqual([deferUntilUtc, deferUntilLocal], [undefined, undefined]);
});

test("a denial names a reason; only what is allowed is deferred, and only into the future", () => {
	fc.assert(
		fc.property(facts, (given) => {
			const decision = evaluate(packs, given);
			if (!decision.allowed) assert.ok(decision.reasons.length > 0);
			if (!decision.allowed) assert.equal(decision.deferUntilUtc, undefined);
			const deferred = decision.deferUntilUtc ?? "";
			if (deferred) assert.ok(Date.parse(deferred) > Date.parse(String(given.context?.evaluatedAt)));
		}),
		runs,
	);
});

test("marketing in the United States never goes out when it is not yet eight or already nine where the recipient may be", () => {
	const regions = ["US-NY", "US-TX", "US-FL", "US-CA", "US-HI", "US-TN", undefined];
	fc.assert(
		fc.property(instants, fc.constantFrom(...regions), (evaluatedAt, recipientRegion) => {
			const decision = evaluate(packs, usMarketing({ recipientRegion, context: { evaluatedAt } }));
			assert.ok(decision.allowed);
			const at = decision.deferUntilUtc ?? evaluatedAt;
			for (const { zone, region } of candidateZones("US", recipientRegion)) {
				const { hour, weekday } = clockIn(zone, at);
				assert.ok(hour >= 8 && hour < 21, `${zone} ${at}`);
				if (region === "US-FL") assert.ok(hour < 20, at);
				if (region === "US-TX") assert.ok(hour >= (weekday === "Sun" ? 12 : 9), at);
			}
		}),
		runs,
	);
});

test("a recipient whose state is unknown is treated by the strictest of the states in that zone", () => {
	const given = { timezone: "America/New_York", context: { evaluatedAt: "2026-11-26T01:30:00Z" } };
	assert.equal(evaluate(packs, usMarketing({ ...given, recipientRegion: "US-NY" })).deferUntilUtc, undefined);
	assert.equal(evaluate(packs, usMarketing(given)).deferUntilLocal, "2026-11-26T08:00:00");
	const count = { evaluatedAt: "2026-11-25T18:00:00Z", sameSubjectLast24h: 3 };
	assert.ok(evaluate(packs, usMarketing({ recipientRegion: "US-NY", context: count })).allowed);
	assert.deepEqual(evaluate(packs, usMarketing({ context: count })).reasons, ["FREQUENCY_EXCEEDED"]);
});

test("counts that are known to be too small refuse wherever a limit applies, and nowhere else", () => {
	const evaluatedAt = "2026-11-25T18:00:00Z";
	const context = { evaluatedAt, sentToday: 0, sentThisWeek: 0, sameSubjectLast24h: 0, sendsUncounted: true };
	assert.deepEqual(evaluate(packs, usMarketing({ context })).reasons, ["FREQUENCY_UNCOUNTED"]);
	assert.ok(evaluate(packs, usMarketing({ recipientRegion: "US-NY", context })).allowed);
});

test("a message that expires at the moment its window opens is refused, one that expires after it waits", () => {
	const decide = (expiresAt: string) =>
		evaluate(
			packs,
			usMarketing({ recipientRegion: "US-NY", context: { evaluatedAt: "2026-11-25T05:00:00Z", expiresAt } }),
		);
	assert.deepEqual(decide("2026-11-25T13:00:00Z").reasons.slice(0, 2), ["EXPIRES_BEFORE_WINDOW", "QUIET_HOURS"]);
	assert.equal(decide("2026-11-25T13:00:01Z").deferUntilUtc, "2026-11-25T13:00:00Z");
});

test("windows that share no hour refuse, they do not wait for ever", () => {
	const hours = (start: string, end: string) => ({ window: { open: [{ days: everyDay, start, end }] } });
	const strict = samplePack("night", [
		sampleRule("night.early", hours("08:00", "12:00")),
		sampleRule("night.late", hours("12:00", "20:00")),
	]);
	const set = samplePackSet({ ...strict, destinations: ["DE"] });
	const decision = evaluate(set, { recipientCountry: "DE", context: { evaluatedAt: "2026-11-25T10:00:00Z" } });
	assert.equal(decision.allowed, false);
	assert.ok(decision.reasons.includes("QUIET_HOURS"));
});

test("before any pack is in force everything is denied", () => {
	const evaluatedAt = "1999-01-01T00:00:00Z";
	for (const event of ["send", "purge_due", "erasure_request", "policy_publish", "erasure_verify"] as const) {
		const decision = evaluate(packs, { recipientCountry: "DE", context: { event, evaluatedAt } });
		assert.deepEqual([decision.allowed, decision.reasons], [false, ["NO_PACK_DENY_DEFAULT"]]);
	}
});

test("a wall time is one where the country or region has one zone, and none where it has more or nobody knows", () => {
	const at = (place: object) =>
		evaluate(packs, usMarketing({ timezone: undefined, localTime: "2026-11-25T07:59:59", context: {}, ...place }))
			.deferUntilUtc;
	assert.equal(at({ recipientRegion: "US-NY" }), "2026-11-25T13:00:00Z");
	assert.equal(at({ recipientRegion: "US-CA" }), "2026-11-25T16:00:00Z");
	const france = { recipientCountry: "FR", recipientRegion: undefined, context: { lawfulBasis: "consent" } };
	assert.equal(at(france), "2026-11-25T07:00:00Z");
	for (const place of [
		{ recipientRegion: "US-TX" },
		{ recipientRegion: undefined },
		{ recipientCountry: "JP", recipientRegion: undefined },
		{ recipientCountry: undefined, recipientRegion: undefined },
	]) {
		assert.throws(() => at(place), { code: "invalid_request" }, JSON.stringify(place));
	}
});

test("facts that name no time are refused; a wall time with its zone is one", () => {
	assert.throws(() => evaluate(packs, { recipientCountry: "DE" }), { code: "invalid_request" });
	assert.throws(() => evaluate(packs, { localTime: "2026-11-25T08:00:00" }), { code: "invalid_request" });
	const local = { timezone: "America/New_York", localTime: "2026-11-25T07:59:59" };
	assert.equal(evaluate(packs, usMarketing({ ...local, context: {} })).deferUntilUtc, "2026-11-25T13:00:00Z");
});

test("a time that can't be read stops the decision instead of switching a rule off", () => {
	const consent = { type: "express_written", withdrawnAt: "last week", purposes: ["marketing"] } as const;
	const context = { evaluatedAt: "2026-11-25T18:00:00Z" };
	assert.throws(() => evaluate(packs, usMarketing({ consent: { ...consent, purposes: ["marketing"] }, context })), {
		code: "invalid_request",
	});
});

test("a text leaves its keyword class and card-number flag behind, and nothing of itself in the decision", () => {
	const body = "Karte 4111 1111 1111 1111, geheim";
	const given = {
		recipientCountry: "DE",
		context: { body, evaluatedAt: "2026-11-25T12:00:00Z", lawfulBasis: "contract" },
	};
	const decision = evaluate(packs, given);
	assert.deepEqual(decision.reasons, ["PAN_DETECTED"]);
	assert.doesNotMatch(JSON.stringify(decision), /4111|geheim/);
	const recorded = { ...given, context: { ...given.context, body: undefined, cardNumber: true } };
	assert.deepEqual(evaluate(packs, recorded), decision);
});

test("what was accepted before an opt-out, or before the consent ended, does not answer it", () => {
	const judge = (acceptedAt: string | undefined, consent: object = {}, category = "marketing") => {
		const context = { phase: "dispatch", optOutKeywordReply: true, optOutAt: "2026-11-25T16:58:00Z", acceptedAt };
		const { allowed, reasons } = evaluate(
			packs,
			parseFacts({
				recipientCountry: "US",
				recipientRegion: "US-NY",
				timezone: "America/New_York",
				category,
				consent: { type: "express_written", purposes: ["marketing"], evidence: true, ...consent },
				optedOut: "marketing",
				context: { ...context, evaluatedAt: "2026-11-25T17:00:00Z" },
			}),
		);
		return [allowed, reasons.includes("OPTED_OUT"), reasons.includes("ONE_CONFIRMATION_ALLOWED")];
	};
	const answer = [true, false, true];
	assert.deepEqual(judge("2026-11-25T16:57:59Z"), [false, true, false]);
	assert.deepEqual(judge("2026-11-24T10:00:00Z"), [false, true, false]);
	assert.deepEqual(judge("2026-11-25T16:58:00Z"), answer);
	assert.deepEqual(judge("2026-11-25T16:59:00Z"), answer);
	assert.deepEqual(judge(undefined), answer);
	assert.deepEqual(judge("2026-11-25T16:58:30Z", { withdrawnAt: "2026-11-25T16:59:00Z" }), [false, true, false]);
	assert.deepEqual(judge("2026-11-25T16:59:00Z", { withdrawnAt: "2026-11-25T16:58:00Z" }), answer);
	// A message that the opt-out does not reach is none of its answers either.
	assert.deepEqual(judge("2026-11-25T16:57:59Z", {}, "otp"), [true, false, false]);
});

test("the decisive rule comes first", () => {
	const texas = usMarketing({
		recipientRegion: "US-TX",
		timezone: "America/Chicago",
		context: { evaluatedAt: "2026-11-29T16:00:00Z" },
	});
	assert.equal(evaluate(packs, texas).rules[0], "us-tcpa.hours-texas");
	const denied: Decision = evaluate(packs, { ...texas, consent: undefined });
	assert.deepEqual(denied.reasons, ["CONSENT_MISSING"]);
	assert.ok(denied.rules.includes("us-tcpa.marketing-consent"));
});

test("consent that ends with time counts to the moment before, and not without a date", () => {
	const expires = [{ type: "implied", ground: ["inquiry"], age: "P6M" }];
	const rule = sampleRule("casl.consent", {
		consent: { minType: "implied", absent: "missing", purposeBound: false, softOptIn: false, expires },
	});
	const set = samplePackSet(samplePack("casl", [rule], { destinations: ["DE"] }));
	const decide = (evaluatedAt: string, obtainedAt?: string, ground = "inquiry") =>
		evaluate(set, {
			recipientCountry: "DE",
			consent: { type: "implied", ground, obtainedAt },
			context: { evaluatedAt },
		}).reasons[0];
	assert.equal(decide("2026-07-31T09:59:59Z", "2026-01-31T10:00:00Z"), "CONSENT_SUFFICIENT");
	assert.equal(decide("2026-07-31T10:00:00Z", "2026-01-31T10:00:00Z"), "CONSENT_EXPIRED");
	assert.equal(decide("2026-07-31T10:00:00Z", "2026-01-31T10:00:00Z", "purchase"), "CONSENT_SUFFICIENT");
	assert.equal(decide("2026-07-31T10:00:00Z"), "CONSENT_EXPIRED");
});

test("of a pack's versions the one in force at the time of the facts decides", () => {
	const version = (number: string, effectiveFrom: string, code: string) =>
		samplePack("dated", [sampleRule("dated.rule", { deny: [code] })], {
			version: number,
			effectiveFrom,
			destinations: ["DE"],
		});
	const set = samplePackSet(
		version("2.0.0", "2026-06-01T00:00:00Z", "BAA_MISSING"),
		version("1.9.0", "2026-01-01T00:00:00Z", "OPTED_OUT"),
		version("1.10.0", "2026-03-01T00:00:00Z", "CONSENT_MISSING"),
	);
	const at = (evaluatedAt: string) => evaluate(set, { recipientCountry: "DE", context: { evaluatedAt } });
	assert.deepEqual(at("2026-02-28T23:59:59Z").reasons, ["OPTED_OUT"]);
	assert.deepEqual(at("2026-05-31T23:59:59Z").reasons, ["CONSENT_MISSING"]);
	assert.deepEqual(at("2026-06-01T00:00:00Z").reasons, ["BAA_MISSING"]);
	assert.deepEqual(at("2026-06-01T00:00:00Z").packs[1], { id: "dated", version: "2.0.0" });
	assert.deepEqual(at("2025-12-31T23:59:59Z").reasons, ["NO_PACK_DENY_DEFAULT"]);
});

test("a minimum without a known beginning has not passed", () => {
	const context = { event: "purge_due", object: "decision_record", evaluatedAt: "2026-11-25T12:00:00Z" } as const;
	const decision = evaluate(packs, { recipientCountry: "US", context });
	assert.deepEqual([decision.allowed, decision.reasons], [false, ["MIN_RETENTION_NOT_REACHED"]]);
	const late = evaluate(packs, { recipientCountry: "US", context: { ...context, createdAt: "2022-03-04T05:06:07Z" } });
	assert.deepEqual([late.allowed, late.notBefore], [false, "2027-03-05"]);
});

test("the facts of every event pass the schema and are judged", () => {
	const events = [
		"send",
		"inbound",
		"erasure_request",
		"access_request",
		"hold_released",
		"policy_publish",
		"purge_due",
		"erasure_verify",
	];
	fc.assert(
		fc.property(facts, fc.constantFrom(...events), (given, event) => {
			const parsed = parseFacts({ ...given, context: { ...given.context, event } });
			assert.equal(typeof evaluate(packs, parsed).allowed, "boolean");
		}),
		runs,
	);
});

/** The index of the defaults and some other packs, made once. */
function indexOf(some: typeof loaded) {
	const chosen = loaded.filter((pack) => pack === defaults || some.includes(pack));
	const key = chosen.map(({ file }) => `${file.id} ${file.version}`).join();
	const index = indexes.get(key) ?? indexPacks(chosen);
	indexes.set(key, index);
	return index;
}

const everyDay = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

function usMarketing(fields: Facts): Facts {
	const consent = { type: "express_written", purposes: ["marketing"], evidence: true } as const;
	return { recipientCountry: "US", category: "marketing", consent: { ...consent, purposes: ["marketing"] }, ...fields };
}

function clockIn(zone: string, at: string): { hour: number; weekday: string } {
	const format = new Intl.DateTimeFormat("en-US", {
		timeZone: zone,
		hour: "numeric",
		hourCycle: "h23",
		weekday: "short",
	});
	const parts = Object.fromEntries(format.formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
	return { hour: Number(parts.hour), weekday: String(parts.weekday) };
}

function deepFreeze<T>(value: T): T {
	if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
	return value;
}
