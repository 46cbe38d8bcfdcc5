// Encrypted logs count as searched only when what was planted in them, encrypted as processes do, was found again.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { createLogReader } from "../../../adapters/logs/logReader.ts";
import { createLogWriter } from "../../../adapters/logs/logWriter.ts";
import { answersPlace, type KeptAnswer } from "../../../cli/canary/answers.ts";
import { encryptedLogsPlace } from "../../../cli/canary/encryptedLogs.ts";
import { createExamine } from "../../../cli/canary/examine.ts";
import { createControls, createMarks, getError } from "../../../cli/canary/messages.ts";

const dir = mkdtempSync(join(tmpdir(), "lethe-canary-logs-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const marks = createMarks(randomBytes);
const examine = createExamine({ canaries: [marks.text, ...marks.numbers], controls: createControls(randomBytes) });

const openWriter = (process: string) =>
	createLogWriter({
		...{ dir, process, recipient: async () => recipient, clock: Date.now, randomBytes, tell: () => undefined },
		vaultTime: async () => Date.now(),
		...{ lifetimeMs: 3600_000, fileBytesMax: 64 * 1024 },
	});
const place = (key = identity) =>
	encryptedLogsPlace(async () => ({
		...{ dir, openWriter, identities: async () => [key] },
		openReader: (identities) => createLogReader({ dir, identities }),
	}));
const writeLine = async (line: string) => {
	const writer = openWriter("api");
	writer.write(`${line}\n`);
	await writer.close();
};

test("clean logs are read, the control in them is found, and taken away again", async () => {
	await writeLine('{"level":30,"time":1,"process":"api","msg":"begun"}');
	const before = readdirSync(dir);
	const report = await examine(place());
	assert.equal(report.read, true, report.error);
	assert.deepEqual([report.hits, report.controls.missing, report.sourceCount], [[], [], 2]);
	assert.deepEqual(readdirSync(dir), before);
});

test("logs that the key does not open are not read", async () => {
	const report = await examine(place(await generateX25519Identity()));
	assert.equal(report.read, false);
	assert.match(report.error ?? "", /no key here opens/);
});

test("what leaked into a line is found", async () => {
	await writeLine(
		`{"msg":"sent ${marks.text.value} to ${Buffer.from(marks.numbers[0]?.value ?? "").toString("base64")}"}`,
	);
	const report = await examine(place());
	assert.equal(report.read, true, report.error);
	assert.deepEqual(new Set(report.hits.map(({ term }) => term)), new Set(["text", marks.numbers[0]?.label]));
});

test("errors that callers got are searched, headers too, and without one the place is not read", async () => {
	const get = (url: string) => getError(url, new AbortController().signal);
	const server = createServer((_request, response) =>
		response.writeHead(422, { "x-why": marks.text.value }).end('{"detail":"no"}'),
	);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const kept: KeptAnswer[] = await get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/messages?to=1`);
	server.close();
	const report = await examine(answersPlace(kept, get));
	assert.equal(report.read, true, report.error);
	assert.deepEqual(
		report.hits.map(({ term, source }) => [term, source.includes("?")]),
		[["text", false]],
	);
	assert.equal((await examine(answersPlace([], get))).read, false);
});
