// Passes of holds on a period or tenant over a real store: whoever was overtaken moves nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { createModels } from "../../../adapters/mongo/models.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { createWideHoldStore } from "../../../adapters/mongo/wideHolds.ts";
import { limits } from "../../../domain/limits.ts";
import type { HoldRecord } from "../../../domain/subject.ts";

describe("a pass of a hold on a tenant", () => {
	let connection: MongoConnection;
	let store: Store;
	before(async () => {
		connection = await connectMongo({
			url: process.env.MONGODB_URL as string,
			database: `t${randomBytes(6).toString("hex")}`,
		});
		store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
	});
	after(async () => {
		await connection.dropDatabase();
		await store.close();
	});

	it("that another process has ended meanwhile is not begun anew by who was overtaken on its first page", async () => {
		const models = createModels(connection);
		const at = 1_000_000;
		const record: HoldRecord = {
			...{ _id: "hld_a", kind: "hold", tenantId: "ten_a", scope: "tenant", ground: "litigation" },
			...{ subjects: ["ten_a"], source: "api", at, recordedAt: at, recordedBy: "key", passes: 1 },
		};
		await store.subjectRecords.insert(record);
		const count = limits.holdPageItems + 1;
		const stored = Array.from({ length: count }, (_, index) => ({
			...{ _id: `msg_${index}`, tenantId: "ten_a", acceptedAt: at + index, holds: [] },
		}));
		await models.messages.collection.insertMany(stored as never);

		const records = models.subjectRecords.collection;
		let tries = 0;
		const late = createWideHoldStore({
			...models,
			subjectRecords: {
				collection: {
					async updateOne(...args: Parameters<typeof records.updateOne>) {
						// While it was about to note its first page, the others went through all of them; then it dies.
						if (++tries > 1) throw new Error("died");
						assert.equal(await store.wideHolds.apply(record, at + count), true);
						return records.updateOne(...args);
					},
				},
			},
		} as never);
		await late.apply(record, at + count).catch(() => undefined);

		const { passes, place } = (await store.subjectRecords.find(record._id)) as HoldRecord;
		// From a place in it, the last pass would begin before the hold has settled, and leave out what is newest.
		assert.deepEqual({ passes, place }, { passes: 2, place: undefined });
	});
});
