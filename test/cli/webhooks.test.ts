// `lethe webhooks`, as it asks the API.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { run } from "../harness/programs.ts";

test("a secret that leaked is rotated so that it signs no more, and unless told those of before go on for the API's day", async () => {
	const asked: [path: string | undefined, body: unknown][] = [];
	const server = createServer(async (request, answer) => {
		asked.push([request.url, JSON.parse(await text(request))]);
		const endpoint = {
			id: "whe_a",
			url: "https://hooks.example.com/",
			state: "enabled",
			default: true,
			secret: "shown-once",
		};
		answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(endpoint));
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	for (const more of [["--keep-for", "PT0S"], []]) {
		const rotate = ["webhooks", "rotate-secret", "whe_a", ...more, "--url", url, "--key", "k"];
		const { code, out, error } = await run(process.execPath, ["cli/lethe.ts", ...rotate]);
		assert.equal(code, 0, error);
		assert.match(out, /shown this once: shown-once/);
	}
	server.close();
	const path = "/v1/webhook-endpoints/whe_a/rotate-secret";
	assert.deepEqual(asked, [
		[path, { keepFor: "PT0S" }],
		[path, {}],
	]);
});
