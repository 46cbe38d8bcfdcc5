// Saved histories: how a run is kept as bytes that name no machine, and how they are read back.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import proto from "@temporalio/proto";

const { History } = proto.temporal.api.history.v1;

export type History = proto.temporal.api.history.v1.History;

/** Where they are: one file a run, named `<workflow type>-<what happened>.bin`. */
export const historyFolder = fileURLToPath(new URL("histories/", import.meta.url));

// A worker or client calls itself `pid@host`, and names the queue it keeps for itself after that.
const machineNames = /\d+@[\w.-]+/g;

/** A history as bytes; process ids and host names are gone. Not JSON: the SDK's reader of that takes no history here. */
export function encodeHistory(history: object): Uint8Array {
	const plain = History.toObject(History.fromObject(history));
	return History.encode(History.fromObject(replaceMachineNames(plain) as object)).finish();
}

/** Every saved history by its name. */
export function readHistories(): Map<string, History> {
	const files = readdirSync(historyFolder).filter((file) => file.endsWith(".bin"));
	return new Map(
		files.sort().map((file) => [file.replace(/\.bin$/, ""), History.decode(readFileSync(`${historyFolder}${file}`))]),
	);
}

function replaceMachineNames(value: unknown): unknown {
	if (typeof value === "string") return value.replace(machineNames, "worker");
	if (Array.isArray(value)) return value.map(replaceMachineNames);
	// Bytes are payloads, which the guard judges; longs are numbers.
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || "unsigned" in value) return value;
	return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, replaceMachineNames(entry)]));
}
