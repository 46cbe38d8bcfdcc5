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
