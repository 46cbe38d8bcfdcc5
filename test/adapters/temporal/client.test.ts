// What reaches a real Temporal: whatever a caller or a step hands over, the server never hears a text or a number.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { connectTemporal, createRuns } from "../../../adapters/temporal/client.ts";
import type { Message } from "../../../domain/message.ts";
import { createEngine, type Engine, until } from "../../harness/engine.ts";

const secret = "call 12025550142 now";

/** Of a gRPC header: a number and the unit that it is in. */
const toMs = (timeout: string) =>
	Number(timeout.slice(0, -1)) * ({ m: 1, S: 1_000, M: 60_000 }[timeout.at(-1) ?? ""] ?? 0);

describe("Temporal, from the client's and the worker's side", () => {
	const script: { deliver: () => Promise<unknown> } = { deliver: async () => undefined };
	let engine: Engine;
	before(async () => {
		engine = await createEngine({
			sender: false,
			replace: () => ({ deliver: () => script.deliver() as Promise<never> }),
		});
	});
	after(() => engine.close());

	const inputOf = ({ submissionId, tenantId, category, region }: Message) => ({
		submissionId,
		tenantId,
		category,
		region,
	});
	/** Everything that the server shows of a run, its payloads in clear. */
	async function shown({ submissionId }: Message): Promise<string> {
		const handle = engine.temporal.client.workflow.getHandle(submissionId);
		const [{ raw }, history] = [await handle.describe(), await handle.fetchHistory()];
		return JSON.stringify([raw, history], (_key, value) =>
			value?.type === "Buffer" ? Buffer.from(value.data).toString() : value,
		);
	}
	const isClean = (text: string) => !text.includes("12025550142") && !text.includes("now");
	const failures = (message: Message, count: number) =>
		until(async () => {
			const { raw } = await engine.temporal.client.workflow.getHandle(message.submissionId).describe();
			const [pending] = raw.pendingActivities ?? [];
			return (pending?.attempt ?? 0) > count && pending;
		});

	it("a run is not started with anything but opaque ids, enums and regions", async () => {
		const message = await engine.accept();
		const good = inputOf(message);
		for (const bad of [{ category: secret }, { tenantId: "+12025550142" }, { region: "12025550142" }, { to: secret }]) {
			await assert.rejects(engine.runs.start({ ...good, ...bad }), /payload_refused/);
		}
		await assert.rejects(engine.temporal.client.workflow.getHandle(good.submissionId).describe());
		assert.equal(await engine.runs.start(good), true);
		assert.equal(await engine.runs.start(good), false, "and once only");
		assert.ok((await shown(message)).includes(good.submissionId), "what is told is found");
	});

	it("that is away delays no caller, and is asked by so many at once only", async () => {
		const away = connectTemporal({ address: "127.0.0.1:1", namespace: "default" });
		let asked = 0;
		const isGroupOpen = async () => {
			asked++;
			return new Promise<boolean>(() => undefined);
		};
		const patience = { patienceMs: 60_000, acceptancesMin: 16, giveWayMsMax: 2_000 };
		const clocks = { monotonic: () => performance.now(), after: () => undefined };
		const bounds = { sweepEveryMs: 10_000, inFlightMax: 3, waitingMax: 5, ...patience, ...clocks };
		const countStates = async () => ({});
		const runs = createRuns({ temporal: away, taskQueue: engine.name, ...bounds, isGroupOpen, countStates });
		const message = await engine.accept();
		const startedAt = performance.now();
		runs.startSoon([message]);
		for (let times = 0; times < 10; times++) runs.settleSoon({ ...message, submissionSize: 2 });
		assert.ok(performance.now() - startedAt < 1_000);
		await new Promise(setImmediate);
		// What ends goes before what begins.
		assert.equal(asked, 3);
		await away.close();
	});

	it("tells of each worker how long ago it asked for work", async () => {
		const [age = -1, ...others] = await engine.runs.workersSeen();
		assert.deepEqual(others, []);
		// Temporal's clock is told by whole seconds; a question stays open for a minute.
		assert.ok(age > -1_000 && age < 75_000, String(age));
	});

	it("that takes calls and answers none is told of within seconds", { timeout: 30_000 }, async () => {
		const open = new Set<Socket>();
		const silent = createServer((socket) => void open.add(socket)).listen(0, "127.0.0.1");
		await once(silent, "listening");
		const { port } = silent.address() as AddressInfo;
		const temporal = connectTemporal({ address: `127.0.0.1:${port}`, namespace: "default" });
		const patience = { patienceMs: 60_000, acceptancesMin: 16, giveWayMsMax: 2_000, countStates: async () => ({}) };
		const clocks = { monotonic: () => performance.now(), after: () => undefined, isGroupOpen: async () => false };
		const bounds = { sweepEveryMs: 10_000, inFlightMax: 3, waitingMax: 5, ...patience, ...clocks };
		const runs = createRuns({ temporal, taskQueue: engine.name, ...bounds });
		try {
			await assert.rejects(temporal.ping());
			await assert.rejects(runs.workersSeen());
		} finally {
			await temporal.close();
			for (const socket of open) socket.destroy();
			silent.close();
		}
	});

	it("is asked nothing without an end: each call, its repeats included, is over after half a minute", async () => {
		const asked: { path: string; endsInMs: number }[] = [];
		const server = createHttp2Server().listen(0, "127.0.0.1");
		server.on("stream", (stream, { ":path": path = "", "grpc-timeout": timeout }) => {
			asked.push({ path: path.split("/").at(-1) ?? "", endsInMs: toMs(String(timeout)) });
			stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "5" }, { endStream: true });
		});
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const { client, close } = connectTemporal({ address: `127.0.0.1:${port}`, namespace: "default" });
		const handle = client.workflow.getHandle("sub_a");
		await assert.rejects(handle.describe());
		await assert.rejects(client.workflow.start("lifecycle", { workflowId: "sub_a", taskQueue: "a" }));
		await assert.rejects(client.schedule.getHandle("sweep").describe());
		await assert.rejects(client.connection.withDeadline(Date.now() + 5_000, () => handle.cancel()));
		await close();
		server.close();
		const names = [
			"DescribeWorkflowExecution",
			"StartWorkflowExecution",
			"DescribeSchedule",
			"RequestCancelWorkflowExecution",
		];
		assert.deepEqual(
			asked.map(({ path }) => path),
			names,
		);
		const isLate = asked.map(({ endsInMs }) => endsInMs > 5_000 && endsInMs <= 30_000);
		assert.deepEqual(isLate, [true, true, true, false], JSON.stringify(asked));
	});

	it("a start gives way to acceptances that are under way, a one-time code's never", async () => {
		const [message, code] = [await engine.accept(), await engine.accept()];
		const runs = createRuns({
			...{ temporal: engine.temporal, taskQueue: engine.name },
			...{
				sweepEveryMs: 10_000,
				inFlightMax: 4,
				waitingMax: 10,
				patienceMs: 60_000,
				acceptancesMin: 1,
				giveWayMsMax: 60_000,
			},
			...{ monotonic: () => performance.now(), after: () => undefined },
			...{ isGroupOpen: async () => true, countStates: async () => ({}) },
		});
		const isStarted = ({ submissionId }: Message) =>
			engine.temporal.client.workflow
				.getHandle(submissionId)
				.describe()
				.then(() => true)
				.catch(() => false);
		const { promise, resolve } = Promise.withResolvers<void>();
		const accepting = runs.whileAccepting(() => promise);
		runs.startSoon([message]);
		runs.startSoon([{ ...code, category: "otp" }]);
		await until(() => isStarted(code));
		assert.equal(await isStarted(message), false);
		resolve();
		await accepting;
		await until(() => isStarted(message));
	});

	it("a step that answers a text, or fails with one, fails without telling it", async () => {
		const steps = [
			async () => secret,
			async () => ({ outcome: secret }),
			async () => {
				throw Object.assign(new Error(secret, { cause: new Error(secret) }), { code: secret, type: secret });
			},
		];
		for (const step of steps) {
			script.deliver = step;
			const message = await engine.accept();
			await engine.start(message);
			const pending = await failures(message, 1);
			assert.ok(pending.lastFailure, "it failed, and the server was told so");
			const text = await shown(message);
			assert.ok(isClean(text), text);
			assert.ok(!/\.ts:\d/.test(text), "no stack");
			await engine.temporal.client.workflow.getHandle(message.submissionId).terminate();
		}
	});
});
