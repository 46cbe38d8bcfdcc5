// How every process of Lethe begins and ends: says when it is ready, stops on a signal, says in one line why it can't.

import { tellFailure } from "../deps.ts";
import { LetheError } from "../domain/errors.ts";

export type RunningProcess = {
	/** What to tell the launcher, such as a URL. */
	ready: Record<string, unknown>;
	/** Settles when the process's work ends by itself. */
	ended?: Promise<unknown>;
	stop: () => Promise<void>;
};

/** Runs `start`, announces readiness on standard output and to a parent process, and stops once on SIGTERM or SIGINT. */
export async function runProcess(start: () => Promise<RunningProcess>): Promise<void> {
	let running: RunningProcess;
	try {
		running = await start();
	} catch (error) {
		fail(error);
		return;
	}
	let stopping = false;
	const stop = () => {
		if (stopping) return;
		stopping = true;
		running.stop().then(
			// Whoever stopped it for a reason of its own has said so.
			() => process.exit(process.exitCode ?? 0),
			() => process.exit(1),
		);
	};
	process.on("SIGTERM", stop);
	process.on("SIGINT", stop);
	// A launcher that died leaves no one to stop this process.
	process.on("disconnect", stop);
	running.ended?.then(stop, fail);
	process.stdout.write(`${JSON.stringify({ ready: true, ...running.ready })}\n`);
	process.send?.({ ready: true, ...running.ready });
}

function fail(error: unknown): void {
	const { name, code, message } = error as { name?: string; code?: string; message?: string };
	const why = error instanceof LetheError ? tellFailure(error) : (code ?? message);
	process.stderr.write(`${name ?? "Error"}: ${why ?? "failed"}\n`);
	process.exit(1);
}
