// Cryptoperiods of cohort keys: past theirs they are renewed by the sweep, until it is done, and no sooner.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRenewKeys } from "../../activities/renewKeys.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

const day = 24 * 3600_000;

describe("cohort keys past their cryptoperiod", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	it("are renewed until that is done, the oldest first, and one that fails keeps no other from its turn", async () => {
		const place = (region: string) => ({
			...{ tenantId: engine.ids.random("tenant"), region, retentionClass: "content/P9Y" },
			dueAt: engine.clock() + 3000 * day,
		});
		const old = [await engine.cohorts.ensure(place("US")), await engine.cohorts.ensure(place("DE"))];
		engine.time.offsetMs += 100 * day;
		const young = await engine.cohorts.ensure(place("FR"));
		const asked: string[] = [];
		let state: "resting" | "done" = "resting";
		const renewKeys = createRenewKeys({
			...engine,
			cohortKeyPeriodMs: 90 * day,
			keyRotation: {
				async renew(cohortId: string, madeBefore: number) {
					assert.ok(madeBefore <= engine.clock() - 90 * day);
					asked.push(cohortId);
					if (cohortId === old[0]) throw new LetheError("keys_unavailable");
					return { state, rewrappedCount: 1 };
				},
			},
		});
		await renewKeys();
		assert.deepEqual(asked, old);
		state = "done";
		await renewKeys();
		assert.deepEqual(asked, [...old, ...old], "what rests is looked at again");
		await renewKeys();
		assert.deepEqual(asked.slice(4), [old[0]], "what is done is not");
		assert.ok(!asked.includes(young));
		const { keyMadeAt = 0 } = (await engine.store.cohorts.find(old[1] as string)) ?? {};
		assert.ok(keyMadeAt > engine.clock() - day);
	});

	it("are told of where the key server has none, and are not taken for renewed", async () => {
		const place = { tenantId: engine.ids.random("tenant"), region: "US", retentionClass: "content/P8Y" };
		const lost = await engine.cohorts.ensure({ ...place, dueAt: engine.clock() + 3000 * day });
		engine.time.offsetMs += 100 * day;
		const asked: string[] = [];
		const renewKeys = createRenewKeys({
			...engine,
			cohortKeyPeriodMs: 90 * day,
			keyRotation: {
				async renew(cohortId: string) {
					asked.push(cohortId);
					return { state: "gone" as const, rewrappedCount: 0 };
				},
			},
		});
		const count = () => asked.filter((id) => id === lost).length;
		await renewKeys();
		assert.ok(engine.errors.some((line) => line.includes("cohort_key_gone") && line.includes(lost)));
		assert.deepEqual(await engine.store.evidence.findAbout([lost]), []);
		await renewKeys();
		assert.equal(count(), 1, "not at each sweep");
		engine.time.offsetMs += limits.heldCohortCheckMs + 1;
		await renewKeys();
		assert.equal(count(), 2);
	});
});
