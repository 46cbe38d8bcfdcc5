// What Lethe relies on, checked for every carrier in the registry over real sockets.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import type { CallbackRequest, Carrier } from "../../../adapters/carriers/carrier.ts";
import { carrierCodes } from "../../../adapters/carriers/codes.ts";
import { carriers } from "../../../adapters/carriers/registry.ts";
import { limits } from "../../../domain/limits.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import type { Fake } from "./fake.ts";
import { fakes } from "./fakes.ts";

const never = new AbortController().signal;
const text = "the quick marker";
let references = 0;

function message(to: string, more: { stillDue?: () => boolean; validitySeconds?: number; sender?: string } = {}) {
	const reference = `ref_contract_${++references}`;
	return {
		to: Plaintext.text(to),
		text: Plaintext.text(text),
		reference,
		validitySeconds: 60,
		sender: "+12025550199",
		...more,
	};
}

for (const [name, factory] of Object.entries(carriers)) {
	describe(name, () => {
		const open = async (): Promise<{ fake: Fake; carrier: Carrier } & AsyncDisposable> => {
			const start = fakes[name];
			assert.ok(start, "every carrier needs a fake in fakes.ts");
			const fake = await start();
			const carrier = factory({ settings: fake.settings, secrets: fake.secrets });
			const dispose = async () => {
				await carrier.close?.();
				await fake[Symbol.asyncDispose]();
			};
			return { fake, carrier, [Symbol.asyncDispose]: dispose };
		};

		/** A delivered message's genuine callback. */
		const receive = async ({ fake, carrier }: { fake: Fake; carrier: Carrier }) => {
			const outcome = await carrier.send(message(fake.numbers.delivered), never);
			assert.ok(outcome.kind === "accepted");
			return { carrierId: outcome.carrierId, callback: await fake.callbackFor(outcome.carrierId) };
		};

		test("an accepted message is known to the carrier by its reference, and its receipt by the carrier's id", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			for (const state of ["delivered", "undelivered"] as const) {
				const sent = message(fake.numbers[state]);
				const outcome = await carrier.send(sent, never);
				assert.ok(outcome.kind === "accepted");
				assert.equal(outcome.segments, 1);
				const verified = carrier.verify(await fake.callbackFor(outcome.carrierId), Date.now());
				assert.ok(verified.valid);
				assert.deepEqual(
					verified.events.map((event) => [event.carrierId, event.state]),
					[[outcome.carrierId, state]],
				);
				const found = await carrier.lookup?.(sent.reference, Date.now(), never);
				assert.ok(!found || (found.kind === "found" && found.carrierId === outcome.carrierId));
			}
		});

		test("every answer becomes an outcome with a code of ours, and nothing of the carrier's text or ours is in it", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			const expected = {
				rejected: "rejected",
				throttled: "throttled",
				notAccepted: "rejected",
				lost: "ambiguous",
			} as const;
			for (const [behaviour, kind] of Object.entries(expected)) {
				const to = fake.numbers[behaviour as keyof typeof expected];
				const outcome = await carrier.send(message(to), never);
				assert.equal(outcome.kind, kind, behaviour);
				if (outcome.kind === "rejected") assert.equal(outcome.permanent, behaviour === "rejected");
				if ("code" in outcome) assert.ok(outcome.code in carrierCodes, outcome.code);
				if (outcome.kind === "throttled") assert.ok(outcome.retryAfterMs > 0);
				const printed = inspect(outcome, { depth: 9, showHidden: true });
				assert.ok(!printed.includes(to.slice(-7)) && !printed.includes("marker"), printed);
			}
		});

		test("a lost answer is settled by look-up: found when it was accepted, absent when it was never sent", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			if (!carrier.lookup) return;
			const lost = message(fake.numbers.lost);
			assert.equal((await carrier.send(lost, never)).kind, "ambiguous");
			assert.equal((await carrier.lookup(lost.reference, Date.now(), never)).kind, "found");
			assert.deepEqual(await carrier.lookup("ref_never_sent", Date.now(), never), { kind: "absent" });
		});

		test("a lost answer is settled however late: what was accepted days ago is found, and never absent", async (context) => {
			await using opened = await open();
			const { fake, carrier } = opened;
			if (!carrier.lookup) return;
			const [lost, since] = [message(fake.numbers.lost), Date.now()];
			assert.equal((await carrier.send(lost, never)).kind, "ambiguous");
			context.mock.timers.enable({ apis: ["Date"], now: since + limits.validForMaxMs });
			assert.equal((await carrier.lookup(lost.reference, since, never)).kind, "found");
			assert.deepEqual(await carrier.lookup("ref_never_sent", since, never), { kind: "absent" });
		});

		test("a message that is due no longer never reaches the carrier", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			const due = { stillDue: () => false };
			assert.equal((await carrier.send(message(fake.numbers.delivered, due), never)).kind, "rejected");
			for (const validitySeconds of [0, -1, 0.5, Number.NaN]) {
				assert.equal(
					(await carrier.send(message(fake.numbers.delivered, { validitySeconds }), never)).kind,
					"rejected",
				);
			}
			assert.equal((await carrier.send(message(fake.numbers.delivered), AbortSignal.abort())).kind, "rejected");
			assert.equal(await fake.accepted(), 0);
		});

		test("with the carrier gone a send has surely failed, and a look-up does not claim absence", async () => {
			const { fake, carrier } = await open();
			const sent = message(fake.numbers.delivered);
			await fake[Symbol.asyncDispose]();
			assert.equal((await carrier.send(sent, never)).kind, "rejected");
			if (carrier.lookup)
				assert.deepEqual(await carrier.lookup(sent.reference, Date.now(), never), { kind: "unavailable" });
			await carrier.close?.();
		});

		test("without credentials nothing is sent, nothing is found absent, and no callback is believed", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			const bare = factory({ settings: opened.fake.settings, secrets: {} });
			assert.equal((await bare.send(message(opened.fake.numbers.delivered), never)).kind, "rejected");
			if (bare.lookup)
				assert.deepEqual(await bare.lookup("ref_never_sent", Date.now(), never), { kind: "unavailable" });
			assert.equal(bare.verify(callback, Date.now()).valid, false);
			await bare.close?.();
		});

		test("a callback with any byte of its body changed, added or cut is not believed", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			const { body } = callback;
			for (let at = 0; at < body.length; at++) {
				const changed = body.slice(0, at) + String.fromCharCode(body.charCodeAt(at) ^ 1) + body.slice(at + 1);
				for (const forged of [changed, body.slice(0, at), `${body.slice(0, at)} ${body.slice(at)}`]) {
					const result = opened.carrier.verify({ ...callback, body: forged }, Date.now());
					if (opened.fake.signs === "fields") {
						// What is unsigned, or no part of a field, may change: what it says may not.
						const told = opened.carrier.verify(callback, Date.now());
						if (result.valid) assert.ok(told.valid && result.replayKey === told.replayKey);
						continue;
					}
					assert.deepEqual(result, { valid: false, reason: "bad_signature", events: [], messages: [] });
				}
			}
		});

		test("a callback without, or with a malformed or doubled, signature header is not believed", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			for (const header of opened.fake.signatureHeaders) {
				const value = String(callback.headers[header]);
				const without = { ...callback, headers: { ...callback.headers, [header]: undefined } };
				assert.deepEqual(opened.carrier.verify(without, Date.now()), {
					valid: false,
					reason: "unsigned",
					events: [],
					messages: [],
				});
				const bad = [
					"",
					" ",
					`${value} `,
					` ${value}`,
					`${value}a`,
					...(opened.fake.signatureIsList ? [] : [`${value}, ${value}`]),
					value.slice(1),
					[value, value],
					[],
				];
				for (const each of bad) {
					const malformed = { ...callback, headers: { ...callback.headers, [header]: each } };
					assert.deepEqual(opened.carrier.verify(malformed, Date.now()).valid, false, JSON.stringify(each));
				}
				const twice = { ...callback, headers: { ...callback.headers, [header.toUpperCase()]: value } };
				assert.equal(opened.carrier.verify(twice, Date.now()).valid, false);
			}
		});

		test("header names count whatever their case", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			const headers = Object.fromEntries(
				Object.entries(callback.headers).map(([key, value]) => [key.toUpperCase(), value]),
			);
			assert.ok(opened.carrier.verify({ ...callback, headers }, Date.now()).valid);
		});

		test("a callback outside the freshness window is stale on either side, and its events are kept apart", async () => {
			await using opened = await open();
			if (!opened.carrier.capabilities.timedCallbacks) return;
			const { callback, carrierId } = await receive(opened);
			const now = Date.now();
			for (const shift of [-1, 1]) {
				const edge = shift * (limits.callbackFreshnessMs - 5_000);
				assert.ok(opened.carrier.verify(callback, now + edge).valid);
				const result = opened.carrier.verify(callback, now + shift * (limits.callbackFreshnessMs + 5_000));
				assert.ok(!result.valid && result.reason === "stale");
				assert.deepEqual(
					result.events.map((event) => event.carrierId),
					[carrierId],
				);
			}
			assert.equal(opened.carrier.verify(callback, Number.NaN).valid, false);
		});

		test("verifying is pure: the same callback gives the same events again, for the replay check to refuse", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			const now = Date.now();
			assert.deepEqual(opened.carrier.verify(callback, now), opened.carrier.verify(callback, now));
		});

		test("whatever arrives, verifying neither throws nor believes it", async () => {
			await using opened = await open();
			const { callback } = await receive(opened);
			const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined));
			const hostile = fc.oneof(
				fc.record({
					method: fc.string(),
					url: fc.string(),
					headers: fc.dictionary(fc.string(), value),
					body: fc.string(),
				}),
				fc.record({ method: fc.anything(), url: fc.anything(), headers: fc.anything(), body: fc.anything() }),
				fc
					.record({ body: fc.oneof(fc.json(), fc.string({ unit: "binary" })), header: value, at: fc.nat() })
					.map(({ body, header, at }) => {
						const names = opened.fake.signatureHeaders;
						const named = names[at % names.length] ?? "x-none";
						return { ...callback, body, headers: { ...callback.headers, [named]: header } };
					}),
			);
			fc.assert(
				fc.property(hostile, fc.double(), (request, now) => {
					const result = opened.carrier.verify(request as CallbackRequest, now);
					assert.equal(result.valid, false);
					assert.equal(result.events.length, 0);
				}),
				{ numRuns: 1000 },
			);
		});

		const written = { from: "+12025550142", to: "LETHE", text: "Stop the quick marker" };

		test("what a recipient writes is told as it was written, and printed nowhere", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			assert.equal(fake.inboundCallback !== undefined, carrier.capabilities.inbound);
			if (!fake.inboundCallback) return;
			const result = carrier.verify(await fake.inboundCallback(written), Date.now());
			assert.ok(result.valid);
			assert.deepEqual(result.events, []);
			const [message, ...more] = result.messages;
			assert.deepEqual(more, []);
			assert.deepEqual([message?.from.reveal(), message?.to, message?.text.reveal()], Object.values(written));
			const printed = inspect(result, { depth: 9, showHidden: true });
			assert.ok(!printed.includes("2025550142") && !printed.includes("marker"), printed);
		});

		test("what a recipient writes is believed only whole, signed and fresh", async () => {
			await using opened = await open();
			const { fake, carrier } = opened;
			if (!fake.inboundCallback) return;
			const callback = await fake.inboundCallback(written);
			const verify = (request: CallbackRequest, at = Date.now()) => carrier.verify(request, at);
			const { body } = callback;
			for (let at = 0; at < body.length; at++) {
				const changed = body.slice(0, at) + String.fromCharCode(body.charCodeAt(at) ^ 1) + body.slice(at + 1);
				const refused = { valid: false, reason: "bad_signature", events: [], messages: [] };
				const result = verify({ ...callback, body: changed });
				if (fake.signs !== "fields") assert.deepEqual(result, refused);
			}
			for (const header of fake.signatureHeaders) {
				const headers = { ...callback.headers, [header]: undefined };
				const refused = { valid: false, reason: "unsigned", events: [], messages: [] };
				assert.deepEqual(verify({ ...callback, headers }), refused);
			}
			if (!carrier.capabilities.timedCallbacks) return;
			const late = Date.now() + limits.callbackFreshnessMs + 5_000;
			const stale = verify(callback, late);
			assert.ok(!stale.valid && stale.reason === "stale");
			assert.deepEqual([stale.events, stale.messages.length], [[], 1]);
			assert.ok(
				stale.messages.every(({ at }) => at < late - limits.callbackFreshnessMs),
				"of the time that was signed",
			);
		});

		test("a signed callback has the same replay key whatever is unsigned of it, and another one another", async () => {
			await using opened = await open();
			const [first, second] = [await receive(opened), await receive(opened)];
			const keyOf = (request: CallbackRequest) => {
				const result = opened.carrier.verify(request, Date.now());
				assert.ok(result.valid);
				return result.replayKey;
			};
			const headers = { ...first.callback.headers, "x-unsigned": "1", "i-twilio-idempotency-token": "other" };
			assert.equal(keyOf({ ...first.callback, headers }), keyOf(first.callback));
			assert.notEqual(keyOf(first.callback), keyOf(second.callback));
		});

		test("what it says that it can do it does, and the rest it has no function for", async () => {
			await using opened = await open();
			const { carrier } = opened;
			const { lookup } = carrier.capabilities;
			assert.equal(carrier.lookup !== undefined, lookup !== false);
			if (lookup) assert.ok(lookup.absentAfterMs >= limits.carrierTimeoutMs, "a call may be under way for so long");
			if (lookup) assert.ok(lookup.askAfterMs < limits.receiptGraceOtpMs, "a lost receipt is asked for in time");
			assert.equal(carrier.redact !== undefined, carrier.capabilities.redaction);
			if (!carrier.redact) return;
			const { carrierId } = await receive(opened);
			assert.equal(await carrier.redact(carrierId, never), true);
			assert.equal(await carrier.redact("never_sent", never), false);
			assert.equal(await carrier.redact("../x?y", never), false);
		});

		test("what it forgot is read back as gone, what it has not as there, and no answer as neither", async () => {
			await using opened = await open();
			const { carrier } = opened;
			if (!carrier.readBack) return;
			const [forgotten, kept] = [(await receive(opened)).carrierId, (await receive(opened)).carrierId];
			assert.equal(await carrier.redact?.(forgotten, never), true);
			assert.equal(await carrier.readBack(forgotten, 0, never), "gone");
			assert.equal(await carrier.readBack(kept, 0, never), "there");
			assert.equal(await carrier.readBack("../x?y", 0, never), "unavailable");
			assert.equal(await carrier.readBack(kept, 0, AbortSignal.abort()), "unavailable");
		});
	});
}
