// What is noted of a key's use, by several at once and in a real store: nobody's note undoes another's.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import type { ApiKeyDocument } from "../../../adapters/mongo/models.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { createWatch } from "../../../api/authenticators/watch.ts";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";

describe("the networks that a key came from", () => {
	let connection: MongoConnection;
	let store: Store;
	before(async () => {
		const database = `t${randomBytes(6).toString("hex")}`;
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock: () => 1_000, randomToken: () => "token" });
		await store.prepare();
	});
	after(async () => {
		await connection.dropDatabase();
		await store.close();
	});
	/** As another process has it. `version`: of the key that networks are hashed by. */
	const watch = (version = 1) => {
		const macs = async (_: unknown, __: unknown, text: unknown) => {
			const live = Array.from({ length: version }, (_, index) => version - index).map((one) => ({
				...{ version: one, mac: `${one}.${text}` },
			}));
			return { toStore: live[0], live, others: live.slice(1) };
		};
		return createWatch({
			clock: () => 1_000,
			hmac: { macs },
			evidence: { append: async () => undefined },
			log: { warn: () => undefined },
			metrics: { countCredentialAlert: () => undefined },
			store,
		} as never);
	};
	const make = async (seenFrom: string[]) => {
		const _id = `key_${randomBytes(6).toString("hex")}`;
		const key: ApiKeyDocument = {
			...{ _id, tenantId: "ten_a", roles: [], secrets: [], name: "key", createdAt: 1, createdBy: "admin", seenFrom },
		};
		await store.apiKeys.insert(key);
		return key;
	};
	const networksOf = async ({ _id }: ApiKeyDocument) =>
		((await store.apiKeys.find(_id))?.seenFrom ?? []).map((mac) => mac.replace(`from\n${_id}\n`, ""));

	it("are all known when it comes from several at once, wherever each is noted", async () => {
		const key = await make([]);
		const [here, there] = [watch(), watch()];
		await Promise.all([
			here.noteUse(key, "198.51.100.1", "req_a"),
			here.noteUse(key, "203.0.113.1", "req_b"),
			there.noteUse(key, "192.0.2.1", "req_c"),
			there.noteUse(key, "198.51.100.1", "req_d"),
		]);
		await until(async () => (await networksOf(key)).length === 3);
		assert.equal((await store.apiKeys.find(key._id))?.lastUsedAt, 1_000);
	});

	it("are kept under the newest version of the hash's key, the newest so many", async () => {
		const key = await make([]);
		await watch(1).noteUse(key, "192.0.2.1", "req_a");
		const [known] = await until(async () => ((await networksOf(key)).length === 1 ? networksOf(key) : undefined));
		await watch(2).noteUse((await store.apiKeys.find(key._id)) as ApiKeyDocument, "192.0.2.1", "req_b");
		await until(async () => (await networksOf(key))[0] === known?.replace(/^1/, "2"));
		assert.equal((await networksOf(key)).length, 1);
		const many = await make(Array.from({ length: limits.networksSeenMax }, (_, index) => `1.other${index}`));
		await watch().noteUse(many, "192.0.2.1", "req_c");
		await until(async () => (await networksOf(many)).at(-1) === known);
		assert.equal((await networksOf(many)).length, limits.networksSeenMax);
	});
});
