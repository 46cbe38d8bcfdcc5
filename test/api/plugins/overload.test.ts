// Overload: what is more than the process bears is answered 503 at once, what was accepted stands, and it is soon well again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";
import { createTestApi, messageBody, type TestApi } from "../harness.ts";

const requestsInFlightMax = 6;

describe("overload", () => {
	let api: TestApi;
	let port: number;
	before(async () => {
		api = await createTestApi(({ requestLimits }) => ({ requestLimits: { ...requestLimits, requestsInFlightMax } }));
		await api.app.listen({ host: "127.0.0.1", port: 0 });
		port = (api.app.server.address() as AddressInfo).port;
	});
	after(() => api.close());

	const send = (key: string) =>
		fetch(`http://127.0.0.1:${port}/v1/messages`, {
			method: "POST",
			headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
			body: JSON.stringify(messageBody()),
		});

	it("a flood is shed: every 202 is stored, all else is 503 with Retry-After, and a moment later all is well", async () => {
		const { key } = await api.addTenant();
		const ids: string[] = [];
		const shed: Response[] = [];
		const end = Date.now() + 2_000;
		const lane = async () => {
			while (Date.now() < end) {
				const answer = await send(key);
				const body = (await answer.json()) as { id: string; code: string };
				if (answer.status === 202) ids.push(body.id);
				else {
					assert.deepEqual([answer.status, body.code], [503, "overloaded"]);
					shed.push(answer);
				}
			}
		};
		await Promise.all(Array.from({ length: 4 * requestsInFlightMax }, lane));
		assert.ok(ids.length > 0 && shed.length > 0, `${ids.length} ${shed.length}`);
		assert.ok(shed.every(({ headers }) => Number(headers.get("retry-after")) >= 1));
		assert.equal(await api.count(), ids.length);
		for (const id of ids) assert.ok(await api.read(id), id);
		assert.equal((await send(key)).status, 202);
	});

	const connections = () => promisify(api.app.server.getConnections.bind(api.app.server))();

	it("callers who leave half way give their places back", async () => {
		const { key } = await api.addTenant();
		const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": "1000" };
		const before = await connections();
		const stuck = Array.from({ length: requestsInFlightMax }, () => {
			const one = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/v1/messages", headers, agent: false });
			one.on("error", () => undefined);
			one.write("{");
			return one;
		});
		await until(async () => (await connections()) === before + requestsInFlightMax);
		// No place is free once they have been read, so none may be taken meanwhile.
		for (let round = 0; round < 5; round++) await fetch(`http://127.0.0.1:${port}/healthz`);
		assert.equal((await send(key)).status, 503);
		for (const one of stuck) one.destroy();
		await until(async () => (await send(key)).status === 202);
	});

	it("bodies are counted by what they announce, before they are read", async () => {
		const { key } = await api.addTenant();
		const big = limits.batchBytesMax;
		const count = Math.floor(limits.bytesInFlightMax / big) + 1;
		assert.ok(count > requestsInFlightMax, "the bound on bytes is for more requests than this test may have under way");
		const headers = {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
			"content-length": String(big),
		};
		const wide = await createTestApi();
		await wide.app.listen({ host: "127.0.0.1", port: 0 });
		const { key: wideKey } = await wide.addTenant();
		const to = { port: (wide.app.server.address() as AddressInfo).port, host: "127.0.0.1", method: "POST" };
		const open = Array.from({ length: count }, () => {
			const one = httpRequest({
				...to,
				path: "/v1/batches",
				headers: { ...headers, authorization: `Bearer ${wideKey}` },
			});
			one.on("error", () => undefined);
			one.write("{");
			return one;
		});
		const [answer] = await Promise.race(open.map((one) => once(one, "response")));
		assert.equal(answer.statusCode, 503);
		for (const one of open) one.destroy();
		await wide.close();
	});

	it("headers beyond the bound are refused as such", async () => {
		const socket = connect(port, "127.0.0.1");
		await once(socket, "connect");
		socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(limits.headerBytesMax)}\r\n\r\n`);
		const [data] = await once(socket, "data");
		assert.match(String(data), /^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
		socket.destroy();
	});
});
