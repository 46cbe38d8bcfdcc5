// Whether anything was written decides whether a message may be sent again; these sockets misbehave in every way we know.

import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createCarrierHttp } from "../../../adapters/carriers/http.ts";
import { until } from "../../stack/carrier/start.ts";

const never = new AbortController().signal;
const open: { close: () => unknown }[] = [];
after(async () => {
	for (const each of open) await each.close();
});

async function listen(behave: (socket: Socket) => void) {
	const sockets = new Set<Socket>();
	const heard = { connections: 0, bytes: 0 };
	const server: Server = createServer((socket) => {
		heard.connections++;
		sockets.add(socket);
		socket.on("data", (data) => {
			heard.bytes += data.length;
		});
		socket.on("error", () => {});
		behave(socket);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	open.push({ close: () => [...sockets].map((socket) => socket.destroy()) && server.close() });
	const { port } = server.address() as { port: number };
	return { url: `http://127.0.0.1:${port}`, heard, server };
}

function connect(url: string, options: { timeoutMs?: number; connectionsMax?: number } = {}) {
	const http = createCarrierHttp({ url, timeoutMs: 2_000, connectionsMax: 10, answerBytesMax: 1024, ...options });
	open.push(http);
	return http;
}

const post = { method: "POST", path: "/v1/messages", headers: {}, body: "{}" } as const;
const answerOnce = (text: string) => (socket: Socket) => void socket.once("data", () => socket.write(text));
const ok = "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok";

test("an answer comes back with its status, headers and body", async () => {
	const { url } = await listen(answerOnce("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\ncontent-length: 2\r\n\r\nno"));
	const exchange = await connect(url).exchange(post, never);
	assert.ok(exchange.kind === "answered");
	assert.deepEqual([exchange.status, exchange.headers["retry-after"], exchange.body], [429, "7", "no"]);
});

test("a refused connection is unsent", async () => {
	const { url, server } = await listen(() => {});
	await new Promise((resolve) => server.close(resolve));
	assert.deepEqual(await connect(url).exchange(post, never), { kind: "unsent", code: "unreachable" });
});

test("a name that does not resolve is unsent", async () => {
	const exchange = await connect("https://carrier.invalid").exchange(post, never);
	assert.deepEqual(exchange, { kind: "unsent", code: "unreachable" });
});

test("a request that waits for a free connection until the time is over is unsent", async () => {
	const { url, heard } = await listen(() => {});
	const http = connect(url, { timeoutMs: 1_500, connectionsMax: 1 });
	const first = http.exchange(post, never);
	await until(() => heard.bytes > 0);
	// Its own time is over while the first still has the connection.
	const second = await http.exchange(post, AbortSignal.timeout(100));
	assert.deepEqual(second, { kind: "unsent", code: "aborted" });
	assert.deepEqual(await first, { kind: "unanswered", code: "timeout" });
	const { bytes } = heard;
	await sleep(100);
	assert.equal(heard.bytes, bytes, "a request given up must not be written later");
});

test("silence after the request is unanswered once the time is over", async () => {
	const { url, heard } = await listen(() => {});
	const exchange = await connect(url, { timeoutMs: 100 }).exchange(post, never);
	assert.deepEqual(exchange, { kind: "unanswered", code: "timeout" });
	assert.ok(heard.bytes > 0);
});

test("an answer that trickles for ever is cut off when the time is over", async () => {
	const { url } = await listen((socket) => {
		socket.once("data", () => {
			socket.write("HTTP/1.1 202 Accepted\r\ncontent-length: 900\r\n\r\n");
			const timer = setInterval(() => socket.write("x"), 10);
			socket.once("close", () => clearInterval(timer));
		});
	});
	const exchange = await connect(url, { timeoutMs: 150 }).exchange(post, never);
	assert.deepEqual(exchange, { kind: "unanswered", code: "timeout" });
});

test("an end of the connection at any point of the answer is unanswered", async () => {
	for (const part of ["", "HTT", "HTTP/1.1 202 Accepted\r\n", "HTTP/1.1 202 Accepted\r\ncontent-length: 9\r\n\r\nok"]) {
		for (const how of ["end", "resetAndDestroy"] as const) {
			const { url } = await listen((socket) => {
				socket.once("data", () => socket.write(part, () => socket[how]()));
			});
			const exchange = await connect(url).exchange(post, never);
			assert.deepEqual(exchange, { kind: "unanswered", code: "connection_lost" }, `${how} after "${part}"`);
		}
	}
});

test("an answer that is not HTTP is unanswered", async () => {
	const { url } = await listen(answerOnce("220 mail.example ESMTP\r\n"));
	const exchange = await connect(url).exchange(post, never);
	assert.deepEqual(exchange, { kind: "unanswered", code: "connection_lost" });
});

test("an answer longer than the bound is not read to its end", async () => {
	const { url } = await listen(answerOnce(`HTTP/1.1 202 Accepted\r\ncontent-length: 5000\r\n\r\n${"x".repeat(5000)}`));
	const exchange = await connect(url).exchange(post, never);
	assert.deepEqual(exchange, { kind: "unanswered", code: "unreadable_answer" });
});

test("a redirect is an answer, not followed", async () => {
	const { url, heard } = await listen(answerOnce("HTTP/1.1 307 Away\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n"));
	const exchange = await connect(url).exchange(post, never);
	assert.ok(exchange.kind === "answered" && exchange.status === 307);
	assert.equal(heard.connections, 1);
});

test("a signal that has ended already, or ends before the write, leaves the request unsent", async () => {
	const { url, heard } = await listen(() => {});
	const http = connect(url);
	assert.deepEqual(await http.exchange(post, AbortSignal.abort()), { kind: "unsent", code: "aborted" });
	const controller = new AbortController();
	const waiting = http.exchange(post, controller.signal);
	controller.abort();
	assert.deepEqual(await waiting, { kind: "unsent", code: "aborted" });
	await sleep(50);
	assert.equal(heard.bytes, 0);
});

test("a signal that ends after the write leaves the request unanswered", async () => {
	const { url, heard } = await listen(() => {});
	const controller = new AbortController();
	const waiting = connect(url).exchange(post, controller.signal);
	await until(() => heard.bytes > 0);
	controller.abort();
	assert.deepEqual(await waiting, { kind: "unanswered", code: "aborted" });
});

test("a message no longer due when the connection is ready is not written", async () => {
	const { url, heard } = await listen(() => {});
	const http = connect(url);
	const exchange = await http.exchange({ ...post, stillDue: () => false }, never);
	assert.deepEqual(exchange, { kind: "unsent", code: "withdrawn" });
	assert.deepEqual(heard, { connections: 1, bytes: 0 });
	const failing = () => {
		throw new Error("no clock");
	};
	assert.equal((await http.exchange({ ...post, stillDue: failing }, never)).kind, "unsent");
	assert.equal(heard.bytes, 0);
});

test("requests one after the other share connections that stay open", async () => {
	const { url, heard } = await listen((socket) => {
		socket.on("data", (data) => data.toString().endsWith("{}") && socket.write(ok));
	});
	const http = connect(url);
	for (let turn = 0; turn < 20; turn++) assert.equal((await http.exchange(post, never)).kind, "answered");
	// The pool checks a connection for a moment after each answer; meanwhile the next request takes the other one.
	assert.ok(heard.connections <= 2, `${heard.connections} connections`);
});

test("a closed pool sends nothing more", async () => {
	const { url, heard } = await listen(answerOnce(ok));
	const http = connect(url);
	await http.close();
	assert.equal((await http.exchange(post, never)).kind, "unsent");
	assert.equal(heard.bytes, 0);
});

test("a pool that is closed lets what was written be answered", async () => {
	let answer: () => void = assert.fail;
	const { url, heard } = await listen((socket) => {
		socket.on("data", () => {
			answer = () => void socket.write(ok);
		});
	});
	const http = connect(url);
	const exchange = http.exchange(post, never);
	await until(() => heard.bytes > 0);
	const closed = http.close();
	answer();
	assert.equal((await exchange).kind, "answered");
	await closed;
});
