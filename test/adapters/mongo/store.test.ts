// The store against a real server: acceptance is one insert, changes lose races quietly, and every query has its index.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import mongoose from "mongoose";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { indexes } from "../../../adapters/mongo/models.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { redactionKey, redactionsDue } from "../../../domain/carrierCopy.ts";
import { LetheError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { cancel, hold } from "../../../domain/transition.ts";
import { messageOf } from "../../harness/message.ts";
import { spoilArchive } from "../../harness/spoilArchive.ts";

/** Stands between a client and the server, and can let a command through but not its answer. */
async function startProxy(target: URL) {
	let cut: string | undefined;
	const sockets = new Set<Socket>();
	const server = createServer((client) => {
		const upstream = connect(Number(target.port), target.hostname);
		let isCut = false;
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.on("error", () => undefined);
			socket.on("close", () => [client, upstream].map((one) => one.destroy()));
		}
		client.on("data", (chunk) => {
			isCut ||= cut !== undefined && chunk.includes(cut);
			upstream.write(chunk);
		});
		upstream.on("data", (chunk) => (isCut ? client.destroy() : client.write(chunk)));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = new URL(target);
	url.port = String((server.address() as AddressInfo).port);
	return {
		url: url.href,
		cutAfter(command: string): void {
			cut = command;
		},
		close(): void {
			server.close();
			for (const socket of sockets) socket.destroy();
		},
	};
}

describe("store", () => {
	let connection: MongoConnection;
	let store: Store;
	const deps = { clock: () => 1_000, randomToken: () => randomBytes(9).toString("base64url") };
	before(async () => {
		const database = `t${randomBytes(6).toString("hex")}`;
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, deps);
		await store.prepare();
	});
	after(async () => {
		await connection.dropDatabase();
		await store.close();
	});
	const id = () => `msg_${randomBytes(8).toString("hex")}`;

	it("accepts an id once, among many inserted together", async () => {
		const twice = id();
		const ids = [id(), twice, id(), twice, id()];
		const answers = await Promise.all(ids.map((_id) => store.messages.insert(messageOf({ id: _id }))));
		assert.equal(answers.filter((answer) => answer === "inserted").length, 4);
		assert.equal(answers.filter((answer) => answer === "duplicate").length, 1);
		for (const _id of ids) assert.ok(await store.messages.find(_id));
	});

	it("writes journaled to a majority and reads what was written, whatever its URL asks for", async () => {
		const url = new URL(process.env.MONGODB_URL as string);
		const asked = { readPreference: "secondaryPreferred", maxStalenessSeconds: "120", w: "1", journal: "false" };
		for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
		const mine = await connectMongo({ url: url.href, database: connection.name });
		const { readPreference, writeConcern } = mine.getClient().options;
		await mine.close();
		assert.equal(readPreference.mode, "primary");
		assert.equal(writeConcern?.w, "majority");
		assert.equal(writeConcern?.j, true);
	});

	it("what waits for its batch until it is late is not written, and its neighbours are", async () => {
		const mine = await connectMongo({ url: process.env.MONGODB_URL as string, database: connection.name });
		const time = { now: 1_000 };
		const myStore = createStore(mine, { ...deps, clock: () => time.now });
		const collection = mine.models.messages?.collection as unknown as {
			insertMany: (...args: unknown[]) => Promise<unknown>;
		};
		const insertMany = collection.insertMany.bind(collection);
		const slow = Promise.withResolvers<void>();
		const underWay = Promise.withResolvers<void>();
		let batches = 0;
		collection.insertMany = async (...args) => {
			if (++batches === 2) underWay.resolve();
			await slow.promise;
			return insertMany(...args);
		};
		const insertMuch = () => Array.from({ length: 100 }, () => myStore.messages.insert(messageOf({ id: id() }), 2_000));
		const first = [...insertMuch(), ...insertMuch()];
		await underWay.promise;
		const [late, inTime] = [id(), id()];
		const waiting = [
			myStore.messages.insert(messageOf({ id: late }), 2_000),
			myStore.messages.insert(messageOf({ id: inTime }), 2_001),
		];
		time.now = 2_001;
		slow.resolve();
		assert.deepEqual(new Set(await Promise.all(first)), new Set(["inserted"]));
		assert.deepEqual(await Promise.all(waiting), ["late", "inserted"]);
		assert.equal(await store.messages.find(late), undefined);
		assert.ok(await store.messages.find(inTime));
		await mine.close();
	});

	it("of many changes from the same state exactly one takes effect, within a batch and across two stores", async () => {
		const other = createStore(connection, deps);
		for (let round = 0; round < 10; round++) {
			const _id = id();
			await store.messages.insert(messageOf({ id: _id, state: "queued" }));
			const change = { id: _id, to: "sending", from: ["queued"] } as const;
			const answers = await Promise.all([
				...Array.from({ length: 5 }, () => store.messages.transition(change)),
				...Array.from({ length: 5 }, () => other.messages.transition(change)),
			]);
			assert.equal(answers.filter(Boolean).length, 1);
		}
	});

	it("in one batch each change learns its own fate", async () => {
		const ids = Array.from({ length: 50 }, id);
		await Promise.all(
			ids.map((_id, index) => store.messages.insert(messageOf({ id: _id, state: index % 3 ? "queued" : "delivered" }))),
		);
		const answers = await Promise.all(
			ids.map((_id) => store.messages.transition({ id: _id, to: "sending", from: ["queued"] })),
		);
		assert.deepEqual(
			answers,
			ids.map((_, index) => index % 3 !== 0),
		);
	});

	it("of two senders that claim the same messages together each message has one, and its neighbours' fates change nothing", async () => {
		const other = createStore(connection, deps);
		for (let round = 0; round < 10; round++) {
			const ids = Array.from({ length: 20 }, id);
			// Every fourth was cancelled, every fifth is at its second attempt by now.
			const stateOf = (index: number) => (index % 4 === 3 ? "cancelled" : "queued");
			const attemptOf = (index: number) => (index % 5 === 4 ? 1 : 0);
			await Promise.all(
				ids.map((_id, index) =>
					store.messages.insert(
						messageOf({ id: _id, state: stateOf(index), attempt: attemptOf(index), deadlineAt: 2_000 }),
					),
				),
			);
			const claim = ({ messages }: Store) =>
				Promise.all(
					ids.map((messageId, index) =>
						messages.claim({ messageId, attempt: attemptOf(index) + 1, sendQueue: "queue" }),
					),
				);
			const claims = await Promise.all([claim(store), claim(other)]);
			for (const [index, _id] of ids.entries()) {
				const winners = claims.map((taken) => taken[index]).filter((taken) => taken !== undefined);
				assert.equal(winners.length, stateOf(index) === "queued" ? 1 : 0, `message ${index}`);
				const stored = await store.messages.find(_id);
				assert.deepEqual(winners[0]?.attempts, winners[0] && stored?.attempts, "who has it knows its claim");
				assert.equal(stored?.attempts.length, attemptOf(index) + winners.length);
			}
		}
	});

	it("a claim that another sender's overwrote before it was read is nobody's here", async () => {
		const mine = await connectMongo({ url: process.env.MONGODB_URL as string, database: connection.name });
		const myStore = createStore(mine, deps);
		const _id = id();
		await store.messages.insert(messageOf({ id: _id, state: "queued", deadlineAt: 2_000 }));
		const collection = mine.models.messages?.collection as unknown as { bulkWrite: (...args: unknown[]) => unknown };
		const bulkWrite = collection.bulkWrite.bind(collection);
		collection.bulkWrite = async (...args) => {
			const result = await bulkWrite(...args);
			await store.messages.transition({ id: _id, to: "queued", from: ["sending"] });
			assert.ok(await store.messages.claim({ messageId: _id, attempt: 2, sendQueue: "queue" }));
			return result;
		};
		assert.equal(await myStore.messages.claim({ messageId: _id, attempt: 1, sendQueue: "queue" }), undefined);
		await mine.close();
	});

	it("a change is known to have taken effect though another writer came before the re-reading", async () => {
		const mine = await connectMongo({ url: process.env.MONGODB_URL as string, database: connection.name });
		const myStore = createStore(mine, deps);
		const [won, lost] = [id(), id()];
		await store.messages.insert(messageOf({ id: won, state: "queued" }));
		await store.messages.insert(messageOf({ id: lost, state: "delivered" }));
		const collection = mine.models.messages?.collection as unknown as { bulkWrite: (...args: unknown[]) => unknown };
		const bulkWrite = collection.bulkWrite.bind(collection);
		collection.bulkWrite = async (...args) => {
			const result = await bulkWrite(...args);
			for (const stateAt of [1, 2]) await store.messages.transition({ id: won, set: { stateAt } });
			return result;
		};
		const take = (messageId: string) => ({ id: messageId, to: "sending", from: ["queued"] }) as const;
		const answers = await Promise.all([won, lost].map((messageId) => myStore.messages.transition(take(messageId))));
		assert.deepEqual(answers, [true, false]);
		await mine.close();
	});

	it("a hold takes none of a message's others away, however many it bears", async () => {
		const message = messageOf({
			id: id(),
			state: "queued",
			holds: Array.from({ length: 200 }, (_, at) => `hold_${at}`),
		});
		await store.messages.insert(message);
		assert.equal(await store.messages.transition(hold(message, "hold_more")), true);
		assert.equal(await store.messages.transition(hold(message, "hold_more")), false, "once");
		assert.deepEqual((await store.messages.find(message._id))?.holds, [...message.holds, "hold_more"]);
	});

	it("a key is found by its id and by no operator, whoever says what that id is", async () => {
		const key = {
			_id: "key_found",
			tenantId: "t",
			secrets: [],
			roles: [],
			name: "n",
			createdAt: 1,
			createdBy: "admin",
		};
		await store.apiKeys.insert(key);
		assert.deepEqual(await store.apiKeys.find(key._id), key);
		for (const id of [{ $regex: "^key_" }, { $ne: null }, { $in: [key._id] }]) {
			assert.equal(await store.apiKeys.find(id as never), undefined);
		}
	});

	it("of a tenant's cohorts those whose key is there are found, so many at most, and those of a hold last", async () => {
		const place = { region: "US", retentionClass: "c", dueAt: 9, createdAt: 1, keyMadeAt: 1, certificates: [] };
		const add = (_id: string, state: "open" | "closing" | "destroyed", more: object = {}) =>
			store.cohorts.open({ _id, tenantId: "ten_a", state, ...place, ...more });
		await add("coh_a", "open", { holdId: "hold_a" });
		for (const _id of ["coh_b", "coh_c"]) await add(_id, "open");
		await add("coh_d", "destroyed");
		await add("coh_e", "closing");
		await add("coh_f", "open", { tenantId: "ten_b" });
		const idsOf = async (itemsMax: number) =>
			(await store.cohorts.findStanding("ten_a", itemsMax)).map(({ _id }) => _id).sort();
		assert.deepEqual(await idsOf(2), ["coh_b", "coh_c", "coh_e"]);
		assert.deepEqual(await idsOf(9), ["coh_a", "coh_b", "coh_c", "coh_e"]);
	});

	it("every index that a query needs exists, and none besides", async () => {
		for (const [name, expected] of Object.entries(indexes)) {
			const found = await connection.collection(name).indexes();
			const keys = found.map((index) => JSON.stringify(index.key)).filter((key) => key !== '{"_id":1}');
			assert.deepEqual(keys.toSorted(), expected.map((key) => JSON.stringify(key)).toSorted(), name);
		}
	});

	it("every query walks an index, never the collection", async () => {
		const queries: [Record<string, unknown>, Record<string, 1 | -1>?, string?][] = [
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }],
			[{ submissionId: { $in: ["s"] } }],
			[{ submissionId: "s", group: { $in: [0, 1] } }],
			[{ submissionId: "s", group: 0, state: { $in: ["queued"] } }],
			[{ "attempts.carrierId": { $in: ["c"] } }],
			[{ tenantId: "t" }, { acceptedAt: -1, _id: -1 }],
			[
				{ tenantId: "t", acceptedAt: { $lte: 1 } },
				{ acceptedAt: -1, _id: -1 },
			],
			[{ "content.cohortId": "c" }],
			[{ holdId: "h" }, undefined, "cohorts"],
			[{ state: "open", dueAt: { $lte: 1 } }, { dueAt: 1 }, "cohorts"],
			[{ state: "open", keyMadeAt: { $lte: 1 } }, { keyMadeAt: 1 }, "cohorts"],
			[{ cohortId: "c" }, undefined, "purgePages"],
			[{ "address.cohortId": "c" }],
			[{ "subject.mac": { $in: ["m", "n"] } }],
			[{ "subject.others": { $in: ["m", "n"] } }],
			[{ "subject.mac": "m", category: "marketing" }, { acceptedAt: -1 }],
			[{ "subject.mac": "m", category: "marketing", acceptedAt: { $gt: 1 } }],
			[{ "subject.mac": "m", category: "otp", acceptedAt: { $lt: 1 } }, { acceptedAt: -1 }],
			[{ "subject.others": "m", category: "otp", acceptedAt: { $lt: 1 } }, { acceptedAt: -1 }],
			[{ tenantId: "t" }, { recordedAt: -1, _id: -1 }, "subjectRequests"],
			[{ tenantId: "t", state: "received" }, { recordedAt: 1 }, "subjectRequests"],
			[{ tenantId: "t", "erasure.recheckAt": { $gt: 1 } }, undefined, "subjectRequests"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "subjectRequests"],
			[{ requestId: "r" }, undefined, "subjectExports"],
			[{ eraseBy: { $lte: 1 } }, undefined, "subjectExports"],
			[{ exportId: "e" }, undefined, "subjectExportPages"],
			[{ eraseBy: { $lte: 1 } }, undefined, "subjectExportPages"],
			[{ subjects: { $in: ["m", "n"] } }, undefined, "subjectRecords"],
			[{ tenantId: "t", kind: "consent" }, { recordedAt: -1, _id: -1 }, "subjectRecords"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "subjectRecords"],
			[{ awaits: "t" }, undefined, "subjectRecords"],
			[{ tenantId: "t", kind: "hold" }, { recordedAt: -1, _id: -1 }, "subjectRecords"],
			[{ carrierId: { $in: ["c"] } }, undefined, "parkedReceipts"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "parkedReceipts"],
			[{ eraseBy: { $lte: 1 } }, undefined, "parkedReceipts"],
			[{ tenantId: "t", about: "sub_a" }, { issuedAt: -1, _id: -1 }, "certificates"],
			[{ tenantId: "t" }, { createdAt: -1, _id: -1 }, "templates"],
			[{ sendQueues: "q" }, undefined, "tenants"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "tenants"],
			[{ tenantId: "t" }, undefined, "cohorts"],
			[{ tenantId: "t", state: "open" }, { holdId: 1 }, "cohorts"],
			[{ at: { $gte: 0 } }, { at: 1 }, "ledgerWaiting"],
			[{ tenantId: "t" }, { createdAt: -1, _id: -1 }, "apiKeys"],
			[{ "secrets.mac": { $in: ["m", "n"] } }, undefined, "apiKeys"],
			[{ eraseBy: { $lte: 1 } }, undefined, "spentProofs"],
			[{ tenantId: "t" }, undefined, "spending"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "spending"],
			[{ tenantId: "t" }, undefined, "issuers"],
			[{ tenantId: "t" }, undefined, "identityProviders"],
			[{ tenantId: "t" }, { createdAt: -1, _id: -1 }, "people"],
			[{ "enrolment.mac": { $in: ["m", "n"] } }, undefined, "people"],
			[{ "sso.mac": { $in: ["m", "n"] } }, undefined, "people"],
			[{ mac: { $in: ["m", "n"] } }, undefined, "personLogins"],
			[{ personId: "p" }, undefined, "personLogins"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "policyProposals"],
			[{ state: "published" }, { createdAt: -1, _id: -1 }, "policyProposals"],
			[{}, { createdAt: -1, _id: -1 }, "policyProposals"],
			[{}, { sequence: -1 }, "policyRetimings"],
			[{ unintegratedSince: { $lte: 1 } }, { unintegratedSince: 1 }],
			[{ notifyAt: { $lte: 1 } }, { notifyAt: 1 }],
			[{ nextCheckAt: { $gt: 0 } }],
			[{ "link.hash": "h" }],
			[{ tenantId: "t" }, undefined, "templates"],
			[{ tenantId: "t", name: "n" }, undefined, "templates"],
			[{ tenantId: "t" }, undefined, "webhookEndpoints"],
			[{ tenantId: "t" }, { createdAt: -1, _id: -1 }, "webhookEndpoints"],
			[{ ids: "v" }, undefined, "verifications"],
			[{ tenantId: "t" }, undefined, "verifications"],
			[{ nextCheckAt: { $lte: 1 } }, { nextCheckAt: 1 }, "verifications"],
			[{ state: "disabled" }, undefined, "webhookEndpoints"],
			[{ nextAt: { $lte: 1 } }, { nextAt: 1 }, "webhookDeliveries"],
			[{ "event.messageId": { $in: ["m", "n"] } }, undefined, "webhookDeliveries"],
			[{ endpointId: "e" }, { at: -1, _id: -1 }, "webhookDeliveries"],
			[{ endpointId: "e", at: { $gte: 1 } }, { at: 1, _id: 1 }, "webhookDeliveries"],
			[{ endpointId: "e" }, undefined, "webhookDeliveries"],
			[{ eraseBy: { $lte: 1 } }, undefined, "webhookDeliveries"],
			[{ backlog: { $gt: "q/normal/t/", $lt: "q/normal/t0" } }, { backlog: 1 }],
			[{ redaction: { $gt: "q/", $lt: "q/0mgp" } }, { redaction: 1 }],
			[{}, { start: -1 }, "evidenceBundles"],
			[{ start: { $lte: 7 } }, { start: -1 }, "evidenceBundles"],
			[{ start: { $gt: 7 } }, { start: 1 }, "evidenceBundles"],
			[{ about: { $in: ["msg_a", "msg_b"] } }, undefined, "evidenceBundles"],
			[{ about: "msg_a", start: { $lte: 7 } }, { start: -1 }, "evidenceBundles"],
			[{ tenants: "t", start: { $lte: 7 } }, { start: -1 }, "evidenceBundles"],
			[{ at: { $gte: 1 } }, { at: 1, start: 1 }, "evidenceBundles"],
		];
		for (const [filter, sort, name = "messages"] of queries) {
			const found = connection.collection(name).find(filter, { ...(sort && { sort }) });
			const plan = JSON.stringify(await found.explain("queryPlanner"));
			assert.ok(plan.includes("IXSCAN"), `${JSON.stringify(filter)}: ${plan.slice(0, 300)}`);
		}
		const due = [
			{ $match: { nextAt: { $lte: 1 } } },
			{ $sort: { nextAt: 1 } },
			{ $match: { endpointId: { $nin: ["e"] }, tenantId: { $nin: ["t"] } } },
		];
		const plan = JSON.stringify(
			await connection.collection("webhookDeliveries").aggregate(due).explain("queryPlanner"),
		);
		assert.ok(plan.includes("IXSCAN"), plan.slice(0, 300));
	});

	it("every write asks for a majority and for the journal", async () => {
		const url = `${process.env.MONGODB_URL}&monitorCommands=true`;
		const watched = await connectMongo({ url, database: connection.name });
		const seen = new Map<string, unknown[]>();
		watched.getClient().on("commandStarted", ({ commandName, command }) => {
			if (!["insert", "update", "delete"].includes(commandName)) return;
			seen.set(commandName, [...(seen.get(commandName) ?? []), command.writeConcern]);
		});
		const watchedStore = createStore(watched, deps);
		const _id = id();
		await watchedStore.messages.insert(messageOf({ id: _id, state: "queued" }));
		await watchedStore.messages.transition({ id: _id, to: "sending" });
		await watchedStore.cohorts.set("coh_x", { certificates: [] });
		await watchedStore.wrappingKeys.insert({ _id, cohortId: "coh_x", wrapped: "vault:v1:x", createdAt: 1 });
		await watchedStore.wrappingKeys.deleteByCohort("coh_x");
		await watched.close();
		assert.deepEqual([...seen.keys()].sort(), ["delete", "insert", "update"]);
		for (const [name, concerns] of seen) {
			for (const concern of concerns as { w: unknown; j: unknown }[]) {
				assert.deepEqual([concern?.w, concern?.j], ["majority", true], name);
			}
		}
	});

	it("those that ask of one group at once share one look", async () => {
		const watched = await connectMongo({
			url: `${process.env.MONGODB_URL}&monitorCommands=true`,
			database: connection.name,
		});
		const looks: unknown[] = [];
		watched.getClient().on("commandStarted", ({ commandName, command }) => {
			if (commandName === "find") looks.push(command.filter.group);
		});
		const { messages } = createStore(watched, deps);
		const submissionId = id();
		await messages.insert({ ...messageOf({ id: id(), state: "queued" }), submissionId, group: 1 });
		await messages.insert({ ...messageOf({ id: id(), state: "delivered" }), submissionId, group: 2 });
		const asked = [1, 2, 1, 1, 2, 3];
		const open = await Promise.all(asked.map((group) => messages.isGroupOpen(submissionId, group)));
		await watched.close();
		assert.deepEqual(open, [true, false, true, true, false, false]);
		assert.deepEqual(looks.sort(), [1, 2, 3]);
	});

	it("groups that are asked for at once share one read a submission, each of its own messages only", async () => {
		const watched = await connectMongo({
			url: `${process.env.MONGODB_URL}&monitorCommands=true`,
			database: connection.name,
		});
		const read: number[] = [];
		watched.getClient().on("commandSucceeded", ({ commandName, reply }) => {
			if (commandName === "find") read.push((reply as { cursor: { firstBatch: unknown[] } }).cursor.firstBatch.length);
		});
		const { messages } = createStore(watched, deps);
		const of = async (submissionId: string, group: number) => {
			const message = { ...messageOf({ id: id(), state: "queued" }), submissionId, group };
			await messages.insert(message);
			return message._id;
		};
		const [one, other] = [id(), id()];
		const expected = [[await of(one, 1), await of(one, 1)], [await of(one, 2)], [await of(other, 1)], []];
		for (let group = 3; group < 9; group++) await of(one, group);
		const asked = [
			[one, 1],
			[one, 2],
			[other, 1],
			[other, 2],
		] as const;
		const found = await Promise.all(asked.map(([submissionId, group]) => messages.findGroup(submissionId, group)));
		await watched.close();
		assert.deepEqual(
			found.map((some) => some.map(({ _id }) => _id).toSorted()),
			expected.map((ids) => ids.toSorted()),
		);
		assert.deepEqual(read.toSorted(), [1, 3]);
	});

	it("of many changes that erase, a tenant's holds are asked for once a second", async () => {
		const watched = await connectMongo({
			url: `${process.env.MONGODB_URL}&monitorCommands=true`,
			database: connection.name,
		});
		const looks: unknown[] = [];
		watched.getClient().on("commandStarted", ({ commandName, command }) => {
			if (commandName === "find" && command.find === "subjectRecords") looks.push(command.filter.subjects.$in);
		});
		const time = { now: 1_000 };
		const { messages } = createStore(watched, { ...deps, clock: () => time.now });
		const endSome = async () => {
			const some = ["ten_a", "ten_b", "ten_a"].map((tenantId) => messageOf({ id: id(), state: "queued", tenantId }));
			await Promise.all(some.map((message) => messages.insert(message)));
			await Promise.all(some.map((message) => messages.transition(cancel(message, 1))));
		};
		for (let times = 0; times < 3; times++) await endSome();
		const before = looks.length;
		time.now += limits.holdSeenMs;
		await endSome();
		await watched.close();
		assert.equal(before, 1);
		assert.deepEqual(looks, [
			["ten_a", "ten_b"],
			["ten_a", "ten_b"],
		]);
	});

	describe("a document that the store can't change, or nobody can read,", () => {
		const raw = () => connection.collection<{ _id: string }>("messages");
		const settle = (calls: Promise<unknown>[]) => Promise.allSettled(calls);
		const insertSome = async (count: number) => {
			const ids = Array.from({ length: count }, id);
			await Promise.all(ids.map((_id) => store.messages.insert(messageOf({ id: _id, state: "queued" }))));
			return ids;
		};

		it("fails its own caller, and no other whose change was written with it", async () => {
			for (const change of ["transition", "take"] as const) {
				const ids = await insertSome(60);
				await raw().updateOne({ _id: ids[7] as string }, { $set: { receipts: "none" } });
				const results = await settle(
					ids.map((one, index) => store.messages[change]({ id: one, push: { receipts: { value: { at: index } } } })),
				);
				const failed = results.flatMap(({ status }, index) => (status === "rejected" ? [index] : []));
				assert.deepEqual(failed, [7], change);
				const [failure] = results.filter((result) => result.status === "rejected");
				assert.equal(failure?.reason.code, "store_unavailable");
				assert.ok(results.every((result) => result.status === "rejected" || Boolean(result.value)));
				for (const [index, one] of ids.entries()) {
					if (index !== 7) assert.equal((await store.messages.find(one))?.receipts.length, 1, "once");
				}
			}
		});

		it("fails whoever asks for it, and no other who asks at the same time", async () => {
			const { messages } = store;
			for (const name of ["broken", "sound"]) {
				const message = messageOf({ id: id(), submissionId: name, state: "delivered", attempt: 1, carrierId: name });
				await messages.insert(message);
				if (name === "broken") await spoilArchive(connection, message);
			}
			const questions = {
				findByCarrierId: (name: string) => messages.findByCarrierId("queue", name),
				findBySubmission: messages.findBySubmission,
				findGroup: (name: string) => messages.findGroup(name, 0),
			};
			for (const [name, ask] of Object.entries(questions)) {
				const [lost, found] = await settle([ask("broken"), ask("sound")]);
				assert.equal(lost?.status, "rejected", name);
				assert.ok(found?.status === "fulfilled" && [found.value].flat().length === 1, name);
			}
			await raw().deleteMany({ submissionId: { $in: ["broken", "sound"] } } as never);
		});

		it("is gone past by a list, and so are a hundred; more fail it: it does not read all that is stored", async () => {
			const shape = { tenantId: "ten_broken", state: "delivered" } as const;
			const sound = messageOf({ ...shape, id: id(), acceptedAt: 1 });
			const broken = Array.from({ length: limits.unreadableItems + 1 }, id);
			await store.messages.insert(sound);
			await Promise.all(
				broken.map((_id, index) => store.messages.insert(messageOf({ ...shape, id: _id, acceptedAt: 2 + index }))),
			);
			await raw().updateMany({ _id: { $in: broken } }, { $set: { archive: Buffer.from("none") } });
			const list = async () => (await store.messages.shownPage(shape.tenantId, 1)).map(({ _id }) => _id);
			// Those that are set aside count as well.
			for (const _ of [1, 2]) await assert.rejects(list, { code: "store_unavailable" });
			assert.equal((await store.messages.findUnreadable(500)).length, broken.length, "they are told all the same");
			await raw().deleteOne({ _id: broken[0] as string });
			assert.deepEqual(await list(), [sound._id]);
			await raw().deleteMany({ tenantId: shape.tenantId } as never);
		});

		it("is set aside, so that it keeps no other waiting, is told, and is tried again", async () => {
			const [broken = "", sound = ""] = await insertSome(2);
			const due = { nextCheckAt: 5, notifyAt: 5, unintegratedSince: 5, redaction: redactionKey("aside", 5) };
			await raw().updateOne({ _id: broken }, { $set: { archive: Buffer.from("none") } });
			const [lost, found] = await settle([store.messages.find(broken), store.messages.find(sound)]);
			assert.deepEqual([lost?.status, found?.status], ["rejected", "fulfilled"]);
			const { messages } = store;
			const finders = {
				notifyAt: () => messages.findNotifying(10, 500),
				unintegratedSince: () => messages.findUnintegrated(10, 500),
				redaction: () => messages.findRedactions(redactionsDue("aside", 10), 500),
				nextCheckAt: () => messages.findDue(10, 500),
			};
			for (const [field, find] of Object.entries(finders)) {
				await raw().updateMany({ _id: { $in: [broken, sound] } }, { $set: due });
				for (const first of [true, false]) {
					const ids = (await find()).map(({ _id }) => _id);
					assert.deepEqual([ids.includes(sound), ids.includes(broken)], [true, false], `${field} ${first}`);
				}
				const { [field]: at, nextCheckAt } = (await raw().findOne({ _id: broken })) as Record<string, unknown>;
				assert.notEqual(at, due[field as keyof typeof due], "nor is it found the next time");
				assert.ok(Number(nextCheckAt) > Date.now(), field);
			}
			assert.deepEqual(
				(await messages.findUnreadable(10)).map(({ _id }) => _id),
				[broken],
			);
			await raw().updateOne({ _id: broken }, { $unset: { archive: 1 } });
			const again = async (now: number) => (await messages.findDue(now, 500)).some(({ _id }) => _id === broken);
			assert.equal(await again(limits.unreadableCheckMs), false);
			assert.equal(await again(limits.unreadableCheckMs + 2_000), true);
		});
	});

	it("a connection that breaks under an insert is an error, never an acceptance", async () => {
		const cut = await connectMongo({ url: process.env.MONGODB_URL as string, database: "x" });
		const cutStore = createStore(cut, deps);
		const collection = cut.models.messages?.collection as unknown as { insertMany: () => Promise<never> };
		// What the driver throws when the socket closes between the request and the answer.
		collection.insertMany = async () => {
			const error = new mongoose.mongo.MongoBulkWriteError({ message: "connection closed", code: 0, writeErrors: [] }, {
				getWriteConcernError: () => undefined,
			} as never);
			throw error;
		};
		const inserting = [1, 2].map(() => cutStore.messages.insert(messageOf({ id: id() })));
		const fates = await Promise.allSettled(inserting).finally(() => cut.close());
		for (const fate of fates) {
			assert.ok(fate.status === "rejected" && fate.reason instanceof LetheError);
			assert.equal(fate.reason.code, "outcome_unknown");
		}
	});

	it("a connection lost between the write and its answer: the message stands, and it is not said that it does not", async () => {
		const proxy = await startProxy(new URL(process.env.MONGODB_URL as string));
		const lost = await connectMongo({ url: proxy.url, database: connection.name });
		const lostStore = createStore(lost, deps);
		const _id = id();
		proxy.cutAfter("insert");
		await assert.rejects(lostStore.messages.insert(messageOf({ id: _id })), { code: "outcome_unknown" });
		assert.ok(await store.messages.find(_id));
		proxy.close();
		await lost.close();
	});

	it("a server that is away is one code, and quotes no document", async () => {
		const away = await connectMongo({ url: process.env.MONGODB_URL as string, database: "x" });
		const awayStore = createStore(away, deps);
		await away.close();
		await assert.rejects(awayStore.messages.insert(messageOf({ id: "msg_secret" })), (error) => {
			assert.ok(error instanceof LetheError);
			assert.equal(error.code, "store_unavailable");
			assert.ok(!JSON.stringify([error.message, error.cause]).includes("secret"));
			return true;
		});
	});
});
