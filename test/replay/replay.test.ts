// Runs that are under way when a new version starts go on under it: the workflows replay every saved history, bundled as
// the worker bundles them. `npm run test:record` saves the histories of a type that is new.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import proto from "@temporalio/proto";
import { Worker } from "@temporalio/worker";
import { dataConverter } from "../../adapters/temporal/client.ts";
import { createPayloadGuard } from "../../adapters/temporal/payloadGuard.ts";
import { bundleWorkflows } from "../../workers/bundle.ts";
import { payloadFields, searchAttributes, workflowNames } from "../../workflows/contract.ts";
import * as workflows from "../../workflows/index.ts";
import { encodeHistory, type History, readHistories } from "./histories.ts";
import { historyName, scenarios } from "./scenarios.ts";

const { EventType } = proto.temporal.api.enums.v1;
const histories = readHistories();
const expected = new Map(Object.entries(scenarios).map(([name, scenario]) => [historyName(name, scenario), scenario]));
const changed =
	"runs under way can't go on with this change. Make the changed workflow a new type beside the old one " +
	"(workflows/index.ts), start runs as that, and record its histories with `npm run test:record`";
const notRecorded = "no history is saved: run `npm run test:record` and commit what it writes";

const typeOf = ({ events }: History) => events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? "";

/** Why each history can't be replayed by that code; undefined where it can. */
async function replayAll(code: string): Promise<Map<string, Error | undefined>> {
	const all = [...histories].map(([name, history]) => ({ workflowId: name, history }));
	const failures = new Map<string, Error | undefined>();
	const options = { workflowBundle: { code }, dataConverter };
	for await (const { workflowId, error } of Worker.runReplayHistories(options, all)) failures.set(workflowId, error);
	return failures;
}

describe("replay", () => {
	let now: Map<string, Error | undefined>;
	let ifChanged: Map<string, Error | undefined>;
	before(async () => {
		now = await replayAll(await bundleWorkflows(dataConverter));
		const fixture = fileURLToPath(import.meta.resolve("./changed.ts"));
		ifChanged = await replayAll(await bundleWorkflows(dataConverter, fixture));
	});

	for (const name of histories.keys()) {
		it(`${name} goes on under the present workflows, and would not under changed ones`, () => {
			assert.ok(now.has(name), "it was replayed");
			assert.equal(now.get(name), undefined, `${name}: ${changed}. Refused because: ${now.get(name)?.message}`);
			assert.equal(ifChanged.get(name)?.name, "DeterminismViolationError");
		});
	}
});

describe("saved histories", () => {
	it("there is one for every workflow type and every scenario", () => {
		const types = new Set([...histories.values()].map(typeOf));
		for (const type of Object.keys(workflows)) assert.ok(types.has(type), `${type}: ${notRecorded}`);
		for (const name of expected.keys()) assert.ok(histories.has(name), `${name}: ${notRecorded}`);
	});

	for (const [name, history] of histories) {
		it(`${name} shows what it is named for, closed`, () => {
			assert.equal(typeOf(history), name.split("-")[0]);
			const closed = [
				EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
				EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
			];
			assert.ok(closed.includes(history.events.at(-1)?.eventType as (typeof closed)[number]));
			const scenario = expected.get(name);
			// The histories of an older type outlive the scenario that made them.
			if (!scenario) return;
			const { event, countMin = 1 } = scenario.shows;
			const type = EventType[`EVENT_TYPE_${event}` as keyof typeof EventType];
			const count = history.events.filter(({ eventType }) => eventType === type).length;
			assert.ok(type !== undefined && count >= countMin, `${count} times ${event}`);
		});

		it(`${name} holds nothing but what Temporal may be told, and names no machine`, async () => {
			const found = look(history);
			assert.ok(found.payloads.length > 0 && found.texts.length > 0);
			const guard = createPayloadGuard();
			for (const payload of found.payloads) await guard.encode([payload]);
			for (const note of found.notes) assertNote(note);
			for (const [attribute, payload] of found.attributes) assertAttribute(attribute, payload);
			for (const text of found.texts) assert.ok(isOpaque(text), `"${text}" is no id, name or code`);
		});
	}

	it("what names a machine or a person would be found", async () => {
		for (const text of [
			"4711@host.example",
			"/srv/ann/x",
			"+12025550142",
			"12025550142",
			"Ann",
			"Ihr Termin",
			"a@b.example",
		]) {
			assert.equal(isOpaque(text), false, text);
		}
		const [history] = histories.values();
		const identity = { eventId: 1, workflowTaskStartedEventAttributes: { identity: "4711@host.example" } };
		const saved = proto.temporal.api.history.v1.History.decode(
			encodeHistory({ events: [...(history?.events ?? []), identity] }),
		);
		assert.ok(!JSON.stringify(saved).includes("host.example"));
	});
});

type Payload = proto.temporal.api.common.v1.IPayload;
type Found = { payloads: Payload[]; notes: Payload[]; attributes: [string, Payload][]; texts: string[] };

/** Every payload, every text outside of them, and what goes past the guard: search attributes and the SDK's own notes. */
function look(value: unknown, within = "", key = ""): Found {
	const none: Found = { payloads: [], notes: [], attributes: [], texts: [] };
	if (typeof value === "string") return { ...none, texts: value === "" ? [] : [value] };
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return none;
	if ("metadata" in value && "data" in value) {
		const payload = value as Payload;
		return within === "indexedFields" ? { ...none, attributes: [[key, payload]] } : { ...none, payloads: [payload] };
	}
	const parts = Object.entries(value).map(([name, entry]) => {
		const part = look(entry, key, name);
		const isNote = name === "data" && key === "details";
		return isNote ? { ...part, payloads: [], notes: part.payloads } : part;
	});
	return {
		payloads: parts.flatMap(({ payloads }) => payloads),
		notes: parts.flatMap(({ notes }) => notes),
		attributes: parts.flatMap(({ attributes }) => attributes),
		texts: parts.flatMap(({ texts }) => texts),
	};
}

const readValue = ({ data }: Payload) => JSON.parse(Buffer.from(data ?? []).toString());

// Numbers, times and the activity's name.
function assertNote(note: Payload): void {
	const { activity_type: type, ...rest } = readValue(note);
	assert.ok(["prepare", "finalise"].includes(type), type);
	const known = ["seq", "attempt", "activity_id", "complete_time", "backoff", "original_schedule_time"];
	assert.deepEqual(
		Object.keys(rest).filter((key) => !known.includes(key)),
		[],
	);
	assert.match(JSON.stringify(Object.values(rest)), /^(?:[\d{}[\]:,]|null|"seconds"|"nanos"|"\d{1,3}")*$/);
}

function assertAttribute(name: string, payload: Payload): void {
	const fields: Record<string, string> = {
		[searchAttributes.tenant]: "tenantId",
		[searchAttributes.category]: "category",
		[searchAttributes.region]: "region",
		[searchAttributes.state]: "outcome",
	};
	const accepts = payloadFields[fields[name] ?? ""];
	for (const value of [readValue(payload)].flat()) assert.ok(accepts?.(value), `${name} ${value}`);
}

// A closed list: a word may be a name.
const words = new Set([
	...Object.values(workflowNames),
	...["deliver", "closeCohort", "erasePage", "destroyCohort", "sweepPage", "retimePages", "simulatePages"],
	...["stepRequest", "wake", "revealMessage"],
	"core_local_activity",
	...["worker", "Server", "temporal-typescript", "TypeScriptSDK", "LetheError", "store_unavailable"],
	// The server's own.
	"Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying",
]);
const opaque = [
	/^(?:purge-|simulate-|request-|reveal-)?[a-z]{2,4}_[a-km-zA-G]{26}$/,
	/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
	// An engine's queue, alone or in the name of its sweep's or its re-timing's run.
	/^(?:sweep-|retime-)?t[0-9a-f]{12}$/,
	/^deliver-\d{1,3}$/,
	/^@temporalio\/worker@\d+\.\d+\.\d+\+[0-9a-f]{64}$/,
	/^\d{1,3}(?:\.\d{1,3}){0,2}$/,
];

function isOpaque(text: string): boolean {
	return words.has(text) || opaque.some((pattern) => pattern.test(text));
}
