// What is secret, or personal, need not be an argument: `-` has it read, each a line, in one order.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { run } from "../harness/programs.ts";

test("a key, a number and a PIN are read from a pipe, a line each, and what is not there is asked for in vain", async (t) => {
	const asked: { headers: IncomingHttpHeaders; body: { to?: string; pin?: string } }[] = [];
	const server = createServer(async (request, answer) => {
		asked.push({ headers: request.headers, body: JSON.parse((await text(request)) || "{}") });
		answer.setHeader("content-type", "application/json").end('{"id":"msg_a","state":"accepted","items":[]}');
	}).listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const lethe = (input: string, ...args: string[]) =>
		run(process.execPath, ["cli/lethe.ts", ...args, "--url", url], { input });
	const send = ["send", "--to", "-", "--body", "Hello.", "--pin", "-", "--key", "-"];
	const sent = await lethe("key-1\n+12025550142\n204816\n", ...send);
	assert.equal(sent.code, 0, sent.error);
	assert.deepEqual([asked[0]?.headers.authorization, asked[0]?.body.to], ["Bearer key-1", "+12025550142"]);
	assert.equal(asked[0]?.body.pin, "204816");
	assert.doesNotMatch(sent.out + sent.error, /204816|key-1/);
	// As `printf %s` gives it.
	assert.equal((await lethe("key-2", "alerts", "--key", "-")).code, 0);
	assert.equal(asked[1]?.headers.authorization, "Bearer key-2");
	const { code, error } = await lethe("key-1\n+12025550142\n", ...send);
	assert.deepEqual([code, /no answer to "PIN:"\. Give one line for each question\.$/m.test(error)], [2, true], error);
	assert.equal(asked.length, 2);
});
