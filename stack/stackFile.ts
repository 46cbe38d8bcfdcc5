// The file that says what runs: addresses, process ids, data and log folders, for scripts and tests to read.

import { join } from "node:path";
import { z } from "zod";
import { readIfThere, writePrivateFile } from "./files.ts";

const pid = z.number().int().positive().nullable();
/** `environment`: someone else's server, neither started nor stopped here. */
const source = z.enum(["environment", "path", "cache", "wheel"]);
// Null for a server that someone else runs.
const path = z.string().nullable();
const server = z.object({ pid, source, program: path, dataDir: path, logFile: path });
const ownProcess = z.object({ pid, logFile: z.string(), url: z.string().optional(), tlsUrl: z.string().optional() });

/** `pid` null: nothing runs. Ports are remembered for the next start. The demo key opens the demo tenant only. */
const stackState = z.object({
	version: z.literal(1),
	startedAt: z.string(),
	pid,
	dir: z.string(),
	ports: z.record(z.string(), z.number().int()),
	servers: z.object({
		temporal: server.extend({ address: z.string(), uiUrl: z.string().nullable(), namespace: z.string() }),
		vault: server.extend({ url: z.string(), auditFile: path, issuerTokenFile: z.string() }),
		mongodb: server.extend({ url: z.string() }),
		redis: server.extend({ url: z.string() }),
	}),
	processes: z.object({
		carrier: ownProcess.optional(),
		worker: ownProcess.optional(),
		sender: ownProcess.optional(),
		api: ownProcess.optional(),
	}),
	/** Of this folder alone: whoever speaks TLS to its API trusts this certificate, and for nothing else. */
	authority: z.object({ certificateFile: z.string() }).optional(),
	demo: z.object({ tenantId: z.string(), apiKey: z.string() }).optional(),
});

export type StackState = z.output<typeof stackState>;
export type ServerName = keyof StackState["servers"];
export type ProcessName = keyof StackState["processes"];

/** Where a stack keeps the last checkpoint of its evidence log, beside the one in Vault. */
export function witnessFilePath(dir: string): string {
	return join(dir, "evidence", "checkpoint");
}

/** Where a stack's file is, given its folder. */
export function stackFilePath(dir: string): string {
	return join(dir, "stack.json");
}

/** Where a stack keeps the ledger's second copy. */
export function ledgerDirOf(dir: string): string {
	return join(dir, "ledger");
}

/** Where the processes of a stack keep their logs, encrypted; what they print in clear is beside it. */
export function logDirOf(dir: string): string {
	return join(dir, "logs", "encrypted");
}

/**
 * What runs, as last written; undefined when nothing was ever started there.
 * @throws when the file is not a stack's
 */
export function readStackFile(file: string): StackState | undefined {
	const text = readIfThere(file);
	if (text === undefined) return undefined;
	try {
		return stackState.parse(JSON.parse(text));
	} catch {
		throw new Error(`${file} is not readable as a stack's state. Delete it, then start again.`);
	}
}

/** Writes it whole, readable by the owner only. */
export function writeStackFile(file: string, state: StackState): void {
	writePrivateFile(file, `${JSON.stringify(state, null, 2)}\n`);
}
