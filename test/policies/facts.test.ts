// The door of the facts: what is unknown or malformed is named, and never repeated.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LetheError } from "../../domain/errors.ts";
import { parseFacts } from "../../policies/facts.ts";
import { readFiles } from "../../policies/load.ts";

test("a field that is unknown or malformed is named, and its value is not", () => {
	const secret = "4915112345678 geheim";
	const wrong: [string, unknown][] = [
		["/categry", { categry: secret }],
		["/category", { category: secret }],
		["/recipientCountry", { recipientCountry: secret }],
		["/recipientCountry", { recipientCountry: "de" }],
		["/recipientRegion", { recipientCountry: "DE", recipientRegion: "US-NY" }],
		["/timezone", { timezone: "Mars/Olympus" }],
		["/timezone", { timezone: "+01:00" }],
		["/localTime", { localTime: "2026-11-25T12:00:00Z" }],
		["/dataClasses/1", { dataClasses: ["contact", secret] }],
		["/optedOut", { optedOut: "marketting" }],
		["/legalHold", { legalHold: "no" }],
		["/consent/type", { consent: { type: secret } }],
		["/consent/withdrawnAt", { consent: { withdrawnAt: "2026-11-31" } }],
		["/consent/withdrawnAt", { consent: { withdrawnAt: "2026-11" } }],
		["/context/evaluatedAt", { context: { evaluatedAt: "2026-11-25" } }],
		["/consent/withdrwnAt", { consent: { withdrwnAt: "2026-11-25T12:00:00Z" } }],
		["/context/lawfulbasis", { context: { lawfulbasis: secret } }],
		["/context/event", { context: { event: "sned" } }],
		["/context/evaluatedAt", { context: { evaluatedAt: "2026-11-25T12:00:00" } }],
		["/context/evaluatedAt", { context: { evaluatedAt: "2026-02-30T12:00:00Z" } }],
		["/context/evaluatedAt", { context: { evaluatedAt: "9999-12-31T12:00:00Z" } }],
		["/context/createdAt", { context: { createdAt: "9999-12-31" } }],
		["/context/createdAt", { context: { createdAt: "9000-01-01T00:00:00Z" } }],
		["/context/receivedAt", { context: { receivedAt: "0000-01-01T00:00:00+14:00" } }],
		["/localTime", { localTime: "9999-12-31T23:00:00" }],
		["/context/evaluatedAt", { context: { evaluatedAt: 1_795_608_000 } }],
		["/context/otpValidity", { context: { otpValidity: "-PT5M" } }],
		["/context/otpValidity", { context: { otpValidity: "5 minutes" } }],
		["/context/sentToday", { context: { sentToday: -1 } }],
		["/context/body", { context: { body: "x".repeat(10_001) } }],
		["/context/route/baaref", { context: { route: { baaref: secret } } }],
		["/context/composition/0/min", { context: { composition: [{ min: "six years" }] } }],
		["/context/composition/0/max", { context: { composition: [{ max: "six years" }] } }],
		["/context/composition/0/max", { context: { composition: { max: "six years" } } }],
		["/context/composition", { context: { composition: 6 } }],
		["/", []],
		["/", null],
		["/", "facts"],
	];
	for (const [pointer, value] of wrong) {
		const errors = refuse(value);
		assert.ok(
			errors.some((error) => error.pointer.startsWith(pointer)),
			`${pointer}: ${JSON.stringify(errors)}`,
		);
		assert.doesNotMatch(JSON.stringify(errors), /geheim|49151/);
	}
});

test("null means absent, except where it says that there is none", () => {
	const facts = parseFacts({
		timezone: null,
		consent: null,
		context: { route: { provider: null, baaRef: null }, retentionDisclosure: null, dlt: null, lawfulBasis: null },
	});
	const context = { route: { baaRef: false }, retentionDisclosure: false, dlt: {} };
	assert.deepEqual(facts, { context });
	assert.deepEqual(parseFacts(facts), facts);
	assert.deepEqual(parseFacts({ consent: { type: "express", evidence: null } }), {
		consent: { type: "express", evidence: false },
	});
	const preference = { channel: "sms", warnedAt: "2026-06-01T00:00:00Z", evidence: null };
	assert.deepEqual(parseFacts({ context: { patientPreference: preference } }), {
		context: { patientPreference: { ...preference, evidence: false } },
	});
	assert.deepEqual(parseFacts({ context: { patientPreference: { channel: "sms" } } }), {
		context: { patientPreference: { channel: "sms" } },
	});
});

test("several proofs are what each says, and none where one is not there", () => {
	const read = (proof: unknown) => {
		const context = { hipaaAuthorization: proof, retentionDisclosure: proof, freshOptInEvidence: proof };
		const { consent, context: parsed } = parseFacts({ consent: { evidence: proof }, context });
		return [consent?.evidence, parsed?.hipaaAuthorization, parsed?.retentionDisclosure, parsed?.freshOptInEvidence];
	};
	for (const proof of [["log1"], ["log1", "log2"], [{ log: 1 }], [true]]) {
		const kept = proof.map((one) => (typeof one === "object" ? true : one));
		assert.deepEqual(read(proof), [kept, kept, kept, kept], JSON.stringify(proof));
	}
	for (const proof of [[], [""], ["log1", ""], [false], ["none"], ["log1", "None"], [{}], [{ log: "missing" }]]) {
		assert.deepEqual(read(proof), [false, false, false, false], JSON.stringify(proof));
	}
	for (const proof of ["log1", "none-2026-04", "no.17", "revocation-log-3"]) {
		assert.deepEqual(read(proof), [proof, proof, proof, proof], proof);
	}
	for (const proof of ["", " ", "-", "none", "NONE", "No", "n/a", "Missing.", "not obtained", "notObtained", {}]) {
		assert.deepEqual(read(proof), [false, false, false, false], JSON.stringify(proof));
	}
	const route = { baaRef: "Not signed" };
	const patientPreference = { evidence: "none" };
	assert.deepEqual(parseFacts({ context: { route, patientPreference } }), {
		context: { route: { baaRef: false }, patientPreference: { evidence: false } },
	});
	// Where the law applies is told apart by what its words say.
	for (const gdprScope of [["3(1)"], ["none"], "none", ""]) {
		assert.deepEqual(parseFacts({ context: { gdprScope } }), { context: { gdprScope } });
	}
});

test("what the newest pack takes for no authorization is none in every proof", () => {
	const newest = readFiles()
		.filter(({ file }) => file.id === "hipaa")
		.sort((a, b) => Date.parse(b.file.effectiveFrom) - Date.parse(a.file.effectiveFrom))[0];
	const { when } = newest?.file.rules.find(({ id }) => id === "hipaa.marketing-authorization") ?? {};
	const words = ((when?.any ?? []) as Record<string, unknown>[])
		.map((condition) => condition["context.hipaaAuthorization"])
		.find((test) => Array.isArray(test)) as string[];
	assert.ok(words.length > 10);
	for (const word of words) assert.equal(parseFacts({ consent: { evidence: word } }).consent?.evidence, false, word);
});

test("that a message answers an opt-out is said by a yes and by nothing like one", () => {
	const read = (optOutKeywordReply: unknown) => parseFacts({ context: { optOutKeywordReply } }).context;
	assert.deepEqual(read(true), { optOutKeywordReply: true });
	for (const proof of [{}, { reply: "no" }, ["no"]]) assert.throws(() => read(proof), { code: "invalid_request" });
});

test("one item is a composition, and several resolutions are one", () => {
	const item = { pack: "a", min: "P6Y" };
	assert.deepEqual(parseFacts({ context: { composition: item } }), { context: { composition: [item] } });
	assert.deepEqual(parseFacts({ context: { composition: "hipaa" } }), { context: { composition: ["hipaa"] } });
	const facts = parseFacts({
		context: { composition: [{ max: null }], resolution: ["split", { approvedBy: null }] },
	});
	const context = { composition: [{ max: false }], resolution: ["split", { approvedBy: false }] };
	assert.deepEqual(facts, { context });
	assert.deepEqual(parseFacts(facts), facts);
});

test("a day is its beginning or its end, whichever is stricter, and of a request that day everywhere", () => {
	const day = "2026-12-25";
	const [start, noon, end] = ["2026-12-25T00:00:00Z", "2026-12-25T12:00:00Z", "2026-12-26T00:00:00Z"];
	const asked = { receivedAt: day, authenticatedAt: day };
	const early = { expiresAt: day, optOutAt: day, contentMaxReachedAt: day };
	const late = { keyBackupsExpireAt: day, createdAt: day, lastInEffectAt: day, processedAt: day, acceptedAt: day };
	const all = (names: object, at: string) => Object.fromEntries(Object.keys(names).map((name) => [name, at]));
	const read = (event: string) =>
		parseFacts({
			consent: { obtainedAt: day, withdrawnAt: day },
			context: { event, ...asked, ...early, ...late, patientPreference: { warnedAt: day } },
		});
	assert.deepEqual(read("send"), {
		consent: { obtainedAt: start, withdrawnAt: start },
		context: {
			...{ event: "send", ...all(asked, noon), ...all(early, start), ...all(late, end) },
			patientPreference: { warnedAt: end },
		},
	});
	// A minimum counts from the end of the day, whatever started it.
	assert.deepEqual(read("purge_due"), {
		consent: { obtainedAt: end, withdrawnAt: end },
		context: {
			...{ event: "purge_due", ...all({ ...asked, ...early, ...late }, end) },
			patientPreference: { warnedAt: end },
		},
	});
});

test("a word in camel case is of the same words as one whose parts are set apart", () => {
	const facts = parseFacts({
		consent: { source: "oralConsent", ground: "purchase" },
		context: { lawfulBasis: "legitimateInterests", art9Condition: "9(2)(h)", object: "decisionRecord" },
	});
	assert.deepEqual(facts, {
		consent: { source: "oral_Consent", ground: "purchase" },
		context: { lawfulBasis: "legitimate_Interests", art9Condition: "9(2)(h)", object: "decision_record" },
	});
	assert.deepEqual(parseFacts(facts), facts);
});

test("a zone that is said to be unknown is absent; of a proof only that it is there is kept", () => {
	const facts = parseFacts({
		timezone: "unknown",
		context: { hipaaAuthorization: { signedBy: "someone" }, resolution: { approvedBy: null }, object: "record" },
	});
	const context = { hipaaAuthorization: true, resolution: { approvedBy: false }, object: "decision_record" };
	assert.deepEqual(facts, { context });
});

test("what is kept goes by more than one name, and a name that is none is refused", () => {
	const objectOf = (object: string) => parseFacts({ context: { object } }).context?.object;
	assert.equal(objectOf("Request record"), "subject_request");
	assert.equal(objectOf("subject_request"), "subject_request");
	for (const name of ["disclosure_log", "accounting", "Accounting of disclosures"]) {
		assert.equal(objectOf(name), "decision_record");
	}
	for (const name of ["risk_analysis", "review record"]) assert.equal(objectOf(name), "policy_documentation");
	for (const name of ["disclosure_record", "decision"]) assert.equal(objectOf(name), "decision_record");
	for (const name of ["dsr", "dsrRecord", "subject_request_record", "rights request"]) {
		assert.equal(objectOf(name), "subject_request");
	}
	assert.equal(objectOf("suppression_entry"), "suppression");
	for (const name of ["breach_log", "Breach log", "breach_record"]) assert.equal(objectOf(name), "breach_log");
	for (const name of ["constructor", "memories", ""]) assert.throws(() => objectOf(name), { code: "invalid_request" });
});

test("a kind of data goes by more than one name, and a name that is none is refused", () => {
	const classesOf = (...dataClasses: string[]) => parseFacts({ dataClasses }).dataClasses;
	assert.deepEqual(classesOf("contact", "health_data", "healthData", "diagnosis", "sensitive_health"), [
		...["contact", "health", "health", "health", "health"],
	]);
	assert.deepEqual(classesOf("message_content", "cardholder_data", "Cardholder", "name", "transaction"), [
		...["message_contents", "pan", "pan", "identity", "order"],
	]);
	assert.deepEqual(classesOf("protected_health_information", "phi"), ["phi", "phi"]);
	for (const name of ["healthy", "no_health_data", "constructor", ""]) {
		assert.throws(() => classesOf(name), { code: "invalid_request" });
	}
});

test("a disclosure by category says something of each, or is none", () => {
	const disclosed = (retentionDisclosure: unknown) =>
		parseFacts({ context: { retentionDisclosure } }).context?.retentionDisclosure;
	assert.equal(disclosed({ contact: "P30D", message_contents: "until the order is delivered" }), true);
	for (const missing of [{}, { contact: "P30D", message_contents: null }, { contact: "" }]) {
		assert.equal(disclosed(missing), false);
	}
});

test("whatever the document, it is refused with field errors or taken, and stays as it was", () => {
	fc.assert(
		fc.property(fc.jsonValue(), (value) => {
			const before = JSON.stringify(value);
			try {
				parseFacts(value);
			} catch (error) {
				assert.ok(error instanceof LetheError && error.errors.length > 0);
			}
			assert.equal(JSON.stringify(value), before);
		}),
	);
});

function refuse(value: unknown) {
	try {
		parseFacts(value);
	} catch (error) {
		assert.ok(error instanceof LetheError);
		assert.equal(error.code, "invalid_request");
		return error.errors;
	}
	assert.fail(`taken: ${JSON.stringify(value)}`);
}

test("a country that goes by another code too is read by that of ISO 3166-1, so that its law is asked", () => {
	const read = (places: object) => parseFacts({ ...places, context: { evaluatedAt: "2026-11-25T12:00:00Z" } });
	const greek = read({ senderEstablishment: "UK", subjectResidence: "EL" });
	assert.deepEqual([greek.senderEstablishment, greek.subjectResidence], ["GB", "GR"]);
	const british = read({ recipientCountry: "UK", recipientRegion: "UK-ENG", subjectResidence: "UK-ENG" });
	assert.deepEqual([british.recipientCountry, british.recipientRegion], ["GB", "GB-ENG"]);
	assert.equal(british.subjectResidence, "GB-ENG");
	const others = { senderEstablishment: "EU", subjectResidence: "EEA", recipientCountry: "QQ" };
	assert.deepEqual(read(others).senderEstablishment, "EU");
	assert.deepEqual([read(others).subjectResidence, read(others).recipientCountry], ["EEA", "QQ"]);
});

test("facts that are nested deeper than can be read are refused as any others are", () => {
	const depth = 50_000;
	const resolution = JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
	for (const context of [{ resolution }, { composition: [resolution] }, { composition: resolution }]) {
		assert.throws(() => parseFacts({ context }), { code: "invalid_request" });
	}
	// What is no day is not one of these.
	const described = { approvedAt: "2026-13-45" };
	assert.deepEqual(parseFacts({ context: { resolution: described } }).context?.resolution, described);
});

test("a region that its country does not have is refused, so that no rule of the meant one goes unasked", () => {
	const context = { evaluatedAt: "2026-11-25T12:00:00Z" };
	for (const place of ["US-FLA", "US-ZZ", "CA-ONT"]) {
		for (const name of ["recipientRegion", "subjectResidence", "senderEstablishment"]) {
			assert.throws(() => parseFacts({ [name]: place, context }), { code: "invalid_request" }, `${name} ${place}`);
		}
	}
	// Of other countries the table does not know the regions.
	for (const place of ["US-FL", "US-GU", "US-DC", "DE-BY", "GB-ENG"]) {
		assert.equal(parseFacts({ recipientRegion: place, context }).recipientRegion, place);
	}
});
