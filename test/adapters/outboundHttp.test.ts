// What a tenant names is never a way inside: whatever the URL says, the name answers or the receiver redirects to.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { createOutboundHttp, type OutboundRequest, type Resolve } from "../../adapters/outboundHttp.ts";
import { limits } from "../../domain/limits.ts";

const loopback = ["127.0.0.0/8", "::1/128"];
const open: { close: () => unknown }[] = [];
after(async () => {
	for (const each of open) await each.close();
});

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => unknown, host = "127.0.0.1") {
	const heard = { requests: 0 };
	const server = createServer((request, response) => {
		heard.requests++;
		answer(request, response);
	});
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	open.push({ close: () => server.close() && server.closeAllConnections() });
	const { port } = server.address() as AddressInfo;
	return { port, url: `http://${host}:${port}/hook`, heard };
}

function client(options: { allowed?: string[]; resolve?: Resolve } = {}) {
	const http = createOutboundHttp({ allowed: loopback, ...options });
	open.push(http);
	return {
		...http,
		post: (url: string, more: Partial<OutboundRequest> = {}) =>
			http.request({ url, method: "POST", body: "{}", timeoutMs: 2_000, answerBytesMax: 1024, ...more }),
	};
}

const failed = (code: string) => ({ kind: "failed", code });
const answering = (...addresses: string[]): Resolve => {
	return async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
};

describe("outbound requests", () => {
	it("an answer comes back as it is; a redirect is one, and is not followed", async () => {
		const inside = await listen((_, response) => response.end("secret"));
		const { url } = await listen((_, response) => response.writeHead(302, { location: inside.url }).end("no"));
		const answer = await client().post(url);
		assert.ok(answer.kind === "answered");
		assert.deepEqual([answer.status, answer.body, answer.headers.location], [302, "no", inside.url]);
		assert.equal(inside.heard.requests, 0);
	});

	it("nothing that is not public is called, however it is written", async () => {
		const { port, heard } = await listen((_, response) => response.end());
		const http = client({ allowed: [], resolve: answering("127.0.0.1") });
		const addresses = [
			...["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "10.1.2.3", "172.16.0.1", "192.168.0.1"],
			...[
				"169.254.169.254",
				"100.64.0.1",
				"100.100.100.200",
				"168.63.129.16",
				"192.0.0.192",
				"198.18.0.1",
				"224.0.0.1",
			],
			...["255.255.255.255", "240.0.0.1", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[::127.0.0.1]"],
			...["[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]"],
			...["[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]", "[4000::1]"],
		];
		for (const address of addresses) {
			assert.deepEqual(await http.post(`https://${address}:${port}/`), failed("address_refused"), address);
			assert.equal(http.refusalOf(`https://${address}/`), "address_refused", address);
		}
		assert.deepEqual(await http.post(`https://name.test:${port}/`), failed("address_refused"), "by a name");
		assert.equal(heard.requests, 0);
		assert.equal(http.refusalOf("https://8.8.8.8/"), undefined);
		assert.equal(http.refusalOf("https://[2606:4700::1111]/"), undefined);
	});

	it("https only; http on loopback, where that is allowed; and no credentials, fragment or other scheme", async () => {
		const http = client({ resolve: answering("127.0.0.1") });
		const bad = ["http://example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://u:p@example.com/", "no", ""];
		for (const url of [...bad, "https://example.com/#a"]) {
			assert.deepEqual(await http.post(url), failed("url_refused"), url);
		}
		const { port, url } = await listen((_, response) => response.end());
		assert.equal((await http.post(url)).kind, "answered");
		assert.equal((await http.post(`http://localhost:${port}/`)).kind, "answered");
		assert.deepEqual(await client({ allowed: ["10.0.0.0/8"] }).post(url), failed("address_refused"));
	});

	it("it connects to the address that was checked: a name that answers otherwise the next time gains nothing", async () => {
		const outside = await listen((_, response) => response.writeHead(200, { connection: "close" }).end("outside"));
		let asked = 0;
		const http = client({
			allowed: ["127.0.0.1/32"],
			resolve: async () => [{ address: asked++ === 0 ? "127.0.0.1" : "127.0.0.2", family: 4 }],
		});
		const first = await http.post(`http://localhost:${outside.port}/`);
		assert.ok(first.kind === "answered" && first.body === "outside");
		assert.equal(asked, 1, "once a connection: what it answers later is not connected to");
		assert.deepEqual(await http.post(`http://localhost:${outside.port}/`), failed("address_refused"));
		assert.equal(outside.heard.requests, 1);
	});

	it("a name of which one address is inside is refused as a whole; one that has none is unresolved", async () => {
		const mixed = client({ allowed: ["127.0.0.1/32"], resolve: answering("127.0.0.1", "10.0.0.1") });
		const { port } = await listen((_, response) => response.end());
		assert.deepEqual(await mixed.post(`http://localhost:${port}/`), failed("address_refused"));
		const malformed = client({ resolve: answering("127.0.0.1%eth0") });
		assert.deepEqual(await malformed.post(`http://localhost:${port}/`), failed("address_refused"));
		assert.deepEqual(await client({ resolve: answering() }).post("https://name.test/"), failed("unresolved"));
		const away: Resolve = () => Promise.reject(new Error("ENOTFOUND secret.test"));
		assert.deepEqual(await client({ resolve: away }).post("https://name.test/"), failed("unresolved"));
	});

	it("of an answer that is too long, breaks off or never ends the status and the beginning are had where they will do", async () => {
		const long = await listen((_, response) => response.writeHead(201).end("ab".repeat(100_000)));
		const broken = await listen((_, response) => {
			response.writeHead(200, { "content-length": 100 }).write("ab");
			setTimeout(() => response.socket?.destroy(), 50);
		});
		const endless = await listen((_, response) => response.writeHead(200).write("ab"));
		for (const [url, status, body] of [
			[long.url, 201, "ab".repeat(512)],
			[broken.url, 200, "ab"],
			[endless.url, 200, "ab"],
		] as const) {
			const answer = await client().post(url, { mayBeCut: true, timeoutMs: 500 });
			assert.ok(answer.kind === "answered", JSON.stringify(answer));
			assert.deepEqual([answer.status, answer.body], [status, body]);
		}
		assert.deepEqual(await client().post(broken.url), failed("connection_lost"));
	});

	it("one receiver at a host that answers nothing keeps no other there waiting", async () => {
		const { url } = await listen(({ url: path }, response) => path === "/hook" || response.end("fast"));
		const http = client();
		const hanging = Array.from({ length: limits.webhooksInFlightPerEndpointMax }, () => http.post(url));
		const answer = await http.post(url.replace("/hook", "/other"), { timeoutMs: 1_000 });
		assert.equal(answer.kind, "answered", JSON.stringify(answer));
		for (const one of await Promise.all(hanging)) assert.deepEqual(one, failed("timeout"));
	});

	it("silence, endless headers or bodies, too much, and nonsense each end in time with their code", async () => {
		const http = client();
		const silent = await listen(() => undefined);
		assert.deepEqual(await http.post(silent.url, { timeoutMs: 100 }), failed("timeout"));
		const dripping = await listen((_, response) => response.writeHead(200).write("a"));
		assert.deepEqual(await http.post(dripping.url, { timeoutMs: 100 }), failed("timeout"));
		const slowName = client({ resolve: () => new Promise(() => undefined) });
		assert.deepEqual(await slowName.post("https://name.test/", { timeoutMs: 100 }), failed("timeout"));
		const large = await listen((_, response) => response.end("a".repeat(1025)));
		assert.deepEqual(await http.post(large.url), failed("answer_too_large"));
		const broken = await listen((request) => request.socket.end("HTTP/1.1 banana\r\n\r\n"));
		assert.deepEqual(await http.post(broken.url), failed("connection_lost"));
		const cut = await listen((request) => request.socket.destroy());
		assert.deepEqual(await http.post(cut.url), failed("connection_lost"));
		assert.deepEqual(await http.post("http://127.0.0.1:1/"), failed("unreachable"));
	});
});
