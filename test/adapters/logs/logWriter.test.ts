// What a log file holds after rotation, a crash, a full disk, a key server that is away, and a clock that goes on.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
	appendFileSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { createLog } from "../../../adapters/logs/log.ts";
import { createLogReader, type LogLine } from "../../../adapters/logs/logReader.ts";
import { createLogWriter } from "../../../adapters/logs/logWriter.ts";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";

const folders: string[] = [];
after(() => {
	for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const day = 24 * 3600_000;

function begin(more: Partial<Parameters<typeof createLogWriter>[0]> = {}) {
	const dir = more.dir ?? join(mkdtempSync(join(tmpdir(), "lethe-logs-")), "logs");
	if (!more.dir) folders.push(join(dir, ".."));
	const told: string[] = [];
	const time = { now: Date.parse("2026-11-25T00:00:00Z"), jumpMs: 0, isVaultAway: false };
	const writer = createLogWriter({
		...{ dir, process: "api", recipient: async () => recipient, clock: () => time.now + time.jumpMs, randomBytes },
		vaultTime: async () => (time.isVaultAway ? Promise.reject(new Error("away")) : time.now),
		...{ lifetimeMs: 14 * day, fileBytesMax: 64 * 1024, tell: (code) => void told.push(code) },
		...more,
	});
	const log = createLog({ level: "info", process: more.process ?? "api", destination: writer });
	return {
		dir,
		told,
		time,
		writer,
		log,
		files: () =>
			readdirSync(dir)
				.sort()
				.map((name) => join(dir, name)),
	};
}

async function read(
	dir: string,
	options: Parameters<ReturnType<typeof createLogReader>["read"]>[0] = {},
	key = identity,
) {
	const reader = createLogReader({ dir, identities: [key] });
	const lines: LogLine[] = [];
	for await (const line of reader.read(options)) lines.push(line);
	return { messages: lines.map(({ msg }) => msg), lines, unread: reader.unread };
}

const whole = { torn: 0, sealed: 0, malformed: 0 };

test("lines are in a file within a second, for its owner only, in clear nowhere, and only the private key opens them", async () => {
	const { dir, writer, log, files } = begin();
	log.info({ code: "timeout" }, "a first line");
	log.error("a grave line");
	await until(
		() => statSync(dir, { throwIfNoEntry: false }) && files().length === 1 && statSync(files()[0] as string).size > 0,
	);
	const [file] = files() as [string];
	assert.deepEqual([statSync(file).mode & 0o777, statSync(dir).mode & 0o777], [0o600, 0o700]);
	assert.doesNotMatch(readFileSync(file, "latin1"), /line|timeout/);
	assert.deepEqual((await read(dir)).messages, ["a first line", "a grave line"]);
	const stranger = await read(dir, {}, await generateX25519Identity());
	assert.deepEqual([stranger.messages, stranger.unread], [[], { ...whole, sealed: 1 }]);
	await writer.close();
});

test("files follow each other by size and by age, and go when their oldest line is too old, whoever wrote them", async () => {
	const { dir, writer, log, files, time } = begin({ fileBytesMax: 2_000 });
	const lines = Array.from({ length: 5 }, (_, index) => `line ${index} ${"x".repeat(150)}`);
	for (const line of lines) {
		for (let copy = 0; copy < 8; copy++) log.info(line);
		await writer.flush();
	}
	assert.ok(files().length > 2);
	assert.equal((await read(dir)).messages.length, 40);
	time.now += 2 * day;
	log.info("two days later");
	await writer.flush();
	const count = files().length;
	writeFileSync(join(dir, "sender-20261101T000000000Z-0123456789abcdef.log.age"), "");
	writeFileSync(join(dir, "notes.txt"), "");
	time.now += 12 * day + 1;
	log.info("after the lifetime of the first ones");
	await writer.flush();
	assert.deepEqual((await read(dir)).messages, ["two days later", "after the lifetime of the first ones"]);
	assert.ok(files().length < count);
	assert.ok(
		files().some((file) => file.endsWith("notes.txt")),
		"what is no log of Lethe's stays",
	);
	await writer.close();
});

test("of a block that a crash cut off nothing is read, and all before it and after it is", async () => {
	const { dir, writer, log, files } = begin();
	for (const line of ["one", "two", "three"]) {
		log.info(line);
		await writer.flush();
	}
	await writer.close();
	const [file] = files() as [string];
	const size = statSync(file).size;
	const last = readFileSync(file, "latin1").lastIndexOf("-----BEGIN");
	for (const cut of [last + 1, last + 40, last + 200, size - 3]) {
		const bytes = readFileSync(file);
		truncateSync(file, cut);
		const { messages, unread } = await read(dir);
		assert.deepEqual(messages, ["one", "two"]);
		assert.ok(unread.torn <= 1);
		const next = begin({ dir });
		next.log.info("four");
		await next.writer.close();
		assert.deepEqual(
			(await read(dir)).messages,
			["one", "two", "four"].sort((a, b) => (a === "four" ? 0 : a < b ? -1 : 1)),
		);
		for (const other of files()) if (other !== file) rmSync(other);
		writeFileSync(file, bytes);
	}
	// In the middle of the file, as a full disk leaves it.
	appendFileSync(file, "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLW\n");
	const more = begin({ dir: join(dir, "..", "other") });
	more.log.info("five");
	await more.writer.close();
	appendFileSync(file, readFileSync(more.files()[0] as string));
	const { messages, unread } = await read(dir);
	assert.deepEqual([messages, unread], [["one", "two", "three", "five"], { ...whole, torn: 1 }]);
});

test("a full disk loses no line that there is memory for, is told once, and leaves no half block", async (t) => {
	const { dir, writer, log, told, files } = begin();
	log.info("before");
	await writer.flush();
	const handle = await open(files()[0] as string);
	const prototype = Object.getPrototypeOf(handle);
	await handle.close();
	const append = prototype.appendFile;
	const full = t.mock.method(prototype, "appendFile", async function (this: unknown, data: Buffer) {
		await append.call(this, data.subarray(0, 50));
		throw Object.assign(new Error("full"), { code: "ENOSPC" });
	});
	log.info("meanwhile");
	await writer.flush();
	for (let count = 0; count < 20_000; count++) log.info(`more ${"x".repeat(80)}`);
	await writer.flush();
	assert.deepEqual(told, ["ENOSPC"]);
	full.mock.restore();
	log.info("no room for this one");
	await writer.flush();
	log.info("afterwards");
	await writer.close();
	assert.deepEqual(told, ["ENOSPC", "written"]);
	const { messages, lines, unread } = await read(dir);
	assert.deepEqual(unread, whole);
	assert.deepEqual(messages.slice(0, 3), ["before", "log lines were lost", "meanwhile"]);
	assert.equal(messages.at(-1), "afterwards");
	const lost = lines.find(({ code }) => code === "log_lines_lost")?.lostCount as number;
	const kept = messages.filter((message) => message.startsWith("more")).length;
	assert.equal(lost + kept, 20_001);
	assert.ok(kept * 80 < limits.logBufferBytesMax);
});

test("lines wait for a key that can't be had yet; one that is known serves on while it can't be asked for", async () => {
	let answer = async (): Promise<string> => {
		throw new Error("away");
	};
	const { dir, writer, log, told, time } = begin({ recipient: () => answer() });
	await assert.rejects(writer.start(), { code: "log_key_unavailable" });
	log.info("early");
	await writer.flush();
	assert.deepEqual(told, ["log_key_unavailable"]);
	answer = async () => recipient;
	await writer.flush();
	answer = async () => Promise.reject(new Error("away again"));
	time.now += 2 * day;
	log.info("late");
	await writer.close();
	assert.deepEqual((await read(dir)).messages, ["early", "late"]);
});

test("what can't be begun is told at the start", async () => {
	const { dir } = begin();
	writeFileSync(dir, "a file, where the folder is to be");
	await assert.rejects(begin({ dir }).writer.start());
});

test("several processes write beside each other, and are read by time; since, process and what is new narrow it", async () => {
	const api = begin();
	const sender = begin({ dir: api.dir, process: "sender" });
	for (let index = 0; index < 6; index++) {
		(index % 2 === 0 ? api : sender).log.info(`line ${index}`);
		await Promise.all([api.writer.flush(), sender.writer.flush()]);
		await until(() => Date.now() > lastMs);
		lastMs = Date.now();
	}
	const all = await read(api.dir);
	assert.deepEqual(all.messages, ["line 0", "line 1", "line 2", "line 3", "line 4", "line 5"]);
	assert.deepEqual((await read(api.dir, { process: "sender" })).messages, ["line 1", "line 3", "line 5"]);
	assert.deepEqual((await read(api.dir, { since: all.lines[4]?.time as number })).messages, ["line 4", "line 5"]);
	const reader = createLogReader({ dir: api.dir, identities: [identity] });
	const news = async () => {
		const lines: string[] = [];
		for await (const { msg } of reader.read({ isLive: true })) lines.push(msg);
		return lines;
	};
	assert.equal((await news()).length, 6);
	assert.deepEqual(await news(), []);
	sender.log.info("line 6");
	await sender.writer.flush();
	const [half] = sender.files().filter((file) => file.includes("sender")) as [string];
	const bytes = readFileSync(half);
	truncateSync(half, bytes.length - 10);
	assert.deepEqual(await news(), [], "half a block is on its way");
	writeFileSync(half, bytes);
	assert.deepEqual(await news(), ["line 6"]);
	assert.deepEqual(reader.unread, whole);
	await Promise.all([api.writer.close(), sender.writer.close()]);
});
let lastMs = 0;

test("a clock that is ahead drops nothing that is in its time, of no process, and is all that there is while Vault is away", async () => {
	const { dir, writer, log, time } = begin();
	const other = begin({ dir, process: "sender" });
	other.log.info("of another process");
	await other.writer.flush();
	const say = async (message: string) => {
		log.info(message);
		await writer.flush();
		return (await read(dir)).messages.includes("of another process");
	};
	time.jumpMs = 15 * day;
	assert.equal(await say("ahead"), true);
	time.isVaultAway = true;
	time.jumpMs += 15 * day;
	assert.equal(await say("on its own"), false);
});
