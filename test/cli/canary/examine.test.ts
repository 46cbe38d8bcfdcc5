// A place counts as read only when its planted controls are found, and every hit in it is told.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { samplesOf, type Term } from "../../../cli/canary/encodings.ts";
import { createExamine, type Place } from "../../../cli/canary/examine.ts";
import { dataFilesPlace, logFilesPlace } from "../../../cli/canary/files.ts";
import { createControls, createMarks } from "../../../cli/canary/messages.ts";
import { pagesPlace } from "../../../cli/canary/pages.ts";

const root = mkdtempSync(join(tmpdir(), "lethe-canary-"));
after(() => rmSync(root, { recursive: true, force: true }));

let seed = 0;
const randomBytes = (size: number) =>
	Uint8Array.from({ length: size }, () => {
		seed = (seed * 75 + 74) % 65537;
		return seed & 255;
	});
const marks = createMarks(randomBytes);
const canaries: Term[] = [marks.text, ...marks.numbers];
const controls = createControls(randomBytes);
const examine = createExamine({ canaries, controls });

let folders = 0;
function folder(): string {
	const path = join(root, String(folders++));
	mkdirSync(join(path, "deep", "er"), { recursive: true });
	writeFileSync(join(path, "store.db"), Buffer.alloc(3_000_000, "page of nothing\n"));
	writeFileSync(join(path, "deep", "er", "empty"), "");
	return path;
}

test("a clean directory is read, all of it, and nothing is left behind", async () => {
	const path = folder();
	const before = readdirSync(path, { recursive: true });
	const report = await examine(dataFilesPlace("files", path, "id"));
	assert.equal(report.read, true, report.error);
	assert.deepEqual(report.hits, []);
	assert.equal(report.sourceCount, 3);
	assert.ok(report.bytes > 3_000_000);
	assert.equal(report.controls.found, report.controls.planted);
	assert.equal(report.controls.planted, samplesOf(controls).length);
	assert.deepEqual(readdirSync(path, { recursive: true }), before);
});

test("a canary in any encoding, deep in a directory, is a hit that names its file and term", async () => {
	for (const sample of samplesOf([marks.text, marks.numbers[0] as Term])) {
		const path = folder();
		const file = join(path, "deep", "er", "leak");
		writeFileSync(file, Buffer.concat([Buffer.alloc(1_048_570, "."), sample.bytes]));
		const report = await examine(dataFilesPlace("files", path, "id"));
		assert.equal(report.read, true);
		assert.ok(report.hits.length > 0, sample.encoding);
		assert.ok(report.hits.every((hit) => hit.source === file && hit.term === sample.term.label));
	}
});

test("a log is read with the files it was rotated into, compressed ones too, and with no other log", async () => {
	const path = folder();
	const log = join(path, "api.log");
	writeFileSync(log, "started\n");
	writeFileSync(join(path, "worker.log"), marks.text.value);
	assert.deepEqual((await examine(logFilesPlace("log", log, "id"))).hits, []);
	writeFileSync(`${log}.1.gz`, gzipSync(`a line ${marks.text.value}\n`));
	const report = await examine(logFilesPlace("log", log, "id"));
	assert.equal(report.read, true);
	assert.deepEqual(
		report.hits.map(({ source, encoding }) => ({ source, encoding })),
		[{ source: `${log}.1.gz`, encoding: "gzip > plain" }],
	);
});

test("what is written, renamed or removed while it is read is still found, and no error", async () => {
	const path = folder();
	const inner = dataFilesPlace("files", path, "id");
	let turns = 0;
	const place: Place = {
		...inner,
		read: (open) =>
			inner.read((source) => {
				const sink = open(source);
				if (turns++ === 0) {
					writeFileSync(join(path, "late"), marks.text.value);
					rmSync(join(path, "deep"), { recursive: true });
				}
				return sink;
			}),
	};
	const report = await examine(place);
	assert.equal(report.read, true, report.error);
	assert.deepEqual(
		report.hits.map((hit) => hit.source),
		[join(path, "late")],
	);
});

test("a place that is absent, or can't be listed or written, is not read", async () => {
	const file = join(root, "plain file");
	writeFileSync(file, "");
	const places = [
		dataFilesPlace("absent", join(root, "absent"), "id"),
		dataFilesPlace("a file", file, "id"),
		logFilesPlace("absent log", join(root, "absent.log"), "id"),
	];
	for (const place of places) {
		const report = await examine(place);
		assert.equal(report.read, false, place.name);
		assert.ok(report.error);
	}
});

test("a link out of the directory is not followed", async () => {
	const path = folder();
	const outside = join(root, "outside");
	writeFileSync(outside, marks.text.value);
	symlinkSync(outside, join(path, "link"));
	assert.deepEqual((await examine(dataFilesPlace("files", path, "id"))).hits, []);
});

/** A place in memory whose reader may be broken. */
function memoryPlace(broken: (bytes: Buffer) => Buffer | undefined): Place {
	const stored: Buffer[] = [];
	return {
		name: "memory",
		holds: "bytes",
		async plant(samples) {
			stored.push(...samples.map(({ bytes }) => bytes));
			return { sources: ["memory"], remove: async () => undefined };
		},
		async read(open) {
			const sink = open("memory");
			for (const bytes of stored) await sink.write(broken(bytes) ?? Buffer.alloc(0));
			await sink.end();
		},
	};
}

test("a reader that loses or changes one kind of bytes is caught by the control of that encoding", async () => {
	const whole = await examine(memoryPlace((bytes) => bytes));
	assert.equal(whole.read, true);
	const asText = await examine(memoryPlace((bytes) => Buffer.from(bytes.toString("utf8"))));
	assert.equal(asText.read, false);
	assert.ok(asText.controls.missing.includes("memory: control text as gzip"));
	assert.ok(!asText.controls.missing.includes("memory: control text as plain"));
	const lowered = await examine(memoryPlace((bytes) => Buffer.from(bytes.toString("latin1").toLowerCase(), "latin1")));
	assert.ok(lowered.controls.missing.includes("memory: control text as base64 offset 1"));
	const nothing = await examine(memoryPlace(() => undefined));
	assert.equal(nothing.controls.found, 0);
	assert.equal(nothing.read, false);
});

test("every encoding that is planted is needed: leaving one sample out leaves the place unread", async () => {
	// The samples of these hold the bytes of another's too: digits have one hex, national forms and streams hold plain ones.
	const shared = new Set([
		"plain",
		"hex",
		"hex upper case",
		"utf-16 le",
		"utf-16 be",
		"separated",
		"loosely separated",
	]);
	for (const left of samplesOf(controls)) {
		const report = await examine(memoryPlace((bytes) => (bytes.equals(left.bytes) ? undefined : bytes)));
		const expected = [`memory: ${left.term.label} as ${left.encoding}`];
		if (!shared.has(left.encoding) || report.controls.missing.length > 0) {
			assert.deepEqual(report.controls.missing, expected);
		}
	}
});

test("a place where nothing could be planted, or whose controls stay behind, is not read", async () => {
	const inner = memoryPlace((bytes) => bytes);
	const unplanted = await examine({ ...inner, plant: async () => ({ sources: [], remove: async () => undefined }) });
	assert.equal(unplanted.read, false);
	const stays = await examine({
		...inner,
		plant: async (samples) => ({ ...(await inner.plant(samples)), remove: () => Promise.reject(new Error("away")) }),
	});
	assert.equal(stays.read, false);
});

test("an interrupted search still takes its controls away", async () => {
	const interrupt = new AbortController();
	const interrupted = createExamine({ canaries, controls, signal: interrupt.signal });
	const path = folder();
	const before = readdirSync(path);
	interrupt.abort(new Error("interrupted"));
	const report = await interrupted(dataFilesPlace("files", path, "id"));
	assert.equal(report.read, false);
	assert.deepEqual(readdirSync(path), before);
});

test("a page is searched as sent and as decoded, and must show what proves that it is the page", async () => {
	const pages: Record<string, string> = {
		"/metrics": "# TYPE lethe_messages counter\n",
		"/leak": JSON.stringify({ nested: [{ text: `\\u0041 ${marks.text.value}` }] }),
		"/other": "not it",
	};
	const server = createServer((request, response) => {
		const body = request.headers.authorization === "Bearer key" ? pages[request.url ?? ""] : undefined;
		response.writeHead(body ? 200 : 404).end(body);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
	const look = (path: string, proof: string, apiKey = "key") =>
		examine(pagesPlace({ name: "pages", url, apiKey, pages: async () => [{ path, proof }] }));
	try {
		const clean = await look("/metrics", "# TYPE");
		assert.equal(clean.read, true, clean.error);
		assert.deepEqual(clean.hits, []);
		assert.ok((await look("/leak", "nested")).hits.length > 0);
		assert.equal((await look("/other", "# TYPE")).read, false);
		assert.equal((await look("/absent", "")).read, false);
		assert.equal((await look("/metrics", "# TYPE", "wrong")).read, false);
	} finally {
		server.close();
	}
});

test("marks of two runs differ, and every marked number is possible", () => {
	const other = createMarks(randomBytes);
	assert.notEqual(other.text.value, marks.text.value);
	for (const { value } of [...marks.numbers, ...other.numbers]) assert.match(value, /^\+(49151\d{8}|121263\d{5})$/);
});
