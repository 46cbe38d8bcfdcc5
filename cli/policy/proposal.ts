// A proposal as commands show it.

import type { PolicyProposal } from "../../client/types.ts";

/** One line: what it is and how far it has come. */
export function proposalLine({ id, pack, version, state, why, effectiveFrom, approval }: PolicyProposal): string {
	const from = effectiveFrom ? `, in force from ${effectiveFrom}` : "";
	return `${id}  ${pack} ${version}  ${state}${from}${approval ? ` (${approvalWords(approval)})` : ""}  ${why}`;
}

/** Who approved it, and what that is worth. */
export function approvalWords({ by, verified }: NonNullable<PolicyProposal["approval"]>): string {
	if (verified) return `approved by ${by ?? "a person"}`;
	return by === undefined ? "approved by an API key: UNVERIFIED" : `approved by ${by}, an API key: UNVERIFIED`;
}

const words: Record<string, string> = {
	purge_sooner: "purge sooner",
	due_at_once: "are due at once",
	purge_later: "purge later",
	blocked_by_hold: "blocked by hold",
	deferred_longer: "deferred longer",
	deferred_shorter: "deferred shorter",
	newly_denied: "newly denied",
	newly_allowed: "newly allowed",
	delivery_mode_changed: "by another delivery mode",
	stopped_before_sending: "stopped before they are sent",
	closes_sooner: "close sooner",
	unjudged: "could not be judged",
	unchanged: "unchanged",
	purged: "purged",
	rewrapped: "wrapped anew for another cohort",
	failed: "could not be re-timed",
};

/** What a pass over the messages has counted: one line a kind, the changes first. */
export function countLines(counts: Record<string, number>, samples: Record<string, string[]> = {}): string[] {
	const { messages = 0, ...others } = counts;
	const known = Object.keys(words).filter((name) => others[name]);
	const more = Object.keys(others).filter((name) => !(name in words));
	const lines = [...known, ...more].map((name) => {
		const examples = samples[name]?.length ? `, such as ${samples[name].join(", ")}` : "";
		return `  ${others[name]} ${words[name] ?? name.replaceAll("_", " ")}${examples}`;
	});
	return [`${messages} messages looked at`, ...lines];
}
