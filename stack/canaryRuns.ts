// Runs `lethe canary` on a stack now and again; its last report and every signed result are kept, and the evidence log names each.

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { isId } from "../domain/ids.ts";
import { makePrivateFolder, writePrivateFile } from "./files.ts";

const script = fileURLToPath(new URL("../cli/lethe.ts", import.meta.url));
// A timer takes no longer wait.
const waitMsMax = 2 ** 31 - 1;

/**
 * The first run is due `everyMs` after the last one that left a report, also when that was before a restart. `run` answers
 * the report as JSON and the exit code. Answers what ends it.
 */
export function repeatCanary(options: {
	everyMs: number;
	reportFile: string;
	log: (line: string) => void;
	run: () => Promise<{ code: number | null; report: string }>;
	clock?: () => number;
}): () => void {
	const { everyMs, reportFile, log, run, clock = Date.now } = options;
	let timer: NodeJS.Timeout | undefined;
	let isOver = false;
	let triedAt: number | undefined;

	async function once(): Promise<void> {
		const { code, report } = await run().catch(() => ({ code: null, report: "" }));
		if (isOver) return;
		const said = code === 0 ? "clean" : code === 1 ? "NOT CLEAN" : "could not run";
		triedAt = clock();
		try {
			keep(report);
			log(`canary: ${said}; its report is ${reportFile}`);
		} catch (error) {
			log(`canary: ${said}; its report can't be kept: ${(error as Error).message}`);
		}
		wait();
	}

	// Also where nothing could be searched: it is tried again no sooner than the next one is due.
	function keep(report: string): void {
		makePrivateFolder(dirname(reportFile));
		const signed = signedIn(report);
		if (signed) writePrivateFile(join(dirname(reportFile), `${signed.id}.jws`), signed.jws);
		writePrivateFile(reportFile, report);
	}

	function wait(): void {
		const last = triedAt ?? statSync(reportFile, { throwIfNoEntry: false })?.mtimeMs ?? clock();
		const waitMs = Math.max(0, last + everyMs - clock());
		// Not two at once: the next is due only when one is over.
		timer = waitMs > waitMsMax ? setTimeout(wait, waitMsMax) : setTimeout(() => void once(), waitMs);
	}

	wait();
	return () => {
		isOver = true;
		clearTimeout(timer);
	};
}

function signedIn(report: string): { id: string; jws: string } | undefined {
	try {
		const { id, jws } = (JSON.parse(report) as { signed?: { id?: string; jws?: string } }).signed ?? {};
		return jws !== undefined && isId("canary", id ?? "") ? { id: id as string, jws } : undefined;
	} catch {
		return undefined;
	}
}

/** Starts the command on the stack whose file that is; ends with this process. */
export async function runCanary(stackFile: string): Promise<{ code: number | null; report: string }> {
	const child = spawn(process.execPath, [script, "canary", "--json", "--stack", stackFile], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	const end = () => void child.kill("SIGTERM");
	process.once("exit", end);
	const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
	const report = await text(child.stdout);
	process.off("exit", end);
	return { code: await exit, report };
}
