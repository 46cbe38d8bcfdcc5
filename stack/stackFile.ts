// The file that says what runs: addresses, process ids, data and log folders, for scripts and tests to read.

import { join } from "node:path";
import { readIfThere, writePrivateFile } from "./files.ts";

/** `environment`: someone else's server, neither started nor stopped here; what is not known of such a one is null. */
type Server = {
	pid: number | null;
	source: "environment" | "path" | "cache" | "wheel";
	program: string | null;
	dataDir: string | null;
	logFile: string | null;
};
type OwnProcess = {
	pid: number | null;
	logFile: string;
	url?: string | undefined;
	tlsUrl?: string | undefined;
	/** As callers and browsers see it, where that is not `url`. */
	publicUrl?: string | undefined;
};

/** `pid` null: nothing runs. Ports are remembered for the next start. The demo key opens the demo tenant only. */
export type StackState = {
	version: 1;
	startedAt: string;
	pid: number | null;
	dir: string;
	ports: Record<string, number>;
	servers: {
		temporal: Server & { address: string; uiUrl: string | null; namespace: string };
		vault: Server & { url: string; auditFile: string | null; issuerTokenFile: string };
		mongodb: Server & { url: string };
		redis: Server & { url: string };
	};
	processes: Partial<Record<"carrier" | "worker" | "sender" | "api", OwnProcess>>;
	/** Of this folder alone: whoever speaks TLS to its API trusts this certificate, and for nothing else. */
	authority?: { certificateFile: string } | undefined;
	demo?: { tenantId: string; apiKey: string } | undefined;
};
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
		// It was written below, whole; a schema would cost every command half its time.
		const state = JSON.parse(text) as StackState;
		if (state.version === 1 && state.servers && state.processes) return state;
	} catch {
		// Said below.
	}
	throw new Error(`${file} is not readable as a stack's state. Delete it, then start again.`);
}

/** Writes it whole, readable by the owner only. */
export function writeStackFile(file: string, state: StackState): void {
	writePrivateFile(file, `${JSON.stringify(state, null, 2)}\n`);
}
