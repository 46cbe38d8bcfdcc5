// Carriers are opened by name, and production never opens the simulated one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { carriers, checkQueue, openCarrier } from "../../../adapters/carriers/registry.ts";

const none = { settings: {}, secrets: {} };

test("every carrier calls itself by its name in the registry", () => {
	for (const [name, factory] of Object.entries(carriers)) assert.equal(factory(none).name, name);
});

test("the simulated carrier opens only where it is allowed", () => {
	assert.equal(openCarrier("simulator", { ...none, allowSimulator: true }).name, "simulator");
	assert.throws(() => openCarrier("simulator", { ...none, allowSimulator: false }), RangeError);
});

test("a name that is not in the registry opens nothing, not even one every object has", () => {
	for (const name of ["", "nobody", "constructor", "__proto__", "toString"]) {
		assert.throws(() => openCarrier(name, { ...none, allowSimulator: true }), RangeError);
	}
});

test("settings that can't be used safely are refused at once, and the refusal does not repeat them", () => {
	const bad: Pick<Parameters<typeof openCarrier>[1], "settings" | "secrets">[] = [
		{ settings: { url: "not a url" }, secrets: {} },
		{ settings: { url: "http://carrier.example" }, secrets: {} },
		{ settings: { url: "http://127.0.0.1.example" }, secrets: {} },
		{ settings: { url: "ftp://127.0.0.1" }, secrets: {} },
		{ settings: { url: "https://marker:marker@carrier.example" }, secrets: {} },
		{ settings: { url: "https://carrier.example/?marker=1" }, secrets: {} },
		{ settings: {}, secrets: { token: "marker" } },
		{ settings: {}, secrets: { token: "marker-marker-marker\r\nx: y" } },
		{ settings: {}, secrets: { publicKey: "marker" } },
		{ settings: {}, secrets: { publicKey: `${"A".repeat(42)}B=` } },
	];
	for (const options of bad) {
		assert.throws(
			() => openCarrier("simulator", { ...options, allowSimulator: true }),
			(error) => error instanceof TypeError && !/marker|example|127/.test(error.message),
			JSON.stringify(options),
		);
	}
});

test("a queue that could never do as it is set is refused when it is made", async () => {
	const topic = "arn:aws:sns:eu-west-1:123456789012:lethe";
	const settings = { configurationSet: "lethe", topicArns: topic };
	const check = (name: string, sender: string, more: Record<string, string>) =>
		checkQueue(name, { settings: more, sender, secrets: {} }, true);
	await check("aws", "Lethe", { ...settings, topicArns: `${topic}, ${topic}2` });
	// Of a topic that is misspelt no receipt would be believed.
	for (const topicArns of ["lethe", `${topic};${topic}`, topic.replace("012:", ":"), `${topic},`]) {
		await assert.rejects(
			() => check("aws", "Lethe", { ...settings, topicArns }),
			(error: Error) => error instanceof TypeError && /^topicArns can't be used: [^;]*$/.test(error.message),
			topicArns,
		);
	}
	// Telnyx sends by a name through a messaging profile only.
	await assert.rejects(() => check("telnyx", "Lethe", {}), /^TypeError: messagingProfileId: missing, a setting/);
	await check("telnyx", "Lethe", { messagingProfileId: "profile" });
	for (const number of ["+12025550142", "12345"]) await check("telnyx", number, {});
	// The simulated carrier takes fewer names than others do.
	await assert.rejects(() => check("simulator", "A&B", { url: "http://127.0.0.1:1" }), /sender can't be used/);
});

test("what a queue lacks, does not know or can't use is told by its name, never by its value", async () => {
	const url = "http://127.0.0.1:1";
	const usable = {
		send: { token: "a-token-of-sixteen-or-more" },
		callback: { publicKey: Buffer.alloc(32, 7).toString("base64") },
	};
	const smsc = { url: "smpps://smsc.example:2775" };
	const bind = { systemId: "marker", password: "marker" };
	const [one, other] = [1, 2].map((byte) => ({ callbackKey: Buffer.alloc(32, byte).toString("base64") }));
	const simulator = { carrier: "simulator", sender: "Lethe", settings: { url }, secrets: usable };
	type Given = { carrier: string; sender: string; settings: Record<string, string>; secrets: object };
	const cases: [Partial<Given>, RegExp][] = [
		[{ settings: { url, foo: "1" } }, /foo is no setting of this carrier\. There are: url, callbackUrl\./],
		[
			{ secrets: { ...usable, send: { tok: "marker" } } },
			/tok is no secret, for sending, of this .* There are: token\./,
		],
		[{ secrets: { send: {}, callback: {} } }, /token is missing, a secret, for sending, that this carrier needs/],
		[{ secrets: { ...usable, send: { token: "" } } }, /token can't be used/],
		[{ secrets: { ...usable, callback: {} } }, /publicKey is missing, a secret, for callbacks,/],
		[{ settings: {} }, /url is missing, a setting that this carrier needs/],
		[{ settings: { url, callbackUrl: "http://marker.example/" } }, /callbackUrl can't be used: it must be an https/],
		[{ sender: "a marker of a name" }, /sender can't be used: it must be a number of 3 to 15 digits/],
		[
			{ carrier: "vonage", settings: {}, secrets: { send: { apiKey: "marker" }, callback: { secret: "marker" } } },
			/applicationId and privateKey, or apiKey and apiSecret: missing/,
		],
		[{ carrier: "aws", settings: {}, secrets: { send: {}, callback: {} } }, /configurationSet is missing, a setting/],
		[
			{ carrier: "smpp", settings: { ...smsc, binds: "17" }, secrets: { send: { ...bind, ...one }, callback: one } },
			/binds can't be used: links of each kind.*1 to 16/,
		],
		[
			{ carrier: "smpp", settings: smsc, secrets: { send: { ...bind, ...one }, callback: other } },
			/callbackKey must be the same in both halves/,
		],
		[
			{
				...{ carrier: "telnyx", sender: "12345", settings: {} },
				secrets: { send: { apiKey: "marker" }, callback: usable.callback },
			},
			/apiKey can't be used: it must be 8 printable/,
		],
		[
			{
				...{ carrier: "twilio", settings: {} },
				secrets: { send: { accountSid: "ACmarker", token: "marker" }, callback: { secret: "marker" } },
			},
			/accountSid can't be used: it must be AC and 32 hexadecimal digits/,
		],
	];
	const check = ({ carrier, sender, settings, secrets }: Given) =>
		checkQueue(carrier, { settings, sender, secrets: secrets as typeof usable }, true);
	await check(simulator);
	for (const [given, pattern] of cases) {
		await assert.rejects(
			() => check({ ...simulator, ...given }),
			(error: Error) => error instanceof TypeError && pattern.test(error.message) && !/marker/.test(error.message),
			String(pattern),
		);
	}
});
