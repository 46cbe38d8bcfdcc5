// SNS's certificates: fetched once each, from its own address, and never because anybody says so.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSign, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { createAws } from "../../../adapters/carriers/aws.ts";
import { createSnsCertificates } from "../../../adapters/carriers/snsCertificates.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-sns-"));
const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
execFileSync(
	"openssl",
	["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sns.amazonaws.com", "-days", "2"].concat([
		...["-keyout", keyFile, "-out", certificateFile],
	]),
	{ stdio: "ignore" },
);
const [key, certificate] = [readFileSync(keyFile, "utf8"), readFileSync(certificateFile, "utf8")];
const real = getGlobalDispatcher();
after(async () => {
	setGlobalDispatcher(real);
	rmSync(folder, { recursive: true });
});

const origin = "https://sns.eu-west-1.amazonaws.com";
const path = `/SimpleNotificationService-${"0a".repeat(16)}.pem`;
const topic = "arn:aws:sns:eu-west-1:123456789012:lethe";
const never = new AbortController().signal;
let agent = new MockAgent();
beforeEach(renewAgent);
const serve = (body: string, status = 200) => {
	let times = 0;
	const answer = () => {
		times++;
		return { statusCode: status, data: body, responseOptions: { headers: { location: "https://evil.example/x.pem" } } };
	};
	agent.get(origin).intercept({ path, method: "GET" }).reply(answer).persist();
	return () => times;
};

function notify(more: Record<string, string> = {}) {
	const message: Record<string, string> = {
		...{ Type: "Notification", MessageId: randomUUID(), TopicArn: topic, Message: "{}" },
		...{ Timestamp: new Date().toISOString(), SignatureVersion: "2", SigningCertURL: origin + path, ...more },
	};
	const names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
	const text = names.map((name) => `${name}\n${message[name]}\n`).join("");
	const body = JSON.stringify({ ...message, Signature: createSign("RSA-SHA256").update(text).sign(key, "base64") });
	return { method: "POST", url: "https://lethe.example/cb", headers: {}, body };
}

test("a callback is believed once its certificate was fetched, and it is fetched once", async () => {
	const served = serve(certificate);
	const carrier = createAws({ settings: { topicArns: topic }, secrets: {} });
	const before = carrier.verify(notify(), Date.now());
	assert.ok(!before.valid && before.reason === "not_configured");
	await Promise.all([1, 2, 3].map(() => carrier.prepare?.(notify(), never)));
	await carrier.prepare?.(notify(), never);
	assert.ok(carrier.verify(notify(), Date.now()).valid);
	assert.equal(served(), 1);
	const forged = notify();
	forged.body = forged.body.replace('"{}"', '"{ }"');
	assert.equal(carrier.verify(forged, Date.now()).valid, false);
});

test("nothing is fetched for another topic or another address, and without a topic nothing is believed", async () => {
	const served = serve(certificate);
	const carrier = createAws({ settings: { topicArns: topic }, secrets: {} });
	const reasonOf = async (request: ReturnType<typeof notify>) => {
		await carrier.prepare?.(request, never);
		const result = carrier.verify(request, Date.now());
		return result.valid ? undefined : result.reason;
	};
	assert.equal(await reasonOf(notify({ TopicArn: `${topic}2` })), "untrusted");
	for (const SigningCertURL of ["https://evil.example/x.pem", `${origin}${path}?x=.pem`, "", "x"]) {
		assert.equal(await reasonOf(notify({ SigningCertURL })), "untrusted", SigningCertURL);
	}
	assert.equal(await reasonOf(notify({ SigningCertURL: `${origin}/x.pem` })), "not_configured");
	// As SNS brings it with raw message delivery.
	assert.equal(await reasonOf({ ...notify(), body: '{"eventType":"TEXT_DELIVERED"}' }), "unsigned");
	assert.equal(served(), 0);
	const open = createAws({ settings: {}, secrets: {} });
	await open.prepare?.(notify(), never);
	const result = open.verify(notify(), Date.now());
	assert.ok(!result.valid && result.reason === "not_configured");
	const pinless = createAws({ settings: {}, secrets: { certificate } });
	assert.equal(pinless.verify(notify(), Date.now()).valid, false);
});

test("what is no certificate of today is not kept, a redirect not followed, and a failure not repeated at once", async () => {
	let now = Date.now();
	for (const [body, status] of [
		["no certificate", 200],
		[certificate, 302],
		[certificate, 500],
		[certificate + "x".repeat(20_000), 200],
	] as const) {
		renewAgent();
		const served = serve(body, status);
		const certificates = createSnsCertificates({ clock: () => now });
		for (let round = 0; round < 3; round++) await certificates.fetch(origin + path, never);
		assert.equal(certificates.keyOf(origin + path), undefined);
		assert.equal(served(), 1);
		now += 11_000;
		await certificates.fetch(origin + path, never);
		assert.equal(served(), 2);
	}
	renewAgent();
	serve(certificate);
	const later = createSnsCertificates({ clock: () => now + 3 * 24 * 3600_000 });
	await later.fetch(origin + path, never);
	assert.equal(later.keyOf(origin + path), undefined);
});

test("whoever names other addresses at once keeps no genuine callback from its certificate, and none that is known waits", async () => {
	const bogus = (digit: string) => `${origin}/SimpleNotificationService-${digit.repeat(32)}.pem`;
	for (const digit of ["1", "2", "3", "4"]) {
		agent
			.get(origin)
			.intercept({ path: new URL(bogus(digit)).pathname })
			.reply(404, "")
			.delay(50);
	}
	const served = serve(certificate);
	const certificates = createSnsCertificates({ clock: Date.now });
	await Promise.all([...["1", "2", "3"].map(bogus), origin + path].map((url) => certificates.fetch(url, never)));
	assert.ok(certificates.keyOf(origin + path));
	let isOver = false;
	const slow = certificates.fetch(bogus("4"), never).then(() => {
		isOver = true;
	});
	await certificates.fetch(origin + path, never);
	assert.deepEqual([isOver, served()], [false, 1]);
	await slow;
	agent.assertNoPendingInterceptors();
});

function renewAgent() {
	agent = new MockAgent();
	agent.disableNetConnect();
	setGlobalDispatcher(agent);
}
