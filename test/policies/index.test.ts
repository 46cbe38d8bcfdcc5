// The policies in force of a process: what it knows of what is published, whichever of its looks ends first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../domain/limits.ts";
import type { PolicyVersion } from "../../domain/proposal.ts";
import { openPolicies } from "../../policies/index.ts";
import { hashText } from "../../policies/load.ts";
import { makeVersion } from "../../policies/revisions.ts";
import { editedText } from "../harness/policies.ts";

function otpVersion(): PolicyVersion {
	const text = editedText("otp", "1.9.0", () => undefined);
	const by = { publishedBy: "key_author", publishedAt: 1, approval: { by: "usr_approver", at: 1, verified: true } };
	const pack = { pack: "otp", version: "1.9.0", text, sha256: hashText(text) };
	return makeVersion([], { ...pack, ...by, proposalId: "prp_one", effectiveFrom: Date.parse("2026-12-01T00:00:00Z") });
}

/** So many versions of one pack, the later ones in force later. */
function manyVersions(count: number): PolicyVersion[] {
	const by = { publishedBy: "key_author", publishedAt: 1, approval: { by: "usr_approver", at: 1, verified: true } };
	const template = editedText("otp", "1.9.0", (document) => {
		document.effectiveFrom = "2030-01-01T00:00:00Z";
	});
	const versions: PolicyVersion[] = [];
	for (let index = 0; index < count; index++) {
		const version = `2.${index}.0`;
		const text = template.replace("1.9.0", version);
		const pack = { pack: "otp", version, text, sha256: hashText(text), effectiveFrom: Date.UTC(2030, 0, 1 + index) };
		versions.push(makeVersion(versions, { ...pack, ...by, proposalId: `prp_${index}` }));
	}
	return versions;
}

/** A store whose `all` answers what it held when it was asked, once it is let. */
function slowSource() {
	const stored: PolicyVersion[] = [];
	const waiting: (() => void)[] = [];
	const all = () => {
		const held = [...stored];
		return new Promise<PolicyVersion[]>((resolve) => void waiting.push(() => resolve(held)));
	};
	const newest = async () => stored.at(-1)?.digest;
	return { stored, waiting, source: { newest, all, countPublished: async () => 0 } };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a look that was begun before a publication and ends after the next one takes nothing back", async () => {
	const { stored, waiting, source } = slowSource();
	const policies = openPolicies({ published: { source, monotonic: () => 0 } });
	const early = policies.refresh();
	await settled();
	stored.push(otpVersion());
	const late = policies.refresh();
	await settled();
	waiting[1]?.();
	await late;
	assert.ok(policies.file("otp", "1.9.0"));
	waiting[0]?.();
	await early;
	assert.doesNotThrow(policies.check);
	assert.ok(policies.file("otp", "1.9.0"));
});

test("a revision that was there and is gone stops every decision", async () => {
	const { stored, waiting, source } = slowSource();
	const policies = openPolicies({ published: { source, monotonic: () => 0 } });
	const look = async () => {
		const done = policies.refresh();
		await settled();
		waiting.at(-1)?.();
		await done;
	};
	stored.push(otpVersion());
	await look();
	assert.doesNotThrow(policies.check);
	stored.pop();
	await look();
	assert.throws(policies.check, { code: "policies_unavailable" });
});

test("a look that another has overtaken takes back no fault that was found since", async () => {
	const { stored, waiting, source } = slowSource();
	const policies = openPolicies({ published: { source, monotonic: () => 0 } });
	const looks: Promise<void>[] = [];
	const look = async () => {
		looks.push(policies.refresh());
		await settled();
	};
	await look();
	stored.push(otpVersion());
	await look();
	waiting[1]?.();
	await looks[1];
	stored.pop();
	await look();
	waiting[2]?.();
	await looks[2];
	assert.throws(policies.check, { code: "policies_unavailable" });
	waiting[0]?.();
	await looks[0];
	assert.throws(policies.check, { code: "policies_unavailable" });
});

test("however many versions were published, each is read once, and not again at each look", async () => {
	const stored = manyVersions(limits.packsReadMax + 2);
	const newest = async () => stored.at(-1)?.digest;
	const source = { newest, all: async () => stored, countPublished: async () => 0 };
	let now = 0;
	const policies = openPolicies({ published: { source, monotonic: () => now } });
	await policies.refresh();
	const rulesOf = () => stored.map(({ version }) => policies.file("otp", version)?.rules);
	const before = rulesOf();
	assert.ok(before.every((rules) => rules !== undefined));
	now += limits.policyVerifyMs;
	await policies.refresh();
	assert.ok(rulesOf().every((rules, index) => rules === before[index]));
	const [first] = stored;
	stored[0] = { ...(first as PolicyVersion), text: `${first?.text}#` };
	now += limits.policyVerifyMs;
	await policies.refresh();
	assert.throws(policies.check, { code: "policies_unavailable" }, "what is stored is looked at all the same");
});
