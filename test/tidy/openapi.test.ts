// The OpenAPI document passes a linter's recommended rules, and each operation has a name of its own.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readOpenApi } from "../../stack/clientTypes.ts";
import { root } from "./tree.ts";

type Report = { problems: { ruleId: string; severity: string; message: string; location: { pointer: string }[] }[] };

// Schemas are named whether or not an operation refers to them by now; who may use the document is not its matter.
const notOurs = ["no-unused-components", "info-license", "operation-4xx-response", "no-illogical-composition-keywords"];

test("every POST takes an Idempotency-Key, but where a session begins or ends", async () => {
	const without = Object.entries((await readOpenApi()).paths)
		.filter(([path, { post }]) => post && !path.includes("/callbacks/") && !takesKey(post))
		.map(([path]) => path);
	assert.deepEqual(without.toSorted(), [
		"/v1/enrolment",
		"/v1/enrolment/complete",
		"/v1/session",
		"/v1/session/end",
		"/v1/session/passkey-options",
		"/v1/session/sso",
		"/v1/session/sso/complete",
	]);
});

test("every operation says what it answers where it refuses or fails, and in which types", async () => {
	type Answers = Record<string, { content?: Record<string, unknown> }>;
	const { paths } = (await readOpenApi()) as unknown as {
		paths: Record<string, Record<string, { responses: Answers }>>;
	};
	const told = Object.entries(paths).flatMap(([path, methods]) =>
		Object.entries(methods).map(([method, { responses }]) => ({ name: `${method} ${path}`, responses })),
	);
	const silent = told.filter(({ responses }) => !responses["4XX"]?.content || !responses["5XX"]?.content);
	assert.deepEqual(
		silent.map(({ name }) => name),
		[],
	);
	const typesOf = (path: string, status: string) => Object.keys(paths[path]?.get?.responses[status]?.content ?? {});
	assert.deepEqual(typesOf("/readyz", "503"), ["application/json"]);
	assert.deepEqual(typesOf("/v1/session/sso/{id}/callback", "4XX"), ["application/problem+json", "text/html"]);
});

test("the OpenAPI document passes Redocly's recommended rules", async () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-openapi-"));
	const file = join(dir, "openapi.json");
	writeFileSync(file, JSON.stringify(await readOpenApi()));
	const { stdout } = spawnSync(
		process.execPath,
		[join(root, "node_modules/@redocly/cli/bin/cli.js"), "lint", file, "--extends", "recommended", "--format", "json"],
		{
			encoding: "utf8",
			cwd: dir,
			env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
			maxBuffer: 64 * 1024 * 1024,
		},
	);
	rmSync(dir, { recursive: true });
	const { problems } = JSON.parse(stdout) as Report;
	assert.ok(Array.isArray(problems));
	assert.deepEqual(
		problems
			.filter(({ ruleId }) => !notOurs.includes(ruleId))
			.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
		[],
	);
});

function takesKey({ parameters = [] }: { parameters?: { name: string }[] }): boolean {
	return parameters.some(({ name }) => name === "Idempotency-Key");
}
