// Gets the pinned packages and Node, then hands over to a TypeScript program. Plain JavaScript without dependencies:
// it runs on whatever Node (20 or later) the machine has, before anything is installed.

import { spawn } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packages = join(root, "node_modules");
const installLock = join(root, ".lethe", "install.lock");
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
let npmRunning;
const unreachable =
	/\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/;

/**
 * Runs a script of this repository under the pinned Node, installing packages first if they are absent or outdated.
 * Ends this process with the script's exit code, or with 2 where it could not be run.
 * @param {string} script path, relative to the repository
 * @param {string[]} args
 */
export async function boot(script, args) {
	process.on("uncaughtException", (error) => fail(`${script} could not be run: ${error.message}`));
	let node;
	try {
		if (!isInstalled()) await install();
		node = pinnedNode();
	} catch (error) {
		return fail(error.message);
	}
	// What Node made of the sources is kept: a command then starts in half the time.
	const env = { NODE_COMPILE_CACHE: join(root, ".lethe", "compiled"), ...process.env };
	const child = spawn(node, [resolve(root, script), ...args], { stdio: "inherit", env });
	// From a terminal the script has the signal already; it takes repeats as one.
	for (const signal of signals) process.on(signal, () => child.kill(signal));
	child.on("error", (error) => fail(`${script} could not be started: ${error.message}`));
	child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

// npm writes node_modules/.package-lock.json last, so an interrupted install is seen as none.
function isInstalled() {
	try {
		const wanted = readLock(join(root, "package-lock.json"));
		const present = readLock(join(packages, ".package-lock.json"));
		return Object.entries(wanted).every(([path, { version, optional }]) => {
			if (path === "") return true;
			const found = present[path];
			return found ? found.version === version : optional === true;
		});
	} catch {
		return false;
	}
}

function readLock(path) {
	return JSON.parse(readFileSync(path, "utf8")).packages;
}

function pinnedNode() {
	const pinned = join(packages, "node", "bin", "node");
	if (existsSync(pinned)) return pinned;
	if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
	throw new Error("Node 24 is missing: npm ran no install scripts. Run: npm rebuild node --ignore-scripts=false");
}

async function install() {
	await takeInstallLock();
	try {
		if (isInstalled()) return;
		process.stderr.write("Installing the pinned packages (once; about a minute) …\n");
		const started = Date.now();
		const seconds = () => Math.round((Date.now() - started) / 1000);
		const progress = setInterval(() => process.stderr.write(`  still installing, ${seconds()} s\n`), 15_000);
		for (const signal of signals) process.on(signal, breakOff);
		const failure = await installPackages();
		for (const signal of signals) process.off(signal, breakOff);
		clearInterval(progress);
		if (failure) throw new Error(failure);
		process.stderr.write(`  packages installed in ${seconds()} s\n`);
	} finally {
		rmSync(installLock, { force: true });
	}
}

// Without whoever asked for it, npm would go on in what the next command installs anew.
function breakOff(signal) {
	npmRunning?.kill();
	rmSync(installLock, { force: true });
	process.exit(128 + constants.signals[signal]);
}

/** What failed and the mend; undefined when all is installed. */
async function installPackages() {
	// Without a registry all may still be in npm's cache; but to ask for each package would hide for minutes that it is not.
	const ping = await runNpm(["ping", "--loglevel=error", "--fetch-timeout=10000"]);
	const cause = unreachable.exec(ping.errors)?.[1];
	// Not `npm ci`: a registry that lacks the optional packages of other platforms leaves gaps in the lock, which `ci`
	// refuses. The versions are the locked ones all the same.
	const args = ["install", "--no-save", "--loglevel=error", "--no-audit", "--no-fund"];
	const { code, errors } = await runNpm([...args, cause ? "--offline" : "--prefer-offline"]);
	return code === 0 ? undefined : explain(cause ?? errors);
}

function runNpm(command) {
	return new Promise((done) => {
		// npm's own patience, over a minute a request, hides for long that there is no network.
		const patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
		const args = [...command, ...patience];
		const npm = spawn("npm", args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
		npmRunning = npm;
		let errors = "";
		npm.stderr.setEncoding("utf8").on("data", (text) => {
			errors = (errors + text).slice(-20_000);
		});
		npm.on("error", (error) => done({ code: 1, errors: `npm could not be started: ${error.message}` }));
		npm.on("close", (code) => done({ code: code ?? 1, errors }));
	});
}

function explain(errors) {
	const cause = unreachable.exec(errors)?.[1];
	if (cause) {
		return `The package registry can't be reached (${cause}). Check the network and \`npm config get registry\`, then try again.`;
	}
	return `npm install failed; mend what it says, then try again.\n${errors.trim().split("\n").slice(0, 12).join("\n")}`;
}

// Two commands started at once in a fresh clone must not both rewrite node_modules.
async function takeInstallLock() {
	const mine = `${installLock}.${process.pid}`;
	try {
		mkdirSync(dirname(installLock), { recursive: true, mode: 0o700 });
		writeFileSync(mine, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 });
	} catch (error) {
		throw new Error(`${dirname(installLock)} can't be written (${error.code}). Mend its rights, then try again.`);
	}
	for (let waits = 0; ; waits++) {
		try {
			// A link appears with its content, so nobody reads a lock without an owner.
			linkSync(mine, installLock);
			return rmSync(mine);
		} catch (error) {
			if (error.code !== "EEXIST") throw error;
		}
		if (!isOwned()) rmSync(installLock, { force: true });
		else if (waits === 0) process.stderr.write("Waiting for another command that installs the packages …\n");
		await sleep(300);
	}
}

// A lock that a killed command left: its process is gone, or another has its number by now, this one perhaps.
function isOwned() {
	let [pid, startedAt] = ["", ""];
	try {
		[pid, startedAt] = readFileSync(installLock, "utf8").split(" ");
		process.kill(Number(pid), 0);
	} catch (error) {
		if (error.code !== "EPERM") return false;
	}
	return Number(pid) !== process.pid && startOf(pid) === startedAt;
}

/** When a process began, in ticks since the machine did (proc(5), field 22); empty where that is not told. */
function startOf(pid) {
	try {
		return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")[19];
	} catch {
		return "";
	}
}

// Not 1: that is what a command says of what it was asked, such as that a certificate is not authentic.
function fail(message) {
	process.stderr.write(`${message}\n`);
	process.exit(2);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const [script, ...args] = process.argv.slice(2);
	if (!script) fail("Usage: node stack/boot.mjs SCRIPT.ts [arguments]");
	await boot(script, args);
}
