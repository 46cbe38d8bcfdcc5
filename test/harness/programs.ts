// Programs that a test runs as a shell would: their output, their exit codes, and no way out to a network.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { identify } from "../../stack/identity.ts";
import { until } from "./until.ts";

/** Absolute path of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

// A port on which nothing ever listens.
const closed = "http://127.0.0.1:1";

/**
 * The environment of this machine without what names servers or settings, and with every package registry out of reach.
 */
export function bareEnvironment(more: Record<string, string> = {}): Record<string, string> {
	const kept = Object.entries(process.env).filter(
		([name]) => !/^(LETHE_|TEMPORAL_|VAULT_|BAO_|MONGODB_|REDIS_|NODE_TEST_CONTEXT|npm_|PIP_)/.test(name),
	);
	return {
		...(Object.fromEntries(kept) as Record<string, string>),
		npm_config_registry: closed,
		npm_config_fetch_retries: "0",
		PIP_INDEX_URL: closed,
		PIP_RETRIES: "0",
		PIP_NO_CACHE_DIR: "1",
		...more,
	};
}

type Options = { env?: NodeJS.ProcessEnv; cwd?: string; input?: string };

/** Runs a program to its end. */
export async function run(command: string, args: string[], options: Options = {}) {
	const { input, ...rest } = options;
	const child = spawn(command, args, { cwd: root, env: bareEnvironment(), ...rest, stdio: "pipe" });
	child.stdin.on("error", () => undefined);
	child.stdin.end(input ?? "");
	const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
	const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
	return { code: await exit, out, error };
}

export type Program = ReturnType<typeof start>;

const started = new Set<ChildProcess>();
after(async () => {
	for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
});

/** Starts a program that goes on; it is killed with the test file at the latest. */
export function start(
	command: string,
	args: string[],
	{ stdin = "ignore", ...options }: Pick<SpawnOptions, "env" | "cwd" | "detached"> & { stdin?: "ignore" | "pipe" } = {},
) {
	const child = spawn(command, args, {
		cwd: root,
		env: bareEnvironment(),
		...options,
		stdio: [stdin, "pipe", "pipe"],
	}) as ChildProcess & { stdout: Readable; stderr: Readable };
	started.add(child);
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (chunk: string) => {
			output += chunk;
		});
	}
	const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
	const isOver = () => child.exitCode !== null || child.signalCode !== null;
	return {
		child,
		exited,
		isOver,
		output: () => output,
		/** Waits until its output has this. @throws with the output when it ends before, or says it not in time */
		async says(pattern: RegExp, limitMs = 120_000): Promise<RegExpExecArray> {
			const seen = await until(() => pattern.exec(output) ?? (isOver() && "over"), limitMs).catch(() => "late");
			if (typeof seen === "object") return seen;
			const last = pattern.exec(output);
			if (last) return last;
			throw new Error(`${pattern} was not said (${seen}):\n${output}`);
		},
		/** Sends a signal and waits for the end; answers the exit code, null when the signal itself ended it. */
		async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
			child.kill(signal);
			return exited;
		},
	};
}

/** Whether a process of this id runs; one that only waits to be buried does not. */
export const runs = (pid: number): boolean => identify(pid) !== undefined;
