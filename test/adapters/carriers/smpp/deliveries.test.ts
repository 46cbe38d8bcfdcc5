// What an SMSC brings is acknowledged once the API has taken it, as that queue's own and nobody else's.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { CarrierCallback } from "../../../../adapters/carriers/carrier.ts";
import { verifySmpp } from "../../../../adapters/carriers/smpp/callback.ts";
import { createDeliveries } from "../../../../adapters/carriers/smpp/deliveries.ts";
import { createSmpp } from "../../../../adapters/carriers/smpp.ts";
import { until } from "../../../stack/carrier/start.ts";
import { type Peer, startSmsc } from "./smsc.ts";

const callbackKey = randomBytes(32).toString("base64");
const secrets = { systemId: "lethe", password: "secret", callbackKey };
const url = "https://lethe.example/v1/callbacks/smpp/queue/receipts";

const receiptText = (id: string, stat = "DELIVRD", err = "000") =>
	`id:${id} sub:001 dlvrd:001 submit date:2611251200 done date:2611251201 stat:${stat} err:${err} text:hello`;
const receipt = (id: string, stat?: string, err?: string) => ({
	esm_class: 4,
	source_addr_ton: 1,
	source_addr: "12025550142",
	short_message: Buffer.from(receiptText(id, stat, err)),
});
const written = (text: string, more: object = {}) => ({
	source_addr_ton: 1,
	source_addr_npi: 1,
	source_addr: "12025550142",
	dest_addr_ton: 5,
	destination_addr: "LETHE",
	short_message: Buffer.from(text),
	...more,
});

async function open(settings: Record<string, string> = {}) {
	const smsc = await startSmsc();
	const carrier = createSmpp({ settings: { url: smsc.url, ...settings }, secrets });
	const taken: CarrierCallback[] = [];
	const api: { answer: boolean | Promise<boolean> } = { answer: true };
	// As the sender does, every two seconds.
	const receive = () =>
		carrier.receive?.(async (callback) => {
			taken.push(callback);
			return api.answer;
		});
	receive();
	await until(() => smsc.heard("bind_transceiver").length + smsc.heard("bind_receiver").length > 0);
	const peer = smsc.peers[0] as Peer;
	const verify = (callback: CarrierCallback | undefined, key = callbackKey) =>
		verifySmpp({ settings: {}, secrets: { callbackKey: key } })(
			{ method: "POST", url, ...(callback as CarrierCallback) },
			Date.now(),
		);
	/** What a delivery is answered, and what the API was told of it last. */
	async function bring(fields: object, tlvs: { tag: number; value: Buffer }[] = []) {
		const answer = await smsc.answerTo(peer, peer.ask("deliver_sm", fields as never, tlvs));
		return { commandStatus: answer.command_status, told: taken.length ? verify(taken.at(-1)) : undefined };
	}
	const dispose = async () => {
		await carrier.close?.();
		await smsc[Symbol.asyncDispose]();
	};
	return { smsc, carrier, receive, taken, api, peer, verify, bring, [Symbol.asyncDispose]: dispose };
}

describe("receipts", () => {
	test("each state is told under the id of the answer, and acknowledged", async () => {
		await using opened = await open();
		const cases = [
			["DELIVRD", "000", "delivered", undefined],
			["EXPIRED", "000", "expired", "validity_over"],
			["UNDELIV", "011", "undelivered", "other"],
			["REJECTD", "000", "rejected", undefined],
			["ACCEPTD", "000", "submitted", undefined],
			["UNKNOWN", "000", "pending", undefined],
		] as const;
		for (const [stat, err, state, code] of cases) {
			const { commandStatus, told } = await opened.bring(receipt("a7", stat, err));
			assert.equal(commandStatus, 0);
			assert.ok(told?.valid);
			const [event] = told.events;
			assert.deepEqual([event?.carrierId, event?.state, event?.code], ["a7", state, code]);
			assert.ok(Math.abs((event?.at ?? 0) - Date.now()) < 10_000);
		}
	});

	test("ids are joined across hexadecimal and decimal as declared, and never by guess", async () => {
		for (const [receiptIds, written, known] of [
			["decimal", "0059113978", "59113978"],
			["hexadecimal", "038601FA", "38601fa"],
			["same", "0059113978", "59113978"],
			["same", "38601FA", "38601FA"],
		] as const) {
			await using opened = await open({ receiptIds });
			const { told } = await opened.bring(receipt(written));
			assert.equal(told?.events[0]?.carrierId, known);
		}
	});

	test("what is not taken is not acknowledged, and taken when it comes again", async () => {
		await using opened = await open();
		opened.api.answer = false;
		assert.equal((await opened.bring(receipt("1"))).commandStatus, 0x64);
		assert.ok(opened.taken.length > 1);
		opened.api.answer = true;
		const { commandStatus, told } = await opened.bring(receipt("1"));
		assert.equal(commandStatus, 0);
		// The same event, so that an outcome nobody saw is counted once.
		assert.equal(told?.events[0]?.eventId, opened.verify(opened.taken[0]).events[0]?.eventId);
	});

	test("text that looks like a receipt is a recipient's message, and a receipt of nothing is refused", async () => {
		await using opened = await open();
		const { told } = await opened.bring(written(receiptText("1")));
		assert.deepEqual([told?.events.length, told?.messages.length], [0, 1]);
		const before = opened.taken.length;
		assert.equal((await opened.bring({ esm_class: 4, short_message: Buffer.from("nothing") })).commandStatus, 0x66);
		assert.equal(opened.taken.length, before);
	});

	test("a deliver_sm that is malformed is refused and the link stays; what follows is taken", async () => {
		await using opened = await open();
		opened.peer.socket.write(Buffer.from(`0000001500000005000000000000007b${"00".repeat(5)}`, "hex"));
		assert.equal((await opened.smsc.answerTo(opened.peer, 123)).command_status, 0x66);
		assert.equal((await opened.bring(receipt("1"))).commandStatus, 0);
		assert.equal(opened.smsc.peers.length, 1);
	});
});

test("whatever octets a link brings, nothing is told of them, nothing breaks, and the queue binds again", async () => {
	await using opened = await open();
	const told = () => opened.taken.filter((callback) => opened.verify(callback).events.length > 0).length;
	for (let round = 0; round < 200; round++) {
		const peer = opened.smsc.peers.at(-1) as Peer;
		const body = randomBytes(round % 90);
		const head = Buffer.alloc(16);
		head.writeUInt32BE(16 + body.length, 0);
		head.writeUInt32BE([5, 0x103, 0x80000004, 0x15, 0x999][round % 5] ?? 5, 4);
		head.writeUInt32BE(round + 1000, 12);
		peer.socket.write(Buffer.concat([head, body]));
	}
	assert.equal(told(), 0);
	assert.equal((await opened.bring(receipt("1"))).commandStatus, 0);
	// Not one that is framed.
	opened.peer.socket.write(Buffer.alloc(64, 0xff));
	await until(() => opened.smsc.heard("bind_transceiver").length === 2);
	assert.equal(told(), 1);
});

describe("what recipients write", () => {
	test("is told as it was written, from any alphabet, and shown nowhere on the way", async () => {
		await using opened = await open();
		const ucs2 = Buffer.from("СТОП", "utf16le").swap16();
		const payload = [{ tag: 0x0424, value: Buffer.from("Stop the quick marker") }];
		for (const [fields, tlvs, text] of [
			[written("Stop"), [], "Stop"],
			[written("", { short_message: ucs2, data_coding: 8 }), [], "СТОП"],
			[
				written("", { esm_class: 0x40, short_message: Buffer.from("\x05\x00\x03\x01\x02\x01Stop", "latin1") }),
				[],
				"Stop",
			],
			[written("Stop", { source_addr_ton: 0, source_addr_npi: 0 }), [], "Stop"],
			[written(""), payload, "Stop the quick marker"],
		] as const) {
			const { told } = await opened.bring(fields, [...tlvs]);
			assert.ok(told?.valid);
			const [message] = told.messages;
			assert.deepEqual([message?.from.reveal(), message?.to, message?.text.reveal()], ["+12025550142", "LETHE", text]);
		}
		const sent = inspect(opened.taken, { depth: 9 });
		const clear = opened.taken.map(({ body }) => Buffer.from(body, "base64").toString("latin1")).join();
		assert.ok(!/2025550142|marker/.test(sent + clear));
	});

	test("is told to be a part where a header or parameters say so, and else is not", async () => {
		await using opened = await open();
		const headed = (header: string) =>
			written("", { esm_class: 0x40, short_message: Buffer.from(`${header}Start`, "latin1") });
		const sar = (total: number) => [
			{ tag: 0x020c, value: Buffer.from([0, 1]) },
			{ tag: 0x020e, value: Buffer.from([total]) },
			{ tag: 0x020f, value: Buffer.from([1]) },
		];
		for (const [fields, tlvs, isPart] of [
			[written("Start"), [], undefined],
			[headed("\x05\x00\x03\x01\x02\x02"), [], true],
			[headed("\x06\x08\x04\x01\x01\x02\x02"), [], true],
			[headed("\x08\x24\x01\x01\x00\x03\x01\x02\x02"), [], true],
			[headed("\x05\x00\x03\x01\x01\x01"), [], undefined],
			[headed("\x03\x24\x01\x01"), [], undefined],
			[headed("\x00"), [], undefined],
			[written("Start"), sar(2), true],
			[written("Start"), sar(1), undefined],
		] as const) {
			const { told } = await opened.bring(fields, [...tlvs]);
			const [message] = told?.messages ?? [];
			assert.deepEqual([message?.text.reveal(), message?.isPart], ["Start", isPart]);
		}
	});

	test("is one message when it comes again unacknowledged, and another once it was", async () => {
		await using opened = await open();
		opened.api.answer = false;
		await opened.bring(written("START"));
		const first = opened.verify(opened.taken[0]).messages[0];
		opened.api.answer = true;
		opened.receive();
		const again = (await opened.bring(written("START"))).told?.messages[0];
		// Of the time of the first: a STOP that came in between is the later one.
		assert.deepEqual([again?.eventId, again?.at], [first?.eventId, first?.at]);
		opened.receive();
		const other = (await opened.bring(written("START"))).told?.messages[0];
		assert.notEqual(other?.eventId, again?.eventId);
	});

	test("is one message too when its link was gone before it could be acknowledged", async () => {
		await using opened = await open();
		const taking = Promise.withResolvers<boolean>();
		opened.api.answer = taking.promise;
		opened.peer.ask("deliver_sm", written("START"));
		await until(() => opened.taken.length > 0);
		opened.peer.socket.destroy();
		await until(() => opened.smsc.heard("bind_transceiver").length > 1);
		taking.resolve(true);
		const peer = opened.smsc.peers.at(-1) as Peer;
		await opened.smsc.answerTo(peer, peer.ask("deliver_sm", written("START")));
		const [first, again] = opened.taken.map((callback) => opened.verify(callback).messages[0]);
		assert.deepEqual([again?.eventId, again?.at], [first?.eventId, first?.at]);
	});

	test("is another one a day after it was last brought: a STOP is not taken for that of before", async () => {
		let now = Date.now();
		const taken: CarrierCallback[] = [];
		const deliver = createDeliveries({
			...{ key: Buffer.from(callbackKey, "base64"), receiptIds: "same", clock: () => now, patienceMs: 0 },
			handOver: async (callback) => taken.push(callback) < 0,
		});
		const fields = written("STOP", { data_coding: 0 });
		const stop = { command: "deliver_sm", command_status: 0, sequence_number: 1, fields, tlvs: [] };
		const verify = verifySmpp({ settings: {}, secrets: { callbackKey } });
		const bring = async () => {
			assert.equal(await deliver(stop, () => true), 0x64);
			return verify({ method: "POST", url, ...(taken.at(-1) as CarrierCallback) }, now).messages[0];
		};
		const first = await bring();
		for (const hours of [23, 23]) {
			now += hours * 3600_000;
			assert.deepEqual([(await bring())?.eventId], [first?.eventId]);
		}
		now += 25 * 3600_000;
		const later = await bring();
		assert.notEqual(later?.eventId, first?.eventId);
		assert.equal(later?.at, now);
	});
});

test("another queue's key opens nothing, and who only verifies makes no link", async () => {
	await using opened = await open();
	const { told } = await opened.bring(receipt("1"));
	assert.ok(told?.valid);
	const other = opened.verify(opened.taken[0], randomBytes(32).toString("base64"));
	assert.deepEqual(other, { valid: false, reason: "bad_signature", events: [], messages: [] });
	// Opened to verify only, as the API does: no link is made.
	await using smsc = await startSmsc();
	const carrier = createSmpp({ settings: { url: smsc.url }, secrets });
	carrier.verify({ method: "POST", url, headers: {}, body: "" }, Date.now());
	await carrier.close?.();
	assert.equal(smsc.peers.length, 0);
});
