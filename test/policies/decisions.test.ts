// What holds of every decision on any facts: an answer or a refusal of the facts, documented reasons, and the same answer again.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision, Facts } from "../../domain/decision.ts";
import { LetheError } from "../../domain/errors.ts";
import { recordableFacts } from "../../policies/contentFacts.ts";
import { evaluate } from "../../policies/evaluate.ts";
import { events, parseFacts } from "../../policies/facts.ts";
import { openPolicies } from "../../policies/index.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { reasonCodes } from "../../policies/reasons.ts";
import { retentionPlan } from "../../policies/retention.ts";
import { anyFacts } from "./arbitraries.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const loaded = readPacks();
const packs = indexPacks(loaded);
const runs = { numRuns: 1000 };
const codes = new Set<string>(reasonCodes);

test("whatever the facts within the schema, there is a decision, and every reason of it is documented", () => {
	const seen = new Set<string>();
	fc.assert(
		fc.property(anyFacts, (given) => {
			const facts = parsed(given);
			if (!facts) return;
			const decision = evaluate(packs, facts);
			assertSound(decision);
			for (const code of decision.reasons) seen.add(code);
			if (facts.context?.event) seen.add(facts.context.event);
		}),
		{ numRuns: 4000 },
	);
	// The facts are not all alike: most of what can be said is said.
	assert.ok(seen.size > 40, [...seen].join(" "));
	for (const event of events) assert.ok(seen.has(event), event);
});

test("a decision, what was excluded and how long things are kept are the same asked at once or one by one", () => {
	const policies = openPolicies();
	let excluded = 0;
	fc.assert(
		fc.property(anyFacts, (given) => {
			const facts = parsed(given);
			// A reply that answers no opt-out counts as none in a decision, and so in what goes with it.
			if (!facts || facts.context?.optOutKeywordReply) return;
			const { retentionPlan: plan, ...considered } = policies.consider(facts);
			const recorded = recordableFacts(facts);
			assert.deepEqual(considered, { decision: policies.evaluate(facts), excluded: policies.excluded(recorded) });
			assert.deepEqual(plan(), policies.retentionPlan(facts));
			excluded += considered.excluded.length;
		}),
		runs,
	);
	assert.ok(excluded > 0);
});

test("whatever the document, it is decided or refused as an invalid request, and nothing else happens", () => {
	const mutilated = fc.tuple(anyFacts, fc.jsonValue(), fc.nat(60), fc.boolean()).map(([facts, value, at, deep]) => {
		const context = { ...(facts.context as object) } as Record<string, unknown>;
		const target = deep ? context : facts;
		const keys = Object.keys(target);
		const key = keys[at % keys.length] ?? "category";
		return deep ? { ...facts, context: { ...context, [key]: value } } : { ...facts, [key]: value };
	});
	fc.assert(
		fc.property(fc.oneof(mutilated, fc.jsonValue()), (given) => {
			for (const judge of [() => evaluate(packs, parseFacts(given)), () => evaluate(packs, given as Facts)]) {
				try {
					assertSound(judge());
				} catch (error) {
					assert.ok(error instanceof LetheError && error.code === "invalid_request", String(error));
					assert.ok(error.errors.length > 0);
				}
			}
		}),
		{ numRuns: 4000 },
	);
});

test("a decision replays from what is recorded of its facts", () => {
	fc.assert(
		fc.property(anyFacts, (given) => {
			const facts = parsed(given);
			if (!facts) return;
			const decision = evaluate(packs, facts);
			const recorded = JSON.parse(JSON.stringify(recordableFacts(facts))) as Facts;
			assert.equal(recorded.context?.body, undefined);
			assert.deepEqual(evaluate(packs, recorded), decision);
			assert.deepEqual(evaluate(packs, parseFacts(recorded)), decision);
		}),
		runs,
	);
});

test("in whatever order packs and rules come, the decision is the same", () => {
	const shuffled = loaded.map(({ file, sha256 }) => ({ file: { ...file, rules: [...file.rules].reverse() }, sha256 }));
	const others = indexPacks([...shuffled].reverse());
	fc.assert(
		fc.property(anyFacts, (given) => {
			const facts = parsed(given);
			if (!facts) return;
			assert.deepEqual(inAnyOrder(evaluate(others, facts)), inAnyOrder(evaluate(packs, facts)));
			assert.deepEqual(retentionPlan(others, facts), retentionPlan(packs, facts));
		}),
		runs,
	);
});

test("a pack that only asks for more never lets through what was refused, nor earlier, nor less protected", () => {
	const modes = ["sms", "secure_link", "e2ee"];
	const base = samplePack("open", [sampleRule("open.hours", window("07:00", "22:00"))], {
		destinations: ["US", "DE", "FR"],
	});
	const alone = samplePackSet(base);
	fc.assert(
		fc.property(anyFacts, moreRules, (given, rules) => {
			const facts = parsed({ ...given, context: { ...(given.context as object), event: "send" } });
			if (!facts) return;
			const fewer = evaluate(alone, facts);
			const more = evaluate(samplePackSet(base, samplePack("more", rules)), facts);
			if (more.allowed) assert.ok(fewer.allowed, JSON.stringify(rules));
			if (!more.allowed || !fewer.allowed) return;
			assert.ok((more.deferUntilUtc ?? "") >= (fewer.deferUntilUtc ?? ""));
			assert.ok(modes.indexOf(more.deliveryMode ?? "") >= modes.indexOf(fewer.deliveryMode ?? ""));
		}),
		runs,
	);
});

test("no law's pack added to others lets through what they refuse, whatever is asked", () => {
	const [defaults] = loaded.filter(({ file }) => file.id === "defaults");
	assert.ok(defaults);
	const laws = loaded.filter((pack) => pack !== defaults);
	const asked = fc.constantFrom("send", "inbound", "purge_due", "hold_released", "erasure_verify");
	fc.assert(
		fc.property(anyFacts, asked, fc.subarray(laws), fc.constantFrom(...laws), (given, event, some, more) => {
			const facts = parsed({ ...given, context: { ...(given.context as object), event } });
			if (!facts) return;
			const fewer = evaluate(indexPacks([defaults, ...some]), facts);
			// A destination that only the further pack opens was not refused by any.
			if (fewer.allowed || fewer.reasons.includes("NO_PACK_DENY_DEFAULT")) return;
			const all = evaluate(indexPacks([defaults, ...new Set([...some, more])]), facts);
			assert.equal(all.allowed, false, `${more.file.id}: ${fewer.reasons}`);
		}),
		{ numRuns: 300 },
	);
});

test("of what is not sent nothing is sent later, and nothing refused is kept that was not stored", () => {
	fc.assert(
		fc.property(anyFacts, (given) => {
			const facts = parsed(given);
			if (!facts) return;
			const { event = "send", phase } = facts.context ?? {};
			const { allowed, deferUntilUtc, deliveryMode, contentRetentionMax, reasons } = evaluate(packs, facts);
			if (event !== "send" || !allowed) assert.deepEqual([deferUntilUtc, deliveryMode], [undefined, undefined]);
			if (event === "send" && !allowed && phase === undefined) assert.equal(contentRetentionMax, "PT0S");
			if (!allowed) assert.ok(reasons.length > 0);
		}),
		runs,
	);
});

const everyDay = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const moreRules = fc
	.array(
		fc.oneof(
			fc.tuple(fc.nat(11), fc.integer({ min: 12, max: 23 })).map(([from, to]) => window(hour(from), hour(to))),
			fc
				.record({
					minType: fc.constantFrom("none", "implied", "soft_opt_in", "express", "express_written"),
					absent: fc.constantFrom("missing", "satisfied"),
					purposeBound: fc.boolean(),
					softOptIn: fc.boolean(),
				})
				.map((consent) => ({ consent })),
			fc
				.record({ max: fc.integer({ min: 1, max: 5 }), per: fc.constantFrom("PT24H", "P1D", "P7D") })
				.map((frequency) => ({ frequency })),
			fc.constantFrom("sms", "secure_link", "e2ee").map((mode) => ({ delivery: { mode, reason: "PHI_SECURE_LINK" } })),
			fc.constant({ deny: ["PROCESSING_RESTRICTED"], when: { legalHold: true } }),
		),
		{ minLength: 1, maxLength: 4 },
	)
	.map((effects) => effects.map((effect, index) => sampleRule(`more.rule-${index}`, effect)));

function window(start: string, end: string) {
	return { window: { open: [{ days: everyDay, start, end }] } };
}

function hour(number: number): string {
	return `${String(number).padStart(2, "0")}:00`;
}

function parsed(given: unknown): Facts | undefined {
	try {
		return parseFacts(given);
	} catch (error) {
		// A region of another country.
		assert.ok(
			error instanceof LetheError && error.errors.every(({ pointer }) => pointer === "/recipientRegion"),
			String(error),
		);
		return undefined;
	}
}

function assertSound({ allowed, reasons, rules, citations, packs: used }: Decision): void {
	assert.equal(typeof allowed, "boolean");
	for (const code of reasons) assert.ok(codes.has(code), code);
	for (const list of [reasons, rules, citations]) assert.equal(new Set(list).size, list.length);
	for (const { id, version } of used) assert.ok(id && version);
}

function inAnyOrder(decision: Decision): object {
	const { reasons, rules, citations } = decision;
	return { ...decision, reasons: [...reasons].sort(), rules: [...rules].sort(), citations: [...citations].sort() };
}
