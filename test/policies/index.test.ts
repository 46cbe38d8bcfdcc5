// The policies in force of a process: what it knows of what is published, whichever of its looks ends first.

import assert from "node:assert/strict";
import { test } from "node:test";
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
