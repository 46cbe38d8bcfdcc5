// An opt-out in the evidence log: who recorded or lifted it, and the recipient for what the recipient wrote alone.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { createOptOuts } from "../../api/optOuts.ts";
import { readRecipient } from "../../api/recipient.ts";
import { createSubjects } from "../../api/subjects.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { createTestApi, type TestApi } from "./harness.ts";

describe("whose act an opt-out is", () => {
	let api: TestApi;
	let tenant: TenantDocument;
	before(async () => {
		api = await createTestApi();
		const { tenantId } = await api.addTenant();
		tenant = (await api.store.tenants.find(tenantId)) as TenantDocument;
	});
	after(() => api.close());

	let numbers = 0;
	/** Who placed and who lifted one, by the log. */
	async function actsBy(recordedBy: string): Promise<unknown[]> {
		const { place, lift } = createOptOuts(api);
		const { number, ...recipient } = readRecipient(Plaintext.text(`+49151${10_000_000 + numbers++}`), "/number");
		const subject = await createSubjects(api).identify(tenant._id, number);
		const about = { tenant, recipient, subject, recordedBy };
		const { record } = await place({ ...about, scope: "all", source: "api", at: api.clock() - 1_000 });
		await lift(record, { at: api.clock(), recordedBy, source: "api" });
		const entries = await api.entries(record._id);
		return entries.filter(({ about }) => about === record._id).map(({ type, by }) => [type, by]);
	}

	for (const kind of ["apiKey", "person", "outsider"] as const) {
		it(`what a principal of the kind ${kind} recorded is theirs`, async () => {
			const by = api.ids.random(kind);
			assert.deepEqual(await actsBy(by), [
				["opt_out_recorded", by],
				["opt_out_lifted", by],
			]);
		});
	}

	it("what the engine wrote down is the recipient's", async () => {
		assert.deepEqual(await actsBy("engine"), [
			["opt_out_recorded", "recipient"],
			["opt_out_lifted", "recipient"],
		]);
	});
});
