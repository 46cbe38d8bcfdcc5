// Renewal through an outage, in front of a Vault that can be cut off.

import assert from "node:assert/strict";
import http, { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { address, createHeldTimers, login } from "./helper.ts";

const state = { cut: false };
const upstream = new URL(address);
const proxy = createServer((request, response) => {
	if (state.cut) return void request.socket.destroy();
	const { method = "GET", url: path = "/", headers } = request;
	const forwarded = http.request({ host: upstream.hostname, port: upstream.port, method, path, headers }, (answer) => {
		response.writeHead(answer.statusCode ?? 502, answer.headers);
		answer.pipe(response);
	});
	forwarded.on("error", () => request.socket.destroy());
	request.pipe(forwarded);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => proxy.once("listening", resolve));
const proxyAddress = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
after(() => {
	proxy.closeAllConnections();
	proxy.close();
});

async function untilPlanned(timers: ReturnType<typeof createHeldTimers>, isLost: () => boolean): Promise<void> {
	timers.runAll();
	while (timers.delays().length === 0 && !isLost()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("an outage shorter than the token costs nothing: renewal is tried again, ever less often, until it succeeds", async () => {
	const timers = createHeldTimers();
	const client = await login("signer", { address: proxyAddress, schedule: timers.schedule });
	const [usual] = timers.delays();
	state.cut = true;
	const waits: number[] = [];
	for (let tries = 0; tries < 9; tries++) {
		await untilPlanned(timers, client.isLost);
		waits.push(timers.delays()[0] as number);
		await assert.rejects(client.read("transit/keys/certificate"), { code: "keys_unavailable" });
	}
	assert.deepEqual(
		waits,
		[1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
	);
	state.cut = false;
	await untilPlanned(timers, client.isLost);
	assert.equal(timers.delays()[0], usual);
	assert.notEqual(await client.read("transit/keys/certificate"), undefined);
});

test("an outage that ends shortly before the token does costs nothing either", async () => {
	const timers = createHeldTimers();
	let now = 1_000_000;
	const client = await login("signer", { address: proxyAddress, schedule: timers.schedule, clock: () => now });
	state.cut = true;
	for (let tries = 0; tries < 7; tries++) await untilPlanned(timers, client.isLost);
	now += 3600_000 - 10_000;
	for (let tries = 0; tries < 3; tries++) {
		await untilPlanned(timers, client.isLost);
		now += timers.delays()[0] as number;
	}
	state.cut = false;
	await untilPlanned(timers, client.isLost);
	assert.equal(client.isLost(), false);
});

test("an outage that outlasts the token ends no process: it could not begin anew, and does once Vault is back", async () => {
	const timers = createHeldTimers();
	let now = 1_000_000;
	let reports = 0;
	const more = { address: proxyAddress, schedule: timers.schedule, clock: () => now, onLost: () => reports++ };
	const client = await login("signer", more);
	state.cut = true;
	for (let tries = 0; tries < 9; tries++) {
		now += 3600_000;
		await untilPlanned(timers, client.isLost);
		await assert.rejects(client.read("transit/keys/certificate"), { code: "keys_unavailable" });
	}
	assert.deepEqual([reports, client.isLost(), timers.delays()], [0, false, [60_000]]);
	state.cut = false;
	// As Vault does with one whose time is over.
	await client.write("auth/token/revoke-self");
	await assert.rejects(client.read("transit/keys/certificate"), { code: "keys_unavailable" });
	assert.deepEqual([reports, client.isLost()], [1, true]);
});
