// `lethe carrier` as a shell sees it: one line a verdict, exit codes, and errors that name the mend and repeat no secret.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import twilio from "twilio";
import { sealCallback } from "../../adapters/carriers/smpp/callback.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-carrier-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const program = `
	import { carrierCommand } from ${JSON.stringify(new URL("../../cli/carrier.ts", import.meta.url).href)};
	await carrierCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;

function carrier(...args: string[]) {
	const result = spawnSync(process.execPath, ["--input-type=module", "-e", program, "--", ...args], {
		encoding: "utf8",
	});
	return { code: result.status, lines: result.stdout.split("\n").slice(0, -1), error: result.stderr };
}

function file(content: unknown): string {
	const path = join(folder, "input.json");
	writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
	return path;
}
const verdicts = (lines: string[]) => lines.map((line) => JSON.parse(line)).map(({ valid, reason }) => [valid, reason]);

const now = 1893553445;
const secret = "marker-secret";
const url = "https://lethe.example/cb";

function callback(status: string, id = "1".repeat(32)) {
	const params = { MessageSid: `SM${id}`, MessageStatus: status, To: "+12025550142" };
	const headers = {
		"X-Twilio-Signature": twilio.getExpectedTwilioSignature(secret, url, params),
		"Content-Type": "application/x-www-form-urlencoded",
	};
	return { method: "POST", url, headers, body: new URLSearchParams(params).toString(), secret, now };
}

test("one callback gives one verdict: exit 0 when it is valid, 1 when not", () => {
	const yes = carrier("verify", "twilio", "--request", file(callback("delivered")));
	assert.deepEqual([yes.code, yes.error], [0, ""]);
	const { events, ...verdict } = JSON.parse(yes.lines[0] ?? "");
	assert.deepEqual(verdict, { valid: true, reason: null });
	assert.deepEqual(events, [
		{
			kind: "receipt",
			eventId: `SM${"1".repeat(32)}.delivered`,
			carrierId: `SM${"1".repeat(32)}`,
			state: "delivered",
			at: "2030-01-02T03:04:05.000Z",
		},
	]);
	const no = carrier("verify", "twilio", "--request", file({ ...callback("delivered"), secret: "other" }));
	assert.deepEqual([no.code, no.lines], [1, ['{"valid":false,"reason":"bad_signature","events":[]}']]);
});

test("an array gives a verdict a line, in order; what was signed once counts once, its unsigned parts or not", () => {
	const first = callback("delivered");
	const again = { ...first, headers: { ...first.headers, "I-Twilio-Idempotency-Token": "other" }, now: now + 9 };
	const otherAccount = { ...callback("delivered"), secret: "other" };
	const { code, lines, error } = carrier(
		"verify",
		"twilio",
		"--request",
		file([first, otherAccount, again, callback("sent"), callback("delivered", "2".repeat(32)), first]),
	);
	assert.deepEqual([code, error], [0, ""]);
	assert.deepEqual(verdicts(lines), [
		[true, null],
		[false, "bad_signature"],
		[false, "replayed"],
		[true, null],
		[true, null],
		[false, "replayed"],
	]);
	assert.deepEqual(carrier("verify", "twilio", "--request", file([])), { code: 0, lines: [], error: "" });
});

test("one that can't be read uses up none that is signed the same", () => {
	const params = { MessageSid: "SM1", From: "+12025550142", To: "+12025550100", Body: "aBodyb" };
	const genuine = { ...callback("sent"), body: new URLSearchParams(params).toString() };
	genuine.headers["X-Twilio-Signature"] = twilio.getExpectedTwilioSignature(secret, url, params);
	const cut = { ...genuine, body: genuine.body.replace("aBodyb", "a&Body=b") };
	const { lines } = carrier("verify", "twilio", "--request", file([cut, genuine, cut]));
	assert.deepEqual(verdicts(lines), [
		[true, null],
		[true, null],
		[false, "replayed"],
	]);
	const events = lines.map((line) => JSON.parse(line).events);
	assert.deepEqual(
		events.map(({ length }) => length),
		[0, 1, 0],
	);
});

test("what a carrier's id names is the replay key where it has one, and stale callbacks use none up", () => {
	const body = "{}";
	const standard = (id: string, timestamp: number, at = now) => {
		const key = Buffer.from("standard-webhooks-key");
		const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
		const headers = {
			"webhook-id": id,
			"webhook-timestamp": String(timestamp),
			"webhook-signature": `v1,${signature}`,
		};
		return { method: "POST", url, headers, body, secret: `whsec_${key.toString("base64")}`, now: at };
	};
	const { lines } = carrier(
		"verify",
		"standard-webhooks",
		"--request",
		file([standard("a", now - 400), standard("a", now), standard("a", now + 1), standard("b", now)]),
	);
	assert.deepEqual(verdicts(lines), [
		[false, "stale"],
		[true, null],
		[false, "replayed"],
		[true, null],
	]);
});

test("a callback that can't be judged is misuse alone, and one line among others", () => {
	const bad = [
		{ ...callback("sent"), now: "soon" },
		{ ...callback("sent"), secret: undefined },
		{ ...callback("sent"), body: 1 },
		{ ...callback("sent"), url: undefined },
		{ ...callback("sent"), headers: [] },
		{ ...callback("sent"), secret: 1 },
		null,
		"text",
	];
	for (const one of bad) {
		const { code, lines, error } = carrier("verify", "twilio", "--request", file(JSON.stringify(one)));
		assert.deepEqual([code, lines], [2, []], JSON.stringify(one));
		assert.match(error, /^lethe carrier verify: .*\.\n$/);
		assert.doesNotMatch(error, /marker/);
	}
	const { code, lines, error } = carrier("verify", "twilio", "--request", file([bad[0], callback("sent"), null]));
	assert.equal(code, 0);
	const items = [...error.matchAll(/^lethe carrier verify: .*: item (\d+)\b/gm)];
	assert.deepEqual(
		items.map(([, item]) => item),
		["1", "3"],
	);
	assert.deepEqual(verdicts(lines), [
		[false, "unusable"],
		[true, null],
		[false, "unusable"],
	]);
	const key = carrier("verify", "telnyx", "--request", file({ ...callback("sent"), publicKey: "marker" }));
	assert.deepEqual([key.code, key.lines, /marker/.test(key.error)], [2, [], false]);
});

test("an unknown carrier, a file that is missing and one that is no JSON are misuse", () => {
	const unknown = carrier("verify", "constructor", "--request", file(callback("sent")));
	assert.deepEqual([unknown.code, /twilio/.test(unknown.error)], [2, true]);
	assert.equal(carrier("verify", "twilio", "--request", join(folder, "absent.json")).code, 2);
	const text = carrier("verify", "twilio", "--request", file('{"secret": marker}'));
	assert.deepEqual([text.code, /marker/.test(text.error)], [2, false]);
});

test("SMPP's callbacks are judged by the queue's key as the record's secret", () => {
	const key = randomBytes(32);
	const event = { eventId: "7.delivered", carrierId: "7", state: "delivered", at: now * 1000 } as const;
	const { headers, body } = sealCallback(key, { event }, now * 1000);
	const record = { method: "POST", url, headers, body, secret: key.toString("base64"), now };
	const { code, lines } = carrier("verify", "smpp", "--request", file(record));
	assert.deepEqual([code, JSON.parse(lines[0] ?? "").events[0].carrierId], [0, "7"]);
	const other = { ...record, secret: randomBytes(32).toString("base64") };
	assert.deepEqual(verdicts(carrier("verify", "smpp", "--request", file(other)).lines), [[false, "bad_signature"]]);
});

test("a file in another encoding is misuse: its texts would be others", () => {
	const path = join(folder, "latin1.json");
	writeFileSync(path, Buffer.from('["\u00fc"]', "latin1"));
	const { code, lines, error } = carrier("segments", "--file", path);
	assert.deepEqual([code, lines, /latin1\.json is not UTF-8/.test(error)], [2, [], true]);
	writeFileSync(path, Buffer.from('\ufeff["\u00fc"]\r\n', "utf8"));
	assert.deepEqual(carrier("segments", "--file", path).lines, ['{"encoding":"gsm7","segments":1,"units":1}']);
});

test("segments of an array of texts are a line each; anything else is misuse", () => {
	const texts = ["", "a".repeat(161), "€".repeat(153), "😀".repeat(67), "\ud83d"];
	const { code, lines } = carrier("segments", "--file", file(texts));
	assert.equal(code, 0);
	assert.deepEqual(
		lines.map((line) => JSON.parse(line)),
		[
			{ encoding: "gsm7", segments: 1, units: 0 },
			{ encoding: "gsm7", segments: 2, units: 161 },
			{ encoding: "gsm7", segments: 3, units: 306 },
			{ encoding: "ucs2", segments: 3, units: 134 },
			{ encoding: "ucs2", segments: 1, units: 1 },
		],
	);
	for (const bad of ["{}", '["a",1]', "null", "["]) assert.equal(carrier("segments", "--file", file(bad)).code, 2, bad);
});

test("each of an array of PDUs is a line: its fields by their names, or the code of what is wrong", () => {
	const submit =
		"00000039000000040000000000000001000101313230323535353031303000010131323032353535303134320000000000000100000002" +
		"4869";
	const short = "00000010000000150000000000000002";
	const { code, lines } = carrier(
		"decode",
		"smpp",
		"--file",
		file([submit, short, `${short}00`, "zz", "", "0", `00 ${short.slice(2)}`, `${short}\n`]),
	);
	assert.equal(code, 0);
	const [pdu, link, ...errors] = lines.map((line) => JSON.parse(line));
	assert.deepEqual(pdu, {
		...{
			command: "submit_sm",
			command_length: 57,
			command_id: 4,
			command_status: 0,
			sequence_number: 1,
			service_type: "",
		},
		...{ source_addr_ton: 1, source_addr_npi: 1, source_addr: "12025550100" },
		...{ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "12025550142", esm_class: 0, protocol_id: 0 },
		...{ priority_flag: 0, schedule_delivery_time: "", validity_period: "", registered_delivery: 1 },
		...{ replace_if_present_flag: 0, data_coding: 0, sm_default_msg_id: 0, sm_length: 2, short_message: "4869" },
		...{ text: "Hi", tlvs: {} },
	});
	assert.equal(link.command, "enquire_link");
	const outbind = (password: string) => {
		const body = `736d736300${Buffer.from(password).toString("hex")}00`;
		const octets = (16 + body.length / 2).toString(16).padStart(8, "0");
		const one = carrier("decode", "smpp", "--file", file([`${octets}0000000b0000000000000003${body}`]));
		return [JSON.parse(one.lines[0] ?? "").password, one.lines.join().includes(password)];
	};
	assert.deepEqual(outbind("marker"), ["[redacted]", false]);
	assert.equal(outbind("")[0], "", "that there is none is told");
	assert.deepEqual(errors, [
		{ error: "trailing_bytes" },
		{ error: "not_hex" },
		{ error: "header_truncated" },
		{ error: "not_hex" },
		{ error: "not_hex" },
		{ error: "not_hex" },
	]);
	assert.equal(carrier("decode", "cimd", "--file", file([])).code, 2);
	assert.equal(carrier("decode", "smpp", "--file", file([1])).code, 2);
});
