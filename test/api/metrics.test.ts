// What is scraped while a server hangs.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createMetrics } from "../../api/metrics.ts";
import { limits } from "../../domain/limits.ts";

it("a figure whose server takes the question and answers none keeps the others from nobody", async () => {
	const metrics = createMetrics();
	metrics.watch("lethe_hung", "Never read.", () => new Promise(() => undefined));
	metrics.watch("lethe_known", "Read at once.", async () => 7);
	metrics.countCredentialAlert("revoked");
	const began = performance.now();
	const late = new Promise<string>((resolve) => void setTimeout(resolve, limits.metricReadMsMax + 2_000, "late"));
	const told = await Promise.race([metrics.read(), late]);
	assert.match(told, /^lethe_hung Nan$/im);
	assert.match(told, /^lethe_known 7$/m);
	assert.match(told, /^lethe_credential_alerts_total\{reason="revoked"\} 1$/m);
	assert.ok(performance.now() - began < limits.metricReadMsMax + 1_000);
});
