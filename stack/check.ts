// `npm run check`: types, lint and format, unused code, and the house rules; exits 1 when any of them fails.

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const bin = (name: string, ...args: string[]) => [`node_modules/.bin/${name}`, ...args];

const checks: Record<string, string[]> = {
	types: bin("tsc", "-p", "."),
	"lint and format": bin("biome", "check", "--error-on-warnings", "--diagnostic-level=warn", "."),
	"unused exports and dependencies": bin("knip", "--no-progress", "--treat-config-hints-as-errors"),
	"walls, cycles, dead files, house rules": ["--test", "--test-reporter=dot", "test/tidy/*.test.ts"],
};

const root = new URL("..", import.meta.url);
const results = await Promise.all(Object.entries(checks).map(([name, args]) => check(name, args)));
const failed = results.filter((passed) => !passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function check(name: string, args: string[]): Promise<boolean> {
	const startedAt = performance.now();
	const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
	const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
	const output = await Promise.all([text(child.stdout), text(child.stderr)]);
	const passed = (await exit) === 0;
	console.log(`${passed ? "ok  " : "FAIL"} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
	if (!passed) console.error(output.join("").trim());
	return passed;
}
