// `lethe limits` as a shell sees it: what is set is shown, what can't be set is one line that names the mend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createTestApi, type TestApi } from "../api/harness.ts";

const lethe = fileURLToPath(new URL("../../cli/lethe.ts", import.meta.url));

describe("lethe limits, against an API", () => {
	let api: TestApi;
	let target: string[];
	let tenantId: string;
	before(async () => {
		api = await createTestApi();
		const added = await api.addTenant({ roles: ["operator"], destinations: ["DE"] });
		tenantId = added.tenantId;
		target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", added.key];
	});
	after(() => api.close());

	const run = (...args: string[]): Promise<{ code: number; out: string; error: string }> =>
		new Promise((resolve) => {
			execFile(process.execPath, [lethe, ...args, ...target], { encoding: "utf8" }, (failure, out, error) =>
				resolve({ code: failure ? Number(failure.code) : 0, out, error }),
			);
		});

	it("changes what it is told and leaves the rest", async () => {
		const set = await run(
			...["limits", "set", "--allow", "US", "FR", "--disallow", "DE", "--rate", "50", "--country-rate", "US=5"],
			...["--budget", "*/month/cost=250.5", "US/day/segments=100", "--velocity", "20/60", "--velocity-mode", "enforce"],
			...["--exempt", "US:2025=2027-01-01T00:00:00Z", "FR", "--region", "eu"],
		);
		assert.deepEqual([set.code, set.error], [0, ""]);
		const undo = ["--budget", "*/month/cost=none", "--rate", "none", "--unexempt", "FR", "--region", "any"];
		const removed = await run("limits", "set", ...undo);
		assert.deepEqual([removed.code, removed.error], [0, ""]);
		const shown = await run("limits", "show", "--json");
		const { spent: _, ...limits } = JSON.parse(shown.out);
		assert.deepEqual(limits, {
			destinations: ["US", "FR"],
			countryRates: { US: 5 },
			budgets: { US: { day: { segments: 100 } } },
			velocity: {
				...{ messagesMax: 20, windowSeconds: 60, mode: "enforce" },
				exempt: { "US:2025": "2027-01-01T00:00:00.000Z" },
			},
		});
		assert.match((await run("limits", "show")).out, /^destinations {2}US FR\nregions {7}any\n/);
	});

	it("closes no country in name alone: what `*` still allows is refused, and nothing is changed", async () => {
		const allowed = async () => JSON.parse((await run("limits", "show", "--json")).out).destinations;
		const before = await allowed();
		assert.equal((await run("limits", "set", "--allow", "*")).code, 0);
		const { code, out, error } = await run("limits", "set", "--disallow", "US", "--rate", "7");
		assert.deepEqual([code, out], [2, ""]);
		assert.match(
			error,
			/^lethe limits set: `\*` still allows US: take it away with --disallow '\*' and allow [^\n]+\n$/,
		);
		const { destinations, ratePerSecond } = JSON.parse((await run("limits", "show", "--json")).out);
		assert.deepEqual([destinations, ratePerSecond], [[...before, "*"], undefined]);
		assert.equal((await run("limits", "set", "--disallow", "*", "US")).code, 0);
		assert.deepEqual(await allowed(), ["FR"]);
	});

	it("takes away what an earlier build took for a country, and gives no country that is none", async () => {
		const before = JSON.parse((await run("limits", "show", "--json")).out).destinations;
		await api.store.tenants.set(tenantId, {
			destinations: [...before, "UK", "EU"],
			countryRates: { UK: 5, US: 5 },
			budgets: { UK: { day: { cost: 1 } } },
		});
		const taking = ["--disallow", "UK", "EU", "--country-rate", "UK=none", "--budget", "UK/day/cost=none"];
		const taken = await run("limits", "set", ...taking);
		assert.deepEqual([taken.code, taken.error], [0, ""]);
		const { destinations, countryRates, budgets } = JSON.parse((await run("limits", "show", "--json")).out);
		assert.deepEqual([destinations, countryRates, budgets], [before, { US: 5 }, undefined]);
		for (const args of [
			["--disallow", "UK"],
			["--country-rate", "UK=none"],
			["--budget", "UK/day/cost=none"],
		]) {
			const { code, error } = await run("limits", "set", ...args);
			assert.deepEqual([code, error], [2, "lethe limits set: UK does not stand there. Give GB, not UK.\n"], `${args}`);
		}
	});

	it("takes nothing that is no limit", async () => {
		const wrong = [
			["--allow", "XX1"],
			["--allow", "EU"],
			["--budget", "DE/week/segments=1"],
			["--velocity", "fast"],
			["--exempt", "DE:15125"],
		];
		const named = await run("limits", "set", "--budget", "de/day/segments=1", "--country-rate", "XX=5");
		assert.match(named.error, /Give the country in capitals: DE, not de\. /);
		const unknown = await run("limits", "set", "--country-rate", "XX=5");
		assert.match(unknown.error, /Give a country of ISO 3166-1 such as DE\. /);
		assert.match((await run("limits", "set", "--allow", "UK")).error, /Give GB, not UK\. /);
		for (const args of [...wrong, ["--country-rate", "DE=0"], []]) {
			const { code, error } = await run("limits", "set", ...args);
			assert.deepEqual([code, error.trim().split("\n").length], [2, 1], `${args}: ${error}`);
		}
	});
});
