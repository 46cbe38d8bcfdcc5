// `npm test`: starts the servers in a folder of their own, runs the tests against them, ends the servers, counts.
// `npm run test:faults -- --help` says how random schedules of faults are run, of which a short one is among the others.

import { type ChildProcess, spawn } from "node:child_process";
import { globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createStack } from "./stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const dir = join(root, ".lethe", "test");
const gatheredMax = 8;
// Against what hangs: thrice what the slowest takes on a busy machine of two cores.
const fileTimeoutMs = 600_000;
// A test that fails may leave a connection open, which would keep its process until the time of all its files is over.
const gatheredHead = `import { after, describe } from "node:test";
after(() => setTimeout(() => {
	console.error("Ended after its last test: something was left open.");
	process.exit(1);
}, 60_000).unref());`;
const { values, positionals: patterns } = readArguments();
const { faults } = values;
const randomFaults = join("test", "faults", "random.test.ts");
// Of the random schedules each has a stack of its own.
const isRandom = patterns.length === 0 && ["seed", "minutes", "schedules"].some((name) => name in values);
const help = `npm test [-- FILE…]            every test, or these files
npm run test:faults            processes and servers killed under load, and one short random schedule of faults
npm run test:faults -- OPTIONS random schedules of faults only, each on servers of its own

  --schedules N   how many, by seeds that follow each other (1)
  --minutes M     how long each has faults and load, in minutes; it settles for some more (0.75)
  --seed N        the first one's seed (drawn, and printed); the same seed has the same faults
  --help          this text

Exit code 0 when nothing failed, 1 when something did, 2 for arguments that can't be used.`;
if (values.help) {
	console.log(help);
	process.exit(0);
}

const stack = createStack({ root, dir, log: (line) => console.log(line), fresh: true });
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
	if (!isRandom) await stack.start();
	const files = findFiles();
	const isWhole = patterns.length === 0 && !faults && !isRandom;
	const { passed, failed, code } = await (isWhole
		? runTests(gather(files), gatheredMax * fileTimeoutMs)
		: runTests(files, fileTimeoutMs));
	await stop();
	console.log(`${passed} passed, ${failed} failed`);
	process.exitCode = failed > 0 || passed === 0 ? 1 : code;
} catch (error) {
	console.error((error as Error).message);
	await stop();
	process.exitCode = 1;
}

function readArguments() {
	const amount = (text: string | undefined) => text === undefined || Number(text) > 0;
	try {
		const read = parseArgs({
			allowPositionals: true,
			options: {
				faults: { type: "boolean", default: false },
				help: { type: "boolean", default: false },
				seed: { type: "string" },
				minutes: { type: "string" },
				schedules: { type: "string" },
			},
		});
		const { seed = "1", minutes, schedules = "1" } = read.values;
		const areWhole = [seed, schedules].every((text) => Number.isSafeInteger(Number(text)));
		if (areWhole && [seed, minutes, schedules].every(amount)) return read;
		throw new Error("--seed and --schedules take whole numbers from 1, --minutes a number above 0");
	} catch (error) {
		console.error(`${(error as Error).message}; --help says how it is run.`);
		process.exit(2);
	}
}

function findFiles(): string[] {
	if (patterns.length > 0) return patterns;
	if (isRandom) return [randomFaults];
	const all = globSync("test/**/*.test.ts", { cwd: root });
	// The faults kill whole servers: they have stacks of their own, and their own time.
	return all.filter((file) => file.startsWith(join("test", "faults")) === faults).sort();
}

/**
 * Writes test files that import neighbours, and answers their paths: most of a short file's time would go on loading what its
 * neighbours load as well. Each is a suite there, with hooks of its own. The largest come first: at the end no long one
 * runs alone.
 */
function gather(files: string[]): string[] {
	const folder = join(dir, "gathered");
	mkdirSync(folder, { recursive: true });
	const groups = Array.from({ length: Math.ceil(files.length / gatheredMax) }, (_, index) => {
		const some = files.slice(index * gatheredMax, (index + 1) * gatheredMax);
		return { some, bytes: some.reduce((sum, file) => sum + statSync(join(root, file)).size, 0) };
	});
	groups.sort((one, other) => other.bytes - one.bytes);
	// Its hook, which ends what tests have started, is the whole's: loaded by a suite it would be over with that one, and what
	// later ones start would keep the whole from ending.
	const programs = JSON.stringify(join(root, "test", "harness", "programs.ts"));
	return groups.map(({ some }, index) => {
		const suites = some.map(
			(file) =>
				`describe("${file}", { timeout: ${fileTimeoutMs} }, () => import(${JSON.stringify(join(root, file))}));`,
		);
		const path = join(folder, `${String(index + 1).padStart(2, "0")}.test.mjs`);
		writeFileSync(path, [gatheredHead, `import ${programs};`, ...suites].join("\n"));
		return path;
	});
}

function scheduleSettings(): Record<string, string> {
	const { seed, minutes, schedules } = values;
	const settings = { LETHE_TEST_SEED: seed, LETHE_TEST_MINUTES: minutes, LETHE_TEST_SCHEDULES: schedules };
	return Object.fromEntries(Object.entries(settings).flatMap(([name, text]) => (text ? [[name, text]] : [])));
}

async function runTests(files: string[], timeoutMs: number): Promise<{ passed: number; failed: number; code: number }> {
	const child = spawn(
		process.execPath,
		["--test", "--test-concurrency=4", "--test-reporter=spec", `--test-timeout=${timeoutMs}`, ...files],
		{
			cwd: root,
			env: {
				...process.env,
				...(isRandom ? {} : { ...stack.addresses(), LETHE_TEST_STACK: stack.file }),
				...scheduleSettings(),
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
