// What goes before what when a person asks to be forgotten: the table, row by row.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PolicyEvent } from "../../domain/decision.ts";
import { openPolicies } from "../../policies/index.ts";
import { keptWhy, precede, precedence } from "../../policies/precedence.ts";
import { reasonCodes } from "../../policies/reasons.ts";

const denied = (...reasons: string[]) => ({ allowed: false, reasons, citations: ["a law"], packs: [] });

describe("precedence", () => {
	const rows: [string, ReturnType<typeof denied>, boolean, string, string][] = [
		[
			"nothing speaks against it",
			{ allowed: true, reasons: ["ERASE_CONTENT"], citations: [], packs: [] },
			false,
			"erasure",
			"erase",
		],
		[
			"a hold, whatever the packs say",
			{ allowed: true, reasons: ["ERASE_CONTENT"], citations: [], packs: [] },
			true,
			"hold",
			"keep",
		],
		["a hold before a minimum", denied("MIN_RETENTION_NOT_REACHED", "LEGAL_HOLD_ACTIVE"), true, "hold", "keep"],
		["a conflict before a hold", denied("LEGAL_HOLD_ACTIVE", "POLICY_CONFLICT_REVIEW"), true, "conflict", "review"],
		["a minimum", denied("MIN_RETENTION_NOT_REACHED", "PROCESSING_RESTRICTED"), false, "minimum", "keep"],
		["a restriction", denied("PROCESSING_RESTRICTED"), false, "restriction", "keep"],
		["no right in the law", denied("NO_HIPAA_ERASURE_RIGHT"), false, "no_right", "keep"],
		["no law at all", denied("NO_PACK_DENY_DEFAULT"), false, "no_law", "review"],
		["a reason that no row knows", denied("QUIET_HOURS"), false, "conflict", "review"],
	];
	for (const [name, decision, held, reason, verdict] of rows) {
		it(`${name}: ${verdict}`, () => {
			const settled = precede(decision, held);
			assert.deepEqual([settled.reason, settled.verdict], [reason, verdict]);
			for (const citation of decision.citations) assert.ok(settled.citations.includes(citation));
		});
	}

	it("cites the laws that apply, and of the others nothing", () => {
		const version = "1.0.0";
		const [gdpr, uk, ccpa] = ["gdpr", "uk", "ccpa"].map((id) => ({ id, version }));
		const of = (pack = { id: "", version }) => ({ ...denied("LEGAL_HOLD_ACTIVE"), citations: [], packs: [pack] });
		assert.deepEqual(precede(of(gdpr), true).citations, ["GDPR Art. 17(3)(e)", "GDPR Art. 18(1)(c)"]);
		assert.deepEqual(precede(of(ccpa), true).citations, ["Cal. Civ. Code 1798.105(d)"]);
		for (const what of ["decision_record", "consent", "opt_out", "hold", "recipient_key"] as const) {
			for (const [pack, own] of [
				[gdpr, /^GDPR /],
				[uk, /^(UK GDPR|PECR) /],
				[ccpa, /^Cal\. /],
			] as const) {
				const { citations } = keptWhy(what, pack ? [pack] : []);
				assert.ok(citations.length > 0 && citations.every((one) => own.test(one)), `${what}: ${citations}`);
			}
			assert.deepEqual(keptWhy(what, [{ id: "sg", version }]).citations, []);
		}
	});

	it("knows no code that no pack can give, and no code twice", () => {
		const codes = precedence.flatMap((row) => [...row.codes]);
		for (const code of codes) assert.ok(reasonCodes.includes(code));
		assert.equal(new Set(codes).size, codes.length);
	});

	it("Indian data of less than a year waits, Washington's health data under a hold is a person's matter", () => {
		const policies = openPolicies();
		const context = { event: "erasure_request" as const, verified: true, receivedAt: "2027-06-01T00:00:00Z" };
		const at = Date.parse("2027-06-01T00:00:00Z");
		const india = {
			recipientCountry: "IN",
			senderEstablishment: "IN",
			context: { ...context, createdAt: "2027-05-20T00:00:00Z" },
		};
		const waits = policies.reevaluate({ ...india, category: "transactional", dataClasses: ["contact"] }, at);
		assert.equal(precede(waits, false).reason, "minimum");
		assert.ok((waits.notBefore ?? "") >= "2028-05-20");
		// Art. 17(3)(b) of the GDPR means law of the Union or of a member state, that of the UK GDPR the United Kingdom's.
		for (const senderEstablishment of ["DE", "GB"]) {
			const abroad = policies.reevaluate({ ...india, senderEstablishment, category: "transactional" }, at);
			const { reason, citations } = precede(abroad, false);
			assert.equal(reason, "minimum");
			assert.ok(citations.includes("DPDP Rules 2025 r. 8(3)"));
			assert.ok(!citations.some((citation) => citation.includes("17(3)(b)")), String(citations));
		}
		const washington = {
			recipientCountry: "US",
			recipientRegion: "US-WA",
			dataClasses: ["consumer_health"],
			legalHold: true,
		};
		const conflict = policies.reevaluate({ ...washington, category: "transactional", context }, at);
		assert.equal(precede(conflict, true).reason, "conflict");
	});
});

describe("an extension", () => {
	const at = "2027-01-31T10:00:00Z";
	const policies = openPolicies();
	const to = (facts: object, event: PolicyEvent) =>
		policies.extendableTo({ ...facts, context: { event, receivedAt: at, evaluatedAt: at } });

	it("is three months from receipt in the Union, counted in one go", () => {
		assert.equal(to({ recipientCountry: "FR", senderEstablishment: "FR" }, "access_request"), "2027-04-30");
	});

	it("is 90 days in California, and none where a law in question knows none", () => {
		const california = {
			recipientCountry: "US",
			recipientRegion: "US-CA",
			subjectResidence: "US-CA",
			senderEstablishment: "US",
		};
		assert.equal(to({ ...california, dataClasses: ["contact"] }, "erasure_request"), "2027-05-01");
		assert.equal(to({ recipientCountry: "BR", senderEstablishment: "BR" }, "access_request"), undefined);
		assert.equal(to({ recipientCountry: "AQ" }, "access_request"), undefined);
	});

	it("of an amendment under HIPAA is 30 days after 60, and an opt-out in California has none", () => {
		const patient = { recipientCountry: "US", recipientRegion: "US-OH", dataClasses: ["phi"] };
		assert.equal(to(patient, "correction_request"), "2027-05-01");
		assert.equal(to(patient, "access_request"), "2027-04-01");
		assert.equal(to(patient, "restriction_request"), undefined);
		const california = { recipientCountry: "US", subjectResidence: "US-CA", dataClasses: ["contact"] };
		assert.equal(to(california, "correction_request"), "2027-05-01");
		assert.equal(to(california, "objection_request"), undefined);
	});
});
