// Commands beside an API that breaks off: nobody takes what may have been done for undone, and a repeat of it does it once.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { run } from "../harness/programs.ts";

type Say = (answer: ServerResponse) => void;

const reset: Say = (answer) => answer.destroy();
const cutOff =
	(status: number, begun: string): Say =>
	(answer) => {
		answer.writeHead(status, { "content-type": "application/json", "content-length": 500 }).flushHeaders();
		answer.write(begun);
		setTimeout(() => answer.destroy(), 100);
	};
const half: Say = (answer) => answer.writeHead(200, { "content-type": "application/json" }).end('{"items":');

async function askOf(say: Say, ...args: string[]) {
	const asked: IncomingMessage[] = [];
	const server = createServer((request, answer) => {
		asked.push(request);
		request.resume().on("end", () => say(answer));
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const ended = await run(process.execPath, ["cli/lethe.ts", ...args, "--url", url, "--key", "k"]);
	server.close();
	return { ...ended, keys: asked.map(({ headers }) => headers["idempotency-key"]) };
}

const record = ["opt-outs", "record", "--number", "+12025550142", "--scope", "all"];

test("an act that was cut off may have been done, and its key to repeat it with is told", async () => {
	for (const say of [reset, cutOff(201, ""), cutOff(201, '{"id":'), cutOff(503, "{"), half]) {
		const { code, out, error, keys } = await askOf(say, ...record);
		assert.deepEqual([code, out], [2, ""], error);
		const told = `broke off, and may have done it. Repeat it with --idempotency-key ${keys[0]}: then it is done once.\n`;
		assert.ok(error.startsWith("lethe opt-outs record: the API at ") && error.endsWith(told), error);
	}
	const { keys, error } = await askOf(reset, ...record, "--idempotency-key", "order-7");
	assert.deepEqual([keys, error.includes(" --idempotency-key order-7: ")], [["order-7"], true], error);
});

test("what only reads is to be repeated, and an act that takes no key is to be looked for first", async () => {
	for (const [args, told] of [
		[["alerts"], /^lethe alerts: the API at \S+ broke off\. Repeat it\.\n$/],
		[["opt-outs", "check", "--number", "+12025550142"], / broke off\. Repeat it\.\n$/],
		[
			["webhooks", "remove", "whe_a"],
			/ broke off, and may have done it\. See whether it has before you repeat it\.\n$/,
		],
	] as const) {
		for (const say of [reset, cutOff(200, "{"), half]) {
			const { code, error } = await askOf(say, ...args);
			assert.deepEqual([code, told.test(error)], [2, true], error);
		}
	}
});
