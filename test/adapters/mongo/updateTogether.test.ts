// Changes that are written together leave every document as its own change alone would have left it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import type { mongo } from "mongoose";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { type Change, type Update, updateTogether } from "../../../adapters/mongo/updateTogether.ts";

type Document = { _id: string } & Record<string, unknown>;

// What a store could take for an expression, a path or an operator is a value like any other.
const value = fc.oneof(
	fc.integer(),
	fc.string({ maxLength: 8 }),
	fc.constantFrom("$state", "$$ROOT", "a.b", "", null, true),
	fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
	fc.array(fc.constantFrom("$state", 1, "x"), { maxLength: 3 }),
	fc.record({ at: fc.integer(), code: fc.constantFrom("$code", "{}") }),
);

const update: fc.Arbitrary<Update> = fc.record({
	$set: fc.record(
		{
			state: value,
			attempts: fc.array(value, { maxLength: 2 }),
			"retention.content.erasedAt": value,
			"link.hash": value,
		},
		{ requiredKeys: ["state"] },
	),
	$unset: fc.subarray(["address", "retention.content.verifiedAt", "backlog"]),
	$push: fc.record(
		{
			tokens: fc.record({ $each: fc.array(value, { minLength: 1, maxLength: 2 }), $slice: fc.constantFrom(-1, -2) }),
			evidence: fc.record({ $each: fc.array(value, { maxLength: 3 }) }),
		},
		{ requiredKeys: ["tokens"] },
	),
	$min: fc.record({ unintegratedSince: fc.integer({ min: 0, max: 9 }) }, { requiredKeys: [] }),
});

const fields = fc.record(
	{
		attempt: fc.constantFrom(0, 1),
		tokens: fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 }),
		evidence: fc.array(value, { maxLength: 2 }),
		retention: fc.constant({ content: { verifiedAt: 5, erasedAt: 6 }, address: { eraseBy: 7 } }),
		unintegratedSince: fc.integer({ min: 0, max: 9 }),
		address: value,
	},
	{ requiredKeys: ["attempt"] },
);

describe("changes written together", () => {
	let connection: MongoConnection;
	let collection: mongo.Collection<{ _id: string }>;
	before(async () => {
		connection = await connectMongo({
			url: process.env.MONGODB_URL as string,
			database: `t${randomBytes(6).toString("hex")}`,
		});
		collection = connection.collection("documents") as unknown as typeof collection;
	});
	after(async () => {
		await connection.dropDatabase();
		await connection.close();
	});

	/** The documents once the changes are written, in as many writes as there are groups. */
	async function write(documents: Document[], groups: Change[][]): Promise<Document[]> {
		await collection.deleteMany({});
		await collection.insertMany(documents.map((document) => structuredClone(document)));
		for (const group of groups) await collection.bulkWrite(updateTogether(group), { ordered: false });
		const found = await collection.find({}, { promoteBuffers: true }).toArray();
		return documents.map(({ _id }) => found.find((document) => document._id === _id) as Document);
	}

	it("leave each document as its own change alone would have", async () => {
		const one = fc.record({ fields, update, isFromForm: fc.boolean() });
		const property = fc.asyncProperty(update, fc.array(one, { minLength: 2, maxLength: 12 }), async (form, all) => {
			const documents = all.map((of, index) => ({ _id: `d${index}`, ...of.fields }));
			const changes = all.map((of, index) => ({
				id: `d${index}`,
				conditions: { attempt: { $not: { $ne: 0 } } },
				update: of.isFromForm ? { ...form, $set: { ...form.$set, state: of.update.$set.state } } : of.update,
			}));
			const together = await write(documents, [changes]);
			const alone = await write(
				documents,
				changes.map((change) => [change]),
			);
			assert.deepEqual(together, alone);
		});
		await fc.assert(property, { numRuns: 60 });
	});

	it("take a write for each form, fifty with values of their own in each", () => {
		const change = (id: string, at: number): Change => ({
			id,
			conditions: {},
			update: { $set: { at }, $unset: [], $push: {}, $min: {} },
		});
		const many = Array.from({ length: 200 }, (_, index) => change(`d${index}`, index));
		assert.equal(updateTogether(many).length, 4);
		assert.equal(updateTogether(many.slice(0, 50)).length, 1);
		assert.equal(updateTogether(many.map(({ id }) => change(id, 1))).length, 1, "all alike");
		assert.equal(updateTogether([...many, { ...change("other", 1), conditions: { attempt: 1 } }]).length, 5);
	});
});
