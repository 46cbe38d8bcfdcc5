// Whether a consent is what a rule asks for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../policies/evaluate.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const decide = (minType: string, consent: object) => {
	const effect = { minType, absent: "missing", purposeBound: false, softOptIn: false };
	const set = samplePackSet(
		samplePack("asked", [sampleRule("asked.consent", { consent: effect })], { destinations: ["US"] }),
	);
	return evaluate(set, { recipientCountry: "US", consent, context: { evaluatedAt: "2026-11-25T12:00:00Z" } })
		.reasons[0];
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
