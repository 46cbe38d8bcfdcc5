// The page for compliance people names commands and options that there are, and every state of a proposal.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { adminCommand } from "../../../cli/admin.ts";
import { policyCommand } from "../../../cli/policy.ts";
import { errorCatalogue } from "../../../domain/errors.ts";
import { proposalStates } from "../../../domain/proposal.ts";

const page = readFileSync(new URL("../../../docs/policies.md", import.meta.url), "utf8");

test("every command that it shows can be called, with those options", () => {
	const roots = { policy: policyCommand(), admin: adminCommand() };
	const shown = [...page.matchAll(/npx lethe (policy|admin) (\w+)((?:[^`\n#>]|\\\n)*)/g)];
	assert.ok(shown.length > 15);
	for (const [line, root, name, rest = ""] of shown) {
		const command = roots[root as keyof typeof roots].commands.find((one) => one.name() === name);
		assert.ok(command, line);
		const known = command.options.map(({ long }) => long);
		for (const [, option] of rest.matchAll(/ (--[\w-]+)/g)) assert.ok(known.includes(option), `${line}: ${option}`);
	}
	const documented = new Set(shown.filter(([, root]) => root === "policy").map(([, , name]) => name));
	const missing = roots.policy.commands.map((one) => one.name()).filter((name) => !documented.has(name));
	assert.deepEqual(missing.sort(), ["decide", "withdraw"], "the README tells of decide; to withdraw is a state");
});

test("every state has its row, and every code is in the catalogue", () => {
	for (const state of proposalStates) assert.match(page, new RegExp(`^\\| \`${state}\` \\|`, "m"));
	for (const [, code = ""] of page.matchAll(/answers `(\w+)`/g)) assert.ok(code in errorCatalogue, code);
});
