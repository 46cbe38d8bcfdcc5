// Ends what a launcher left running when it was killed before it could clean up.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readIfThere } from "./files.ts";
import { identify } from "./identity.ts";

const graceMs = 8_000;

/** Ends each process that the run folder remembers, if it still is that process. Returns the names of those ended. */
export async function endLeftovers(runDir: string): Promise<string[]> {
	const names = readdirSync(runDir).filter((file) => file.endsWith(".json"));
	const ended = await Promise.all(
		names.map(async (file) => {
			const path = join(runDir, file);
			const wasRunning = await endOne(path);
			rmSync(path, { force: true });
			return wasRunning ? [file.slice(0, -".json".length)] : [];
		}),
	);
	return ended.flat();
}

async function endOne(path: string): Promise<boolean> {
	const { pid, identity } = parse(readIfThere(path));
	const isIt = () => pid !== undefined && identity !== undefined && identify(pid) === identity;
	if (!isIt()) return false;
	for (const signal of ["SIGTERM", "SIGKILL"] as const) {
		signalGroup(pid as number, signal);
		for (let waitedMs = 0; waitedMs < graceMs && isIt(); waitedMs += 100) await sleep(100);
		if (!isIt()) return true;
	}
	throw new Error(`Process ${pid} of an earlier start can't be ended. End it, then start again.`);
}

function parse(text: string | undefined): { pid?: number; identity?: string } {
	try {
		const value = JSON.parse(text ?? "{}") as { pid?: unknown; identity?: unknown };
		if (Number.isInteger(value.pid) && typeof value.identity === "string") {
			return { pid: value.pid as number, identity: value.identity };
		}
	} catch {
		// A file cut off by a crash names nobody.
	}
	return {};
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(-pid, signal);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}
