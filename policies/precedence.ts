// What goes before what when a subject asks for erasure: one table, the first row that holds decides.

import type { Decision } from "../domain/decision.ts";
import type { ReasonCode } from "./reasons.ts";

/** `erase`: it goes. `keep`: it stays until its row says. `review`: it stays until a person has decided. */
export type PrecedenceVerdict = "erase" | "keep" | "review";

/** Pack → what its law says of a row. Cited is only what packs say that apply: of a law that does not, nothing follows. */
type ByPack = Readonly<Record<string, readonly string[]>>;

type Row = {
	reason: string;
	verdict: PrecedenceVerdict;
	/** A decision with one of these is this row's; without any, see `findRow`. */
	codes: readonly ReasonCode[];
	/** What ends the keeping. */
	until: "release" | "decision" | "minimum" | "retention" | "never";
	citations: ByPack;
};

/** The order in which claims on a message are heard. What the packs cite comes in addition. */
export const precedence = [
	{
		// Before the hold: it stays either way, and a person learns that somebody must decide.
		reason: "conflict",
		verdict: "review",
		codes: ["POLICY_CONFLICT_REVIEW"],
		until: "decision",
		citations: {
			gdpr: ["GDPR Art. 17(3)(b),(e)"],
			uk: ["UK GDPR Art. 17(3)(b),(e)"],
			"us-wa-health": ["RCW 19.373.040(1)(c)"],
		},
	},
	{
		reason: "hold",
		verdict: "keep",
		codes: ["LEGAL_HOLD_ACTIVE"],
		until: "release",
		citations: {
			gdpr: ["GDPR Art. 17(3)(e)", "GDPR Art. 18(1)(c)"],
			uk: ["UK GDPR Art. 17(3)(e)", "UK GDPR Art. 18(1)(c)"],
			ccpa: ["Cal. Civ. Code 1798.105(d)"],
			br: ["LGPD Art. 16"],
		},
	},
	{
		reason: "minimum",
		verdict: "keep",
		codes: ["MIN_RETENTION_NOT_REACHED"],
		until: "minimum",
		// Not Art. 17(3)(b): it means law of the Union, a member state or the United Kingdom, and no such minimum is shipped.
		citations: { "in-dpdp": ["DPDP Rules 2025 r. 8(3)"] },
	},
	{
		reason: "restriction",
		verdict: "keep",
		codes: ["PROCESSING_RESTRICTED"],
		until: "release",
		citations: { gdpr: ["GDPR Art. 18(2)"], uk: ["UK GDPR Art. 18(2)"] },
	},
	{
		reason: "no_right",
		verdict: "keep",
		codes: ["NO_HIPAA_ERASURE_RIGHT"],
		until: "retention",
		citations: { hipaa: ["45 CFR 164.526"] },
	},
	{
		// No law says yes and none says no: whoever is responsible may grant it all the same.
		reason: "no_law",
		verdict: "review",
		codes: ["NO_PACK_DENY_DEFAULT"],
		until: "decision",
		citations: {},
	},
	{
		reason: "erasure",
		verdict: "erase",
		codes: ["ERASE_CONTENT"],
		until: "never",
		citations: { gdpr: ["GDPR Art. 17(1)"], uk: ["UK GDPR Art. 17(1)"] },
	},
] as const satisfies readonly Row[];

const claims: ByPack = {
	gdpr: ["GDPR Art. 17(3)(e)"],
	uk: ["UK GDPR Art. 17(3)(e)"],
	ccpa: ["Cal. Civ. Code 1798.105(d)"],
	br: ["LGPD Art. 16"],
};

/** What of a person is kept although the request is granted: proof that it was lawful, and what lets it be honoured. */
const keptBesides = {
	decision_record: {
		reason: "record_pseudonymised",
		citations: {
			...claims,
			gdpr: ["GDPR Art. 5(2)", "GDPR Art. 17(3)(e)"],
			uk: ["UK GDPR Art. 5(2)", "UK GDPR Art. 17(3)(e)"],
			hipaa: ["45 CFR 164.316(b)(2)(i)"],
			"in-dpdp": ["DPDP Rules 2025 r. 8(3)"],
		},
	},
	consent: {
		reason: "proof_of_consent",
		citations: {
			...claims,
			gdpr: ["GDPR Art. 7(1)", "GDPR Art. 17(3)(e)"],
			uk: ["UK GDPR Art. 7(1)", "UK GDPR Art. 17(3)(e)"],
			hipaa: ["45 CFR 164.530(j)(2)"],
		},
	},
	opt_out: {
		reason: "opt_out",
		citations: {
			gdpr: ["GDPR Art. 21(3)"],
			uk: ["UK GDPR Art. 21(3)", "PECR 2003 reg. 22"],
			ccpa: ["Cal. Civ. Code 1798.105(c)"],
			"us-tcpa": ["47 CFR 64.1200(d)(6)"],
		},
	},
	hold: { reason: "hold", citations: claims },
	recipient_key: { reason: "hold", citations: claims },
	in_delivery: { reason: "in_delivery", citations: {} },
} as const satisfies Record<string, Pick<Row, "reason" | "citations">>;

type Packs = Pick<Decision, "packs">["packs"];

/** Why something is kept although the request is granted. @param packs those that apply */
export function keptWhy(what: keyof typeof keptBesides, packs: Packs): { reason: string; citations: string[] } {
	const { reason, citations } = keptBesides[what];
	return { reason, citations: citedBy(citations, packs) };
}

export type Settled = Pick<Row, "reason" | "verdict" | "until"> & { citations: string[]; packs: Packs };

/**
 * Settles what the packs say of erasing one message.
 * @param held a hold bears on it, whatever the packs know of that
 */
export function precede(
	decision: Pick<Decision, "allowed" | "reasons" | "citations" | "packs">,
	held: boolean,
): Settled {
	const { reason, verdict, until, citations } = findRow(decision, held);
	const { packs } = decision;
	return {
		reason,
		verdict,
		until,
		packs,
		citations: [...new Set([...citedBy(citations, packs), ...decision.citations])],
	};
}

function citedBy(citations: ByPack, packs: Packs): string[] {
	return packs.flatMap(({ id }) => citations[id] ?? []);
}

function findRow({ allowed, reasons }: Pick<Decision, "allowed" | "reasons">, held: boolean): Row {
	const rows: readonly Row[] = precedence;
	const row = (name: string) => rows.find(({ reason }) => reason === name) as Row;
	if (allowed) return row(held ? "hold" : "erasure");
	const found = rows.find(({ codes, verdict }) => verdict !== "erase" && codes.some((code) => reasons.includes(code)));
	// What no row knows is refused for a reason that a person has to read.
	const refused = found ?? row("conflict");
	return held && refused.reason !== "conflict" ? row("hold") : refused;
}
