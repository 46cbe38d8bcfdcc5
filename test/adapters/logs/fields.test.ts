// A log line holds listed fields in their forms, whatever a call passes; and no call of ours passes another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanText, logFields } from "../../../adapters/logs/fields.ts";
import { createLog } from "../../../adapters/logs/log.ts";
import { formatId } from "../../../domain/ids.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { readTreeFile, treePaths } from "../../tidy/tree.ts";

const number = "+4915112345678";
function lineOf(...call: [object | string, string?, ...unknown[]]): Record<string, unknown> {
	const lines: string[] = [];
	const log = createLog({ level: "info", process: "api", destination: { write: (line) => void lines.push(line) } });
	(log.info as (...given: unknown[]) => void)(...call);
	return JSON.parse(lines[0] as string);
}

test("listed fields pass in their form, all others are left out and counted", () => {
	const messageId = formatId("message", new Uint8Array(16).fill(7));
	const line = lineOf({ messageId, code: "timeout", ms: 12.5, body: "hello", to: number }, "failed");
	const { time: _, ...rest } = line;
	const told = { messageId, code: "timeout", ms: 12.5, unlistedCount: 2 };
	assert.deepEqual(rest, { level: 30, process: "api", ...told, msg: "failed" });
});

test("what has not its field's form is redacted, whichever field it stands in", () => {
	const values = [
		number,
		4915112345678,
		Plaintext.text("hello"),
		{ deep: number },
		[number],
		`x ${number}`,
		"0151 123 456 78",
	];
	for (const [name, form] of Object.entries(logFields)) {
		for (const value of values) {
			const text = JSON.stringify(lineOf({ [name]: value }, "m"));
			assert.ok(!/151.?123|hello/.test(text.replace(/"time":\d+/, "")), `${name} (${form}): ${text}`);
		}
	}
});

test("of a cause its named parts are written, frames among them, and nothing else of it", () => {
	const at = ["at run (file:///app/x.ts:12:34)", `at ${number}`];
	const { cause } = lineOf(
		{ cause: { name: "TypeError", status: 503, at, message: number, path: { deep: number } } },
		"failed",
	);
	const told = { name: "TypeError", status: 503, at: [at[0], "at +[redacted]"], path: "[redacted]" };
	assert.deepEqual(cause, told);
});

test("a message is never filled in, and a number in it, or a control character, is taken out", () => {
	assert.equal(lineOf("to %s", number).msg, "to %s");
	assert.equal(lineOf({}, `to ${number}\u001b[2J now`).msg, "to +[redacted] [2J now");
	for (const written of ["0151-123 456 78", "(0151) 12345678", "1 2 3 4 5 6 7"])
		assert.doesNotMatch(cleanText(written), /\d/);
	assert.equal(cleanText("answered 503 after 10000 ms"), "answered 503 after 10000 ms");
	assert.ok(cleanText("x".repeat(10_000)).length <= 200);
});

test("of an error its code stands in the log, never its message or stack", () => {
	const error = Object.assign(new Error(`no route to ${number}`), { code: "ECONNREFUSED" });
	assert.equal(lineOf(error as never, "failed").code, "ECONNREFUSED");
	assert.doesNotMatch(JSON.stringify(lineOf(error as never)), /route|stack|151/);
});

test("every call of ours passes listed fields only", () => {
	const rooms = /^(activities|adapters|api|audit|policies|workers)\/|^deps\.ts$/;
	const unlisted: string[] = [];
	let callCount = 0;
	for (const path of treePaths.filter((file) => rooms.test(file) && file.endsWith(".ts"))) {
		for (const [, fields = ""] of readTreeFile(path).matchAll(
			/\blog\.(?:debug|info|warn|error|fatal)\(\s*\{(.*?)\},/gs,
		)) {
			callCount++;
			for (const [, name = ""] of fields.matchAll(/(?:^|,)\s*([a-zA-Z]+)(?=\s*[:,]|\s*$)/g)) {
				if (!Object.hasOwn(logFields, name)) unlisted.push(`${path}: ${name}`);
			}
		}
	}
	assert.deepEqual(unlisted, []);
	assert.ok(callCount > 15);
});
