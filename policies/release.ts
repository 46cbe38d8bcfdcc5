// When a send may go out: now, later, or not before it expires.

import type { Rule, WindowEffect } from "./compile.ts";
import { type Draft, finding } from "./draft.ts";
import { formatInstant, instantMs } from "./durations.ts";
import { closedCauses, firstOpen, type Gate, wallClock } from "./windows.ts";
import { candidateZones } from "./zones.ts";

// Longer than any holiday; windows that share no hour within it share none.
const horizonMs = 31 * 86_400_000;

type RuleGate = Gate & { rule: Rule<WindowEffect> };

/**
 * Adds to the draft what the windows say: nothing when all are open, a deferral to the first time at which all are,
 * or a denial when that is too late. Where the zone is not known, every zone that it may be must be open.
 */
export function judgeRelease(draft: Draft): void {
	const { facts, context, now } = draft;
	const rules = draft.packs.flatMap((pack) => pack.window.filter((rule) => rule.when(facts, now)));
	const gates = rules.length > 0 ? findGates(draft, rules) : [];
	if (gates.length === 0) draft.grants.push({ codes: ["QUIET_HOURS_NOT_APPLICABLE"], citations: [] });
	const release = firstOpen(gates, now, now + horizonMs);
	const expiresAt = instantMs(context.expiresAt);
	const tooLate = release === undefined || (expiresAt !== undefined && expiresAt <= release);
	const findings = draft[tooLate ? "denials" : "grants"];
	for (const gate of gates) {
		const causes = closedCauses(gate, now, release ?? now);
		if (causes.size > 0) findings.unshift(finding(gate.rule, ...causes));
		else findings.push(finding(gate.rule));
	}
	if (release !== undefined && tooLate) findings.unshift({ codes: ["EXPIRES_BEFORE_WINDOW"], citations: [] });
	const zones = [...new Set(gates.map(({ zone }) => zone))];
	if (zones.length > 1) findings.push({ codes: ["TIMEZONE_UNKNOWN_STRICTEST"], citations: [] });
	if (release === undefined || tooLate || release === now) return;
	draft.bounds.deferUntilUtc = formatInstant(release);
	const clocks = new Set(zones.map((zone) => wallClock(zone, release)));
	if (clocks.size === 1) draft.bounds.deferUntilLocal = formatInstant([...clocks][0] ?? release).replace("Z", "");
}

/** Each zone the recipient may be in with each window that counts there, once. */
function findGates({ facts }: Draft, rules: Rule<WindowEffect>[]): RuleGate[] {
	const { recipientCountry = "", recipientRegion, timezone } = facts;
	const gates = new Map<string, RuleGate>();
	for (const { zone, region } of findPlaces(recipientCountry, recipientRegion, timezone)) {
		for (const rule of rules) {
			const { regions, hours } = rule.effect;
			// A recipient whose region is not known may be in any: then its rule counts, as it does for its residents.
			const isThere =
				!regions || region === undefined || regions.has(region) || regions.has(facts.subjectResidence ?? "");
			if (!isThere) continue;
			gates.set(`${zone} ${rule.id}`, { zone, hours, rule });
		}
	}
	return [...gates.values()];
}

function findPlaces(country: string, region: string | undefined, timezone: string | undefined) {
	if (timezone === undefined) return candidateZones(country, region);
	if (region !== undefined) return [{ zone: timezone, region }];
	const there = candidateZones(country).filter(({ zone }) => zone === timezone);
	return there.length > 0 ? there : [{ zone: timezone, region: undefined }];
}
