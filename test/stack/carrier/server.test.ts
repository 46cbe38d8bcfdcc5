// The simulated carrier as a process: it keeps its word through kill -9, and leaves when its parent does.

import assert from "node:assert/strict";
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCarrier } from "../../../adapters/carriers/registry.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { magicNumber } from "../../../stack/carrier/magic.ts";
import { startCallbacks, until } from "./start.ts";

const program = new URL("../../../stack/carrier/server.ts", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "lethe-carrier-process-"));
const children = new Set<ChildProcess>();
const never = new AbortController().signal;
after(() => {
	for (const child of children) child.kill("SIGKILL");
	rmSync(folder, { recursive: true });
});

async function start(more: Record<string, string> = {}) {
	const env = { PATH: process.env.PATH, LETHE_CARRIER_DIR: folder, ...more };
	const child = fork(program, { env, stdio: ["ignore", "pipe", "inherit", "ipc"] });
	children.add(child);
	const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
	const message = new Promise((resolve) => child.once("message", resolve));
	const line = new Promise<Buffer>((resolve) => child.stdout?.once("data", resolve));
	const ready = (await message) as { ready: true; url: string; publicKey: string };
	assert.deepEqual(JSON.parse(String(await line)), ready);
	const { token } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8"));
	const secrets = { token, publicKey: ready.publicKey };
	const carrier = openCarrier("simulator", { settings: { url: ready.url }, secrets, allowSimulator: true });
	return { child, exited, token, carrier, ...ready };
}

const message = (reference: string) => ({
	to: Plaintext.text(magicNumber("delivered")),
	text: Plaintext.text("hello"),
	reference,
	validitySeconds: 60,
});

test("what it accepted before kill -9 it still knows after, under the same key and token", async () => {
	const callbacks = await startCallbacks();
	const first = await start({ LETHE_CARRIER_CALLBACK_URL: callbacks.url });
	for (const file of ["signing-key.pem", "credentials.json", "ledger.jsonl"]) {
		assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
	}
	const sending = Array.from({ length: 200 }, (_, n) => first.carrier.send(message(`ref_${n}`), never));
	await sending[20];
	first.child.kill("SIGKILL");
	const outcomes = await Promise.all(sending);
	await first.exited;
	assert.equal((await first.carrier.send(message("ref_down"), never)).kind, "rejected");
	await first.carrier.close?.();

	const second = await start({ LETHE_CARRIER_CALLBACK_URL: callbacks.url });
	assert.deepEqual([second.publicKey, second.token], [first.publicKey, first.token]);
	for (const [n, outcome] of outcomes.entries()) {
		const looked = await second.carrier.lookup?.(`ref_${n}`, Date.now(), never);
		if (outcome.kind === "accepted") {
			assert.ok(looked?.kind === "found" && looked.carrierId === outcome.carrierId);
		} else {
			assert.ok(outcome.kind === "rejected" ? looked?.kind === "absent" : outcome.kind === "ambiguous");
		}
	}
	const sent = await second.carrier.send(message("ref_after"), never);
	assert.ok(sent.kind === "accepted");
	const callback = await until(() => callbacks.received.find(({ body }) => body.includes(sent.carrierId)));
	assert.ok(second.carrier.verify(callback, Date.now()).valid);
	await second.carrier.close?.();
	second.child.kill("SIGTERM");
	assert.equal(await second.exited, 0);
	await callbacks.close();
});

test("it ends when its parent is gone", async () => {
	const { child, exited } = await start();
	child.disconnect();
	assert.equal(await exited, 0);
});

test("it takes the token it is given, and keeps it", async () => {
	const token = "t".repeat(32);
	const { child, exited, url } = await start({ LETHE_CARRIER_TOKEN: token });
	const answer = await fetch(`${url}/ledger`, { headers: { authorization: `Bearer ${token}` } });
	assert.equal(answer.status, 200);
	child.kill("SIGTERM");
	assert.equal(await exited, 0);
});

test("a setting that is missing or bad ends it at once, in one line that names the setting", () => {
	const bad: [name: string, value: string][] = [
		["LETHE_CARRIER_DIR", ""],
		["LETHE_CARRIER_PORT", "99999"],
		["LETHE_CARRIER_TOKEN", "short"],
		["LETHE_CARRIER_CALLBACK_URL", "http://carrier.example/"],
		["LETHE_CARRIER_RECEIPT_DELAY_MS", "-1"],
	];
	for (const [name, value] of bad) {
		const env = { PATH: process.env.PATH, LETHE_CARRIER_DIR: folder, [name]: value };
		const { status, stderr } = spawnSync(process.execPath, [program], { env, encoding: "utf8" });
		assert.equal(status, 2);
		assert.ok(stderr.startsWith(name) && stderr.split("\n").length === 2, stderr);
	}
});
