// `npm test`: starts the servers in a folder of their own, runs the tests against them, ends the servers, counts.
// `npm run test:faults -- --seed N --minutes M` runs one random schedule of faults, of which a short one is among the others.

import { type ChildProcess, spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createStack } from "./stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const { values, positionals: patterns } = parseArgs({
	allowPositionals: true,
	options: { faults: { type: "boolean", default: false }, seed: { type: "string" }, minutes: { type: "string" } },
});
const { faults, seed, minutes } = values;
const randomFaults = join("test", "faults", "random.test.ts");

const stack = createStack({ root, dir: join(root, ".lethe", "test"), log: (line) => console.log(line), fresh: true });
let stopping: Promise<void> | undefined;
let runner: ChildProcess | undefined;
const stop = () => {
	// A signal to this process alone must not leave tests behind that wait for servers which are gone.
	runner?.kill();
	stopping ??= stack.stop();
	return stopping;
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
	process.on(signal, () => void stop().then(() => process.exit(130)));
}

try {
	await stack.start();
	const { passed, failed, code } = await runTests(findFiles());
	await stop();
	console.log(`${passed} passed, ${failed} failed`);
	process.exitCode = failed > 0 || passed === 0 ? 1 : code;
} catch (error) {
	console.error((error as Error).message);
	await stop();
	process.exitCode = 1;
}

function findFiles(): string[] {
	if (patterns.length > 0) return patterns;
	if (seed !== undefined || minutes !== undefined) return [randomFaults];
	const all = globSync("test/**/*.test.ts", { cwd: root });
	// The faults kill whole servers: they have stacks of their own, and their own time.
	return all.filter((file) => file.startsWith(join("test", "faults")) === faults).sort();
}

async function runTests(files: string[]): Promise<{ passed: number; failed: number; code: number }> {
	const child = spawn(
		process.execPath,
		["--test", "--test-concurrency=2", "--test-reporter=spec", "--test-timeout=300000", ...files],
		{
			cwd: root,
			env: {
				...process.env,
				...stack.addresses(),
				LETHE_TEST_STACK: stack.file,
				...(seed === undefined ? {} : { LETHE_TEST_SEED: seed }),
				...(minutes === undefined ? {} : { LETHE_TEST_MINUTES: minutes }),
			},
			stdio: ["ignore", "pipe", "inherit"],
		},
	);
	runner = child;
	let tail = "";
	child.stdout.on("data", (chunk: Buffer) => {
		process.stdout.write(chunk);
		tail = (tail + chunk.toString()).slice(-200_000);
	});
	const code = await new Promise<number>((resolve) => child.once("close", (exit) => resolve(exit ?? 1)));
	const count = (word: string) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(tail)?.[1] ?? 0);
	return { passed: count("pass"), failed: count("fail") + count("cancelled"), code };
}
