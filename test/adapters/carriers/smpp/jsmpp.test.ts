// Against an SMSC of another project, over real sockets that are cut, throttled and lost with it: the ledgers agree.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CarrierEvent, SendOutcome } from "../../../../adapters/carriers/carrier.ts";
import { createSmpp } from "../../../../adapters/carriers/smpp.ts";
import { Plaintext } from "../../../../domain/plaintext.ts";
import { until } from "../../../stack/carrier/start.ts";
import { fetchJsmpp, startJsmpp, whyNoJsmpp } from "./jsmpp.ts";
import { startMeddler } from "./meddler.ts";

const skip = whyNoJsmpp();
const messageCount = 300;
const concurrency = 20;
const decimal = (id: string) => String(Number.parseInt(id, 16));
let classPath: string;

// Beside the tests, whose limits are for what they test, not for a registry that is slow.
before(async () => {
	if (!skip) classPath = await fetchJsmpp();
});

test("none lost and none twice but declared, with the link cut, throttled, and the SMSC killed in between", {
	skip,
	timeout: 90_000,
}, async () => {
	await using smsc = await startJsmpp(classPath);
	await using meddler = await startMeddler(smsc.port);
	const secrets = { ...smsc.credentials, callbackKey: randomBytes(32).toString("base64") };
	const settings = { url: meddler.url, receiptIds: "decimal", binds: "2", window: "4", responseSeconds: "2" };
	const carrier = createSmpp({ settings, secrets });
	const receipts: CarrierEvent[] = [];
	carrier.receive?.(async (callback) => {
		const told = carrier.verify({ method: "POST", url: "https://lethe.example/", ...callback }, Date.now());
		receipts.push(...told.events);
		return told.valid;
	});
	const ends = new Map<string, SendOutcome>();
	const seen = { throttled: 0, unsent: 0 };
	let sent = 0;

	/** As the engine does: what surely was not accepted is tried again, what is in doubt never. */
	async function deliver(text: string): Promise<void> {
		for (;;) {
			const to = Plaintext.text("+12025550142");
			const message = { to, text: Plaintext.text(text), reference: text, sender: "LETHE", validitySeconds: 600 };
			const outcome = await carrier.send(message, AbortSignal.timeout(10_000));
			const isOver = outcome.kind === "accepted" || outcome.kind === "ambiguous";
			if (isOver || (outcome.kind === "rejected" && outcome.permanent)) return void ends.set(text, outcome);
			if (outcome.kind === "throttled") seen.throttled++;
			else seen.unsent++;
			await sleep(20);
		}
	}
	async function deliverAll(texts: string[]): Promise<void> {
		const queue = [...texts];
		const work = async () => {
			for (let text = queue.shift(); text !== undefined; text = queue.shift()) {
				await deliver(text);
				sent++;
			}
		};
		await Promise.all(Array.from({ length: concurrency }, work));
	}

	meddler.meddle((submit) =>
		submit % 97 === 0 ? "cut_after" : submit % 61 === 0 ? "cut_before" : submit % 7 === 0 ? "throttle" : "pass",
	);
	const restarted = until(() => sent > messageCount / 2, 120_000).then(() => smsc.restart());
	await deliverAll(Array.from({ length: messageCount }, (_, index) => `m-${index}`));
	await restarted;
	meddler.meddle(() => "pass");
	const calm = Array.from({ length: 30 }, (_, index) => `calm-${index}`);
	await deliverAll(calm);

	const entries = Map.groupBy(smsc.ledger, ({ text }) => text);
	const accepted = [...ends].flatMap(([text, end]) => (end.kind === "accepted" ? [{ text, id: end.carrierId }] : []));
	const doubtful = [...ends].flatMap(([text, end]) => (end.kind === "ambiguous" ? [text] : []));
	assert.equal(accepted.length + doubtful.length, messageCount + calm.length);
	for (const { text, id } of accepted) {
		assert.deepEqual(
			entries.get(text)?.map((entry) => decimal(entry.id)),
			[id],
			text,
		);
	}
	for (const text of doubtful) assert.ok((entries.get(text)?.length ?? 0) <= 1, text);
	assert.ok(doubtful.length > 0 && doubtful.length < messageCount / 3, String(doubtful.length));
	assert.ok(seen.throttled > 0 && seen.unsent > 0, JSON.stringify(seen));
	const known = new Map(accepted.map(({ text, id }) => [text, id]));
	await until(() => calm.every((text) => receipts.some((event) => event.carrierId === known.get(text))), 20_000);
	const ids = new Set(smsc.ledger.map(({ id }) => decimal(id)));
	assert.ok(receipts.every(({ carrierId, state }) => state === "delivered" && ids.has(carrierId)));
	await carrier.close?.();
});

test("an SMSC of another project reads our parts, our payload and our refused bind", {
	skip,
	timeout: 60_000,
}, async () => {
	await using smsc = await startJsmpp(classPath);
	const url = `smpp://127.0.0.1:${smsc.port}`;
	const send = async (settings: Record<string, string>, secrets: Record<string, string>, text: string) => {
		const carrier = createSmpp({ settings: { url, ...settings }, secrets });
		const to = Plaintext.text("+12025550142");
		const message = { to, text: Plaintext.text(text), reference: "r", sender: "+12025550199", validitySeconds: 600 };
		const outcome = await carrier.send(message, AbortSignal.timeout(10_000));
		await carrier.close?.();
		return outcome;
	};
	const parts = await send({}, smsc.credentials, `€${"a".repeat(400)}`);
	assert.ok(parts.kind === "accepted" && parts.partIds?.length === 3);
	await until(() => smsc.ledger.length === 3, 30_000);
	assert.deepEqual(new Set(parts.partIds), new Set(smsc.ledger.map(({ id }) => id.replace(/^0+(?=.)/, ""))));
	const payload = await send({ longMessages: "payload" }, smsc.credentials, "ж".repeat(200));
	assert.ok(payload.kind === "accepted" && payload.segments === 3);
	const refused = await send({}, { ...smsc.credentials, password: "wrong" }, "m");
	assert.deepEqual(refused, { kind: "rejected", code: "credentials_refused", permanent: false });
});
