// A cohort's key made new, against a real Vault: what it wraps is wrapped anew, and the old version opens nothing any more.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { createKeyRotation } from "../../adapters/keyRotation.ts";
import { createCohortKeys } from "../../adapters/vault/cohortKeys.ts";
import { createKeyVersions } from "../../adapters/vault/keyVersions.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { freshId, login, statusOf, type VaultClient } from "./vault/helper.ts";

type Row = { _id: string; cohortId: string; wrapped: string };

describe("a cohort key's rotation", () => {
	let api: ReturnType<typeof createCohortKeys>;
	let sender: ReturnType<typeof createCohortKeys>;
	let rewrapper: VaultClient;
	before(async () => {
		api = createCohortKeys({ vault: await login("api") });
		sender = createCohortKeys({ vault: await login("sender") });
		rewrapper = await login("rewrapper");
	});

	async function setUp(count: number) {
		const cohortId = freshId("cohort");
		await api.createCohortKey(cohortId);
		const rows: Row[] = [];
		const plains = new Map<string, string>();
		const draw = async () => {
			const { plain, wrapped } = await api.drawWrappingKey(cohortId);
			const row = { _id: freshId("wrappingKey"), cohortId, wrapped };
			plains.set(row._id, plain.toString("hex"));
			return row;
		};
		for (let drawn = 0; drawn < count; drawn++) rows.push(await draw());
		const time = { offsetMs: 0, writes: 0, writesMax: Number.POSITIVE_INFINITY };
		const rotation = createKeyRotation({
			keyVersions: createKeyVersions({ vault: rewrapper }),
			wrappingKeys: {
				findByCohort: async (id) => rows.filter((row) => row.cohortId === id),
				async replaceWrapped(changes) {
					if (++time.writes > time.writesMax) throw new LetheError("store_unavailable");
					for (const { id, from, to } of changes) {
						const row = rows.find(({ _id, wrapped }) => _id === id && wrapped === from);
						if (row) row.wrapped = to;
					}
				},
			},
			clock: () => Date.now() + time.offsetMs,
		});
		const opensAll = async () => {
			for (const { _id, wrapped } of rows) {
				assert.equal((await sender.unwrapWrappingKey(cohortId, wrapped)).toString("hex"), plains.get(_id));
			}
		};
		return { cohortId, rows, draw, time, rotation, opensAll };
	}
	const always = Number.MAX_SAFE_INTEGER;
	const never = Number.NEGATIVE_INFINITY;

	it("wraps every wrapping key anew, lets the old version rest, then ends it: a copy of before opens nothing", async () => {
		const { cohortId, rows, time, rotation, opensAll } = await setUp(3);
		const old = rows.map(({ wrapped }) => wrapped);
		assert.deepEqual(await rotation.renew(cohortId, always), { state: "resting", rewrappedCount: 3 });
		assert.ok(rows.every(({ wrapped }) => wrapped.startsWith("vault:v2:")));
		await opensAll();
		assert.deepEqual(await rotation.renew(cohortId, never), { state: "resting", rewrappedCount: 0 });
		await sender.unwrapWrappingKey(cohortId, old[0] as string);
		time.offsetMs = limits.keyRestMs + 2_000;
		assert.deepEqual(await rotation.renew(cohortId, never), { state: "done", rewrappedCount: 0 });
		await opensAll();
		for (const wrapped of old) await assert.rejects(sender.unwrapWrappingKey(cohortId, wrapped), LetheError);
		const reopen = { min_decryption_version: 1 };
		const letIn = () => rewrapper.write(`transit/keys/cohort-${cohortId}/config`, reopen);
		assert.equal(await statusOf(letIn), 400, "nor does whoever may set versions bring it back");
	});

	it("a key that is young enough is left alone, and one that is destroyed is gone", async () => {
		const { cohortId, rows, rotation } = await setUp(1);
		const old = structuredClone(rows);
		assert.deepEqual(await rotation.renew(cohortId, Date.now() - 3600_000), { state: "done", rewrappedCount: 0 });
		assert.deepEqual(rows, old);
		assert.deepEqual(await rotation.renew(freshId("cohort"), always), { state: "gone", rewrappedCount: 0 });
	});

	it("stopped half way it goes on with what is left, and what was drawn just before is never shut out", async () => {
		const { cohortId, rows, draw, time, rotation, opensAll } = await setUp(limits.rewrapPageItems + 5);
		const late = await draw();
		time.writesMax = 1;
		await assert.rejects(
			rotation.renew(cohortId, always),
			(error) => (error as LetheError).code === "store_unavailable",
		);
		time.writesMax = Number.POSITIVE_INFINITY;
		assert.equal((await rotation.renew(cohortId, never)).rewrappedCount, 5);
		// Drawn under the old version, stored only now.
		rows.push(late);
		time.offsetMs = limits.keyRestMs + 2_000;
		assert.deepEqual(await rotation.renew(cohortId, never), { state: "resting", rewrappedCount: 1 });
		assert.deepEqual(await rotation.renew(cohortId, never), { state: "done", rewrappedCount: 0 });
		await opensAll();
	});
});
