// What /metrics says of forgetting: late purges and old keys, and nothing wrong while a server is away.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { createTestApi, type TestApi } from "./harness.ts";

const hour = 3600_000;
let api: TestApi;
const key = { madeAt: 0, away: false };

before(async () => {
	api = await createTestApi(({ clock }) => ({
		keyVersions: {
			async read(name) {
				if (key.away) throw new Error("away");
				const { madeAt } = key;
				const versions = [{ version: 1, madeAt }];
				return name === "certificate" ? { name, newest: 1, keptFrom: 1, makesFrom: 1, madeAt, versions } : undefined;
			},
		},
		limits: { purgeLagMsMax: hour, keyPeriods: { signingPeriodMs: 10 * hour, hmacPeriodMs: 1 } },
		clock,
	}));
	key.madeAt = api.clock();
});
after(() => api.close());

async function read(name: string): Promise<number> {
	const { body } = await api.app.inject("/metrics");
	return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(body)?.[1]);
}

it("a purge that is late is told in seconds, and is overdue past its bound, until the cohort is destroyed", async () => {
	assert.deepEqual([await read("lethe_purge_lag_seconds"), await read("lethe_purge_overdue")], [0, 0]);
	const place = { tenantId: api.ids.random("tenant"), region: "US", retentionClass: "content/PT1H" };
	const cohortId = await api.cohorts.ensure({ ...place, dueAt: api.clock() + 1 });
	api.time.offsetMs += hour / 2;
	assert.equal(Math.round((await read("lethe_purge_lag_seconds")) / 60), 30);
	assert.equal(await read("lethe_purge_overdue"), 0);
	api.time.offsetMs += hour;
	await api.store.cohorts.advance(cohortId, "open", "closing");
	assert.equal(await read("lethe_purge_overdue"), 1);
	await api.store.cohorts.advance(cohortId, "closing", "destroyed");
	assert.deepEqual([await read("lethe_purge_lag_seconds"), await read("lethe_purge_overdue")], [0, 0]);
});

it("a key in use beyond its cryptoperiod is counted, and one that can't be read is not called young", async () => {
	assert.equal(await read("lethe_keys_overdue"), 0);
	api.time.offsetMs += 20 * hour;
	assert.equal(await read("lethe_keys_overdue"), 1);
	key.away = true;
	assert.ok(Number.isNaN(await read("lethe_keys_overdue")));
});
