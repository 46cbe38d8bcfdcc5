// `lethe canary` as a shell sees it: where it refuses to run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { createMarks, sendMarkedMessages } from "../../cli/canary/messages.ts";
import { openMongo } from "../../cli/canary/mongo.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-canary-command-"));
const database = `lethe_canary_test_${randomBytes(4).toString("hex")}`;
const mongoUrl = process.env.MONGODB_URL as string;
const mongo = openMongo(mongoUrl);
after(async () => {
	rmSync(folder, { recursive: true, force: true });
	await mongo.db(database).dropDatabase();
	await mongo.close();
});

const program = `
	import { canaryCommand } from ${JSON.stringify(new URL("../../cli/canary.ts", import.meta.url).href)};
	await canaryCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;

async function canary(...args: string[]) {
	const child = spawn(process.execPath, ["--input-type=module", "-e", program, "--", ...args], {
		env: { ...process.env, LETHE_DATABASE: database },
		stdio: ["ignore", "pipe", "pipe"],
	});
	const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
	const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
	return { code: await exit, out, error };
}

/** A stack whose API answers nobody. */
function stackFile(name: string, more: Record<string, unknown> = {}): string {
	const server = { pid: null, source: "environment", program: null, dataDir: null, logFile: null };
	const path = join(folder, name);
	const stack = {
		version: 1,
		startedAt: new Date(0).toISOString(),
		pid: process.pid,
		dir: folder,
		ports: {},
		servers: {
			temporal: { ...server, address: "127.0.0.1:1", uiUrl: null, namespace: "default" },
			vault: { ...server, url: "http://127.0.0.1:1", auditFile: null, issuerTokenFile: "absent" },
			mongodb: { ...server, url: mongoUrl },
			redis: { ...server, url: "redis://127.0.0.1:1" },
		},
		processes: { api: { pid: null, logFile: "absent", url: "http://127.0.0.1:1" } },
		demo: { tenantId: "ten_demo", apiKey: "lethe_key_not_a_key" },
		...more,
	};
	writeFileSync(path, JSON.stringify(stack));
	return path;
}

/** A queue is a carrier, drained where `~` follows it, and the sender that follows `/`. */
async function routeTo(carriers: string[]): Promise<void> {
	const store = mongo.db(database);
	await Promise.all([store.collection("tenants").deleteMany({}), store.collection("sendQueues").deleteMany({})]);
	const ids = carriers.map((_, index) => `queue-${index}`);
	await store.collection<{ _id: string }>("tenants").insertOne({ _id: "ten_demo", sendQueues: ids } as { _id: string });
	const queues = carriers.map((text, index) => {
		const [, carrier, draining, sender] = /^(\w+)(~?)\/?(\w*)$/.exec(text) ?? [];
		return { _id: `queue-${index}`, carrier, sender, draining: draining === "~" };
	});
	if (queues.length > 0) await store.collection<{ _id: string }>("sendQueues").insertMany(queues);
}

test("without a running stack it exits 2 with one line that names the mend", async () => {
	const broken = join(folder, "broken.json");
	writeFileSync(broken, "{");
	for (const file of [join(folder, "absent.json"), broken, stackFile("stopped.json", { pid: null })]) {
		const { code, out, error } = await canary("--stack", file);
		assert.equal(code, 2, file);
		assert.equal(out, "");
		assert.equal(error.trim().split("\n").length, 1);
	}
});

test("it sends nothing unless every send queue of the tenant is the simulator's", async () => {
	const file = stackFile("stack.json");
	for (const [carriers, pattern] of [
		[[], /the demo tenant has no send queue/],
		[
			["acme"],
			/has queue-0\. Run `lethe admin tenant routes ten_demo --send-queue simulator-demo …`, then `lethe queue drain queue-0 --move`\./,
		],
		[["simulator/a", "acme/b"], /has queue-1\. Run `lethe queue drain queue-1 --move`\./],
		[["simulator/a", "acme~/b", "acme/c"], /has queue-2\. Run `lethe queue drain queue-2/],
		[["simulator/a", "acme~/a"], /the sender of the simulated one.*`lethe admin remove-queue queue-1`/],
		[["acme~/b"], /no simulated send queue.*lethe admin tenant routes/],
		[["simulator~/a", "acme~/b"], /no simulated send queue.*lethe queue resume queue-0/],
	] as const) {
		await routeTo([...carriers]);
		const { code, error } = await canary("--stack", file);
		assert.equal(code, 2);
		assert.match(error, pattern);
	}
	// Past that refusal it meets an API that is not there.
	for (const carriers of [["simulator"], ["simulator/a", "acme~/b"]]) {
		await routeTo(carriers);
		const { code, error } = await canary("--stack", file);
		assert.equal(code, 2);
		assert.doesNotMatch(error, /demo tenant/);
	}
});

test("each marked message asks for the sender that it is told, so that no other queue may have it", async () => {
	const senders: unknown[] = [];
	const server = createServer(async (request, response) => {
		const body = await text(request);
		const isMessage = request.method === "POST" && request.url === "/v1/messages";
		if (isMessage) senders.push(body.startsWith("{") && body.endsWith("}") ? JSON.parse(body).sender : "a");
		response.writeHead(422).end("{}");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	try {
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const { signal } = new AbortController();
		const given = { url, apiKey: "k", marks: createMarks(randomBytes), patienceMs: 0, signal, errors: [] };
		// Here no key can be registered, so that it ends before those that are encrypted.
		await assert.rejects(sendMarkedMessages({ ...given, sender: "a", progress: () => undefined }));
		assert.ok(senders.length > 15);
		assert.deepEqual([...new Set(senders)], ["a"]);
	} finally {
		server.close();
	}
});
