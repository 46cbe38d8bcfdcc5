// The policy engine in one process: messages evaluated against all packs, beside reading and writing the same facts as JSON.

import { evaluate } from "../policies/evaluate.ts";
import { parseFacts } from "../policies/facts.ts";
import { loadPacks } from "../policies/load.ts";
import { rateOf, spread, spreadOfRatios } from "./measure.ts";

const evaluationsPerRound = 20_000;

const context = { event: "send", evaluatedAt: "2026-11-25T20:30:00Z", expiresAt: "2026-11-26T20:30:00Z" };
const consent = {
	type: "express_written",
	obtainedAt: "2026-06-01T10:00:00Z",
	purposes: ["marketing"],
	evidence: true,
};

// What a tenant sends over a day: mostly let through, some waiting, some refused, in the places whose packs ask for most.
const documents: object[] = [
	{
		...usa("US-NY", "America/New_York"),
		category: "otp",
		dataClasses: ["contact", "otp_secret"],
		context: { ...context, otpDigits: 6, otpValidity: "PT5M" },
	},
	{
		...usa("US-CA", "America/Los_Angeles"),
		category: "transactional",
		dataClasses: ["contact"],
		context: { ...context, autodialed: true, characters: 120 },
	},
	{
		...usa("US-FL", "America/New_York"),
		category: "marketing",
		dataClasses: ["contact"],
		consent,
		context: { ...context, evaluatedAt: "2026-11-26T01:15:00Z", sameSubjectLast24h: 1 },
	},
	{ ...usa("US-TX", "America/Chicago"), category: "marketing", dataClasses: ["contact"], consent, context },
	{ recipientCountry: "US", category: "marketing", dataClasses: ["contact"], consent, context },
	{
		...usa("US-OH", "America/New_York"),
		category: "health",
		dataClasses: ["contact", "phi"],
		context: { ...context, hipaaCoveredEntity: true, route: { provider: "p1", baaRef: "baa-1" } },
	},
	{
		...usa("US-WA", "America/Los_Angeles"),
		category: "transactional",
		dataClasses: ["contact", "consumer_health"],
		context: { ...context, necessaryForRequestedService: true },
	},
	{
		...union("DE", "Europe/Berlin"),
		category: "transactional",
		dataClasses: ["contact"],
		context: { ...context, lawfulBasis: "contract" },
	},
	{
		...union("FR", "Europe/Paris"),
		category: "marketing",
		dataClasses: ["contact"],
		consent: { ...consent, type: "express" },
		context: { ...context, lawfulBasis: "consent" },
	},
	{
		...union("NL", "Europe/Amsterdam"),
		category: "health",
		dataClasses: ["contact", "health"],
		context: { ...context, lawfulBasis: "contract", art9Condition: "explicit_consent" },
	},
	{
		recipientCountry: "GB",
		category: "marketing",
		dataClasses: ["contact"],
		optedOut: "marketing",
		consent,
		context: { ...context, lawfulBasis: "consent" },
	},
	{
		recipientCountry: "IN",
		timezone: "Asia/Kolkata",
		category: "marketing",
		dataClasses: ["contact"],
		consent,
		context: { ...context, dlt: { entityId: "E1", headerId: "H1", templateId: "T1" } },
	},
	{
		recipientCountry: "AU",
		category: "transactional",
		dataClasses: ["contact"],
		context: { ...context, senderId: { type: "alphanumeric", registered: true } },
	},
	{
		recipientCountry: "US",
		senderEstablishment: "DE",
		category: "transactional",
		dataClasses: ["contact"],
		context: { ...context, lawfulBasis: "contract" },
	},
];

/**
 * Evaluations a second of one message after the other against all published packs, and of `JSON.parse` and
 * `JSON.stringify` of the same facts. `ratio` is the median over interleaved rounds of ours over the bare one's.
 */
export async function policySuite({ rounds }: { rounds: number }) {
	const packs = loadPacks();
	const facts = documents.map(parseFacts);
	const texts = documents.map((document) => JSON.stringify(document));
	const ours = (index: number) => evaluate(packs, facts[index % facts.length] ?? {}).allowed;
	const checked = (index: number) => evaluate(packs, parseFacts(documents[index % documents.length])).allowed;
	const bare = (index: number) => JSON.stringify(JSON.parse(texts[index % texts.length] ?? "")).length > 0;
	const rates: Record<"ours" | "checked" | "bare", number[]> = { ours: [], checked: [], bare: [] };
	for (const run of [ours, checked, bare]) await rate(run);
	for (let round = 0; round < rounds; round++) {
		rates.ours.push(await rate(ours));
		rates.checked.push(await rate(checked));
		rates.bare.push(await rate(bare));
	}
	const evaluationsPerSecond = spread(rates.ours);
	const ratios = spreadOfRatios(rates.ours, rates.bare);
	return {
		suite: "policy" as const,
		ratio: ratios.median,
		ratios,
		evaluationsPerSecond,
		checkedAndEvaluatedPerSecond: spread(rates.checked),
		baselineJsonPerSecond: spread(rates.bare),
		secondsPerMillion: 1_000_000 / evaluationsPerSecond.median,
		allowed: facts.filter((_, index) => ours(index)).length,
		documents: facts.length,
		packs: packs.versions.length,
		rounds,
		evaluationsPerRound,
		targets: { evaluationsPerSecondMin: 10_000 },
	};
}

function usa(recipientRegion: string, timezone: string) {
	return { recipientCountry: "US", recipientRegion, timezone, senderEstablishment: "US", subjectResidence: "US" };
}

function union(country: string, timezone: string) {
	return { recipientCountry: country, timezone, senderEstablishment: country, subjectResidence: country };
}

/** Calls a second; the answers are counted, so that no call can be left out as useless. */
async function rate(call: (index: number) => boolean): Promise<number> {
	let yes = 0;
	const rounds = await rateOf(1, 1, async () => {
		for (let index = 0; index < evaluationsPerRound; index++) if (call(index)) yes++;
	});
	if (yes === 0) throw new RangeError("nothing was measured");
	return evaluationsPerRound * rounds;
}
