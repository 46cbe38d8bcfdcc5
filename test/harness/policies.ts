// Policies for tests: the shipped packs and what a test has published over a real store, with proposals made in one call.

import { readdirSync, readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { Store } from "../../adapters/mongo/store.ts";
import type { RuleChange } from "../../policies/change.ts";
import { openPolicies, type Policies } from "../../policies/index.ts";
import { createPublish } from "../../policies/publish.ts";

type Parts = Pick<Parameters<typeof createPublish>[0], "clock" | "ids"> & { store: Store };

/** The shipped packs and those published over a store; nothing is decided before `refresh`. */
export function openStored(store: Store, monotonic: () => number = () => performance.now()): Policies {
	const { newest, all } = store.policyVersions;
	const source = { newest, all, countPublished: store.proposals.countPublished };
	return openPolicies({ published: { source, monotonic } });
}

/** The newest version of a pack that the release brings. */
export function shippedVersion(pack: string): string {
	const folder = new URL(`../../policies/packs/${pack}/`, import.meta.url);
	return readdirSync(folder).sort().at(-1)?.replace(".yaml", "") as string;
}

type PackDocument = { version: string; effectiveFrom: string; rules: Record<string, unknown>[]; cases: unknown[] };

/** The newest shipped version of a pack with another number and an edit; its cases are gone but for one that always passes. */
export function editedText(pack: string, version: string, edit: (document: PackDocument) => void): string {
	const newest = new URL(`../../policies/packs/${pack}/${shippedVersion(pack)}.yaml`, import.meta.url);
	const document = parse(readFileSync(newest, "utf8")) as PackDocument;
	const facts = { context: { evaluatedAt: "2026-07-01T12:00:00Z" } };
	document.version = version;
	document.effectiveFrom = "2026-11-24T00:00:00Z";
	document.cases = [{ name: "without a destination", facts, expect: { allowed: false } }];
	edit(document);
	return stringify(document, { aliasDuplicateObjects: false });
}

export const shorter: RuleChange[] = ["content", "address"].map((object) => ({
	rule: "defaults.retention",
	path: `retention.${object}.max`,
	value: "P7D",
}));

/** Proposes, checks, simulates without a worker, approves and publishes. Answers the proposal. */
export async function publishChange(
	parts: Parts & { policies: Policies },
	draft: { pack: string; changes: RuleChange[] } | { text: string },
) {
	const { store, clock } = parts;
	const publish = createPublish({ ...parts, runs: { simulateSoon: () => undefined } });
	const { _id } = await publish.propose({ by: "key_author", why: "A test", ...draft });
	await publish.check(_id, "key_author");
	await publish.simulate(_id, "key_author");
	const set = { "simulation.endedAt": clock() };
	await store.proposals.change(_id, { to: "simulated", by: "key_author", set, unset: ["nextCheckAt"] });
	await publish.approve(_id, "key_approver", false);
	return publish.publish(_id, "key_author");
}
