// Whether a consent is what a rule asks for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const decide = (minType: string, consent: object) => {
	const effect = { minType, absent: "missing", purposeBound: false, softOptIn: false };
	const set = samplePackSet(
		samplePack("asked", [sampleRule("asked.consent", { consent: effect })], { destinations: ["US"] }),
	);
	const context = { evaluatedAt: "2026-11-25T12:00:00Z" };
	return evaluate(set, parseFacts({ recipientCountry: "US", consent, context })).reasons[0];
};

test("what was spoken is not in writing, whatever its type says, and is express all the same", () => {
	const sources = [
		...["oral", "verbal", "spoken", "telephone", "phone", "Phone call", "phone-call", "call", "inbound_call"],
		...["call_center", "voice", "voice recording", "voicemail", "in_person", "in person", "face-to-face", "IVR"],
		...["oral, confirmed by text"],
	];
	for (const source of sources) {
		assert.equal(decide("express_written", { type: "express_written", source }), "CONSENT_INSUFFICIENT", source);
		assert.equal(decide("express", { type: "express_written", source }), "CONSENT_SUFFICIENT", source);
	}
});

test("what was signed or typed is in writing, wherever that was", () => {
	const sources = [
		...["web", "web_form", "paper form", "email", "sms_keyword", "text", "checkout", "microphone_shop"],
		...["in_person_signed_form", "phone_keypress", "mobile phone app"],
	];
	for (const source of [...sources, undefined]) {
		assert.equal(decide("express_written", { type: "express_written", source }), "CONSENT_SUFFICIENT", source);
	}
});

test("a consent that states no ground lasts as its source does where that is a ground itself, word for word", () => {
	const expires = [
		{ type: "implied", age: "P2Y" },
		{ type: "implied", age: "P6M", notGround: ["purchase", "existing_business"] },
	];
	const effect = { minType: "implied", absent: "missing", purposeBound: false, softOptIn: false, expires };
	const set = samplePackSet(
		samplePack("asked", [sampleRule("asked.consent", { consent: effect })], { destinations: ["US"] }),
	);
	const outcome = (consent: object, obtainedAt = "2024-12-25T12:00:00Z") =>
		evaluate(
			set,
			parseFacts({
				recipientCountry: "US",
				consent: { type: "implied", obtainedAt, ...consent },
				context: { evaluatedAt: "2026-11-25T12:00:00Z" },
			}),
		).reasons[0];
	for (const source of ["purchase", "Purchase", "existing business", "existingBusiness"]) {
		assert.equal(outcome({ source }), "CONSENT_SUFFICIENT", source);
		assert.equal(outcome({ source }, "2024-11-25T12:00:01Z"), "CONSENT_SUFFICIENT", source);
		assert.equal(outcome({ source }, "2024-11-25T12:00:00Z"), "CONSENT_EXPIRED", source);
		// What is stated as the ground counts, and not where it was given.
		assert.equal(outcome({ source, ground: "inquiry" }), "CONSENT_EXPIRED", source);
	}
	for (const source of ["purchased_list", "purchase_inquiry", "web_form", "no purchase", undefined]) {
		assert.equal(outcome({ source }), "CONSENT_EXPIRED", source);
		assert.equal(outcome({ source }, "2026-05-25T12:00:01Z"), "CONSENT_SUFFICIENT", source);
		assert.equal(outcome({ source }, "2026-05-25T12:00:00Z"), "CONSENT_EXPIRED", source);
	}
	assert.equal(outcome({ ground: "a purchase in June" }), "CONSENT_SUFFICIENT");
});

test("a source in camel case is of the same words", () => {
	for (const source of ["oralConsent", "phoneCall", "voiceMail", "inPerson", "callCenter"]) {
		assert.equal(decide("express_written", { type: "express_written", source }), "CONSENT_INSUFFICIENT", source);
	}
	for (const source of ["webForm", "phoneKeypress", "signedInPerson"]) {
		assert.equal(decide("express_written", { type: "express_written", source }), "CONSENT_SUFFICIENT", source);
	}
});

test("a consent is refused for all that is wrong with it, each once", () => {
	const effect = {
		minType: "express",
		absent: "missing",
		purposeBound: true,
		softOptIn: true,
		expires: [
			{ type: "implied", age: "P2Y" },
			{ type: "soft_opt_in", age: "P2Y" },
		],
	};
	const set = samplePackSet(
		samplePack("asked", [sampleRule("asked.consent", { consent: effect })], { destinations: ["US"] }),
	);
	const softOptIn = {
		collectedInSale: true,
		ownSimilarProducts: true,
		optOutOfferedAtCollection: true,
		optOutInMessage: true,
	};
	const codes = (consent: object, context: object = {}) =>
		evaluate(
			set,
			parseFacts({
				recipientCountry: "US",
				category: "marketing",
				consent,
				context: { ...context, evaluatedAt: "2026-11-25T12:00:00Z" },
			}),
		).reasons.filter((code) => code !== "QUIET_HOURS_NOT_APPLICABLE");
	const old = { obtainedAt: "2024-10-25T12:00:00Z", purposes: ["marketing"] };
	assert.deepEqual(codes({ ...old, type: "implied", evidence: false }), [
		"CONSENT_INSUFFICIENT",
		"CONSENT_MISSING",
		"CONSENT_EXPIRED",
	]);
	assert.deepEqual(codes({ ...old, type: "implied", withdrawnAt: "2026-11-25T12:00:00Z" }), [
		...["CONSENT_MISSING", "OPTED_OUT", "CONSENT_INSUFFICIENT", "CONSENT_EXPIRED"],
	]);
	assert.deepEqual(codes({ ...old, type: "soft_opt_in", purposes: ["otp"] }), [
		...["CONSENT_INSUFFICIENT", "CONSENT_MISSING", "SOFT_OPT_IN_CONDITIONS_UNMET", "CONSENT_EXPIRED"],
	]);
	// A soft opt-in ends as a rule says, its conditions met or not.
	assert.deepEqual(codes({ ...old, type: "soft_opt_in" }, { softOptIn }), ["CONSENT_EXPIRED"]);
	assert.deepEqual(codes({ ...old, type: "soft_opt_in", obtainedAt: "2025-10-25T12:00:00Z" }, { softOptIn }), [
		"SOFT_OPT_IN",
	]);
	assert.deepEqual(codes({ ...old, type: "express" }), ["CONSENT_SUFFICIENT"]);
	assert.deepEqual(codes({ type: "none", evidence: false, purposes: [] }), ["CONSENT_MISSING"]);
});
