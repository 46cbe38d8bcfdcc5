// `npm run test:api`: a running Lethe against schemathesis, thousands of requests made from the OpenAPI document, and sslyze.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { routeAccess } from "../api/roles.ts";
import {
	type ApiBodies,
	type ApiCallers,
	type ApiThings,
	createApiBodies,
	createApiCallers,
	createApiThings,
	requireCallers,
} from "./apiCallers.ts";
import { startProcesses } from "./processes.ts";
import { createStack } from "./stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const versions = { schemathesis: "4.32.5", sslyze: "6.3.1" };
// Mozilla's guideline: two years.
const hstsSecondsMin = 63_072_000;
// Of each operation, beside what the schemas' edges ask for; with more than a hundred operations thousands.
const examplesOfEach = process.argv[2] ?? "20";
const say = (line: string) => console.log(line);

const stack = createStack({ root, dir: join(root, ".lethe", "test-api"), log: say, fresh: true });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
	process.on(signal, () => void stack.stop().then(() => process.exit(130)));

try {
	const [schemathesis, sslyze] = [install("schemathesis"), install("sslyze")];
	await stack.start();
	const processes = await startProcesses(stack, { log: say, environment: { LETHE_FRESH_MFA_MS: "3600000" } });
	const { apiUrl, tlsUrl, demo, baseEnvironment } = processes;
	const admin = { ...baseEnvironment, ...(await stack.vaultCredentials(["admin"])) };
	const callers = await createApiCallers(admin, { apiUrl, tenantId: demo.tenantId });
	const things = await createApiThings(apiUrl, callers);
	const bodies = await createApiBodies(apiUrl, callers);
	const authority = stack.state().authority?.certificateFile ?? "";
	process.exitCode = Math.max(
		await scan(sslyze, tlsUrl, authority),
		await run(schemathesis, apiUrl, { callers, things, bodies }),
	);
	await requireCallers(apiUrl, callers);
	// Whatever was asked, nothing failed inside.
	const failures = await countFailures(apiUrl);
	say(`${failures} failures inside`);
	if (failures > 0) process.exitCode = 1;
} catch (error) {
	console.error((error as Error).message);
	process.exitCode = 1;
} finally {
	await stack.stop();
}

/** Requests that were answered 500, whoever asked. */
async function countFailures(apiUrl: string): Promise<number> {
	const text = await (await fetch(`${apiUrl}/metrics`)).text();
	const counts = text.split("\n").filter((line) => /^lethe_http_request_seconds_count\{[^}]*status="500"/.test(line));
	if (!text.includes("lethe_http_request_seconds_count")) throw new Error("the API does not tell what it answered");
	return counts.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Answers the program's path. @throws Error with the mend */
function install(name: keyof typeof versions): string {
	const venv = join(root, ".lethe", `${name}-${versions[name]}`);
	const program = join(venv, "bin", name);
	if (existsSync(program)) return program;
	say(`installing ${name} ${versions[name]} (once)`);
	const steps = [
		["python3", "-m", "venv", venv],
		[join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-input", `${name}==${versions[name]}`],
	];
	for (const [command = "", ...args] of steps) {
		if (spawnSync(command, args, { stdio: "inherit" }).status === 0) continue;
		rmSync(venv, { recursive: true, force: true });
		throw new Error(`${name} can't be installed. Python 3 with venv and a package index are needed.`);
	}
	return program;
}

/** The listener against Mozilla's "intermediate" profile, its certificate against its own authority; then whether it tells HSTS. */
async function scan(program: string, tlsUrl: string, authority: string): Promise<number> {
	const found = join(stack.dir, "sslyze.json");
	const args = ["--mozilla_config", "intermediate", "--http_headers", "--certinfo_ca_file", authority];
	const code = await runProgram(program, [...args, "--json_out", found, new URL(tlsUrl).host]);
	const [{ scan_result }] = JSON.parse(readFileSync(found, "utf8")).server_scan_results;
	const { max_age: seconds = 0 } = scan_result.http_headers.result?.strict_transport_security_header ?? {};
	say(`HSTS for ${seconds / 86_400} days`);
	return seconds >= hstsSecondsMin ? code : 1;
}

type Asked = { callers: ApiCallers; things: ApiThings; bodies: ApiBodies };

function run(program: string, apiUrl: string, { callers, things, bodies }: Asked): Promise<number> {
	const args = [
		...["--config-file", join(root, "stack", "schemathesis.toml"), "run", `${apiUrl}/openapi.json`],
		...["--max-examples", examplesOfEach, "--workers", "2"],
		...["--phases", "examples,coverage,fuzzing,stateful", "--request-timeout", "30", "--no-color"],
	];
	const personRoutes = Object.keys(routeAccess).filter((route) => routeAccess[route]?.personOnly);
	return runProgram(program, args, {
		// By the environment and not by an option: options can be read by everybody on the machine.
		LETHE_TEST_CALLERS: JSON.stringify({ ...callers, things, bodies, personRoutes }),
		SCHEMATHESIS_HOOKS: join(root, "stack", "schemathesis_hooks.py"),
	});
}

function runProgram(program: string, args: string[], more: Record<string, string> = {}): Promise<number> {
	const { PATH = "", HOME = "" } = process.env;
	const env = { PATH, HOME, PYTHONDONTWRITEBYTECODE: "1", ...more };
	const child = spawn(program, args, { stdio: "inherit", env, cwd: stack.dir });
	return new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
}
