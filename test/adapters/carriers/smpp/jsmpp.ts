// An SMSC that others have written: jSMPP's simulator, fetched by pinned version and digest, run as it is.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makePrivateFolder } from "../../../../stack/files.ts";
import { waitForLock } from "../../../../stack/lock.ts";
import { freePort } from "../../../harness/freePort.ts";

/** Maven coordinates → SHA-256 of the archive. */
const archives: Record<string, string> = {
	"org.jsmpp:jsmpp:2.3.11": "bdb5835649d23438a6c9bda78829fee5d19e56ed2ad9308f96fc8aaf9793c141",
	"org.jsmpp:jsmpp-examples:2.3.11": "49b6e0b564461aba5bb076278641d039ab5432edf0de7a5513d24c944a00599a",
	"org.slf4j:slf4j-api:1.7.36": "d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0",
	"org.slf4j:slf4j-simple:1.7.36": "2f39bed943d624dfa8f4102d0571283a10870b6aa36f197a8a506f147010c10f",
};
const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";
const folder = fileURLToPath(new URL("../../../../.lethe/jsmpp", import.meta.url));
const credentials = { systemId: "lethe", password: "secret" };

/** Why the simulator can't run here; false when it can. */
export function whyNoJsmpp(): string | false {
	const lacks = (program: string, flag: string) => spawnSync(program, [flag], { timeout: 30_000 }).status !== 0;
	if (lacks("java", "-version")) return "java is absent: jSMPP's simulator can't run";
	const isFetched = Object.keys(archives).every((name) => existsSync(fileOf(name)));
	return !isFetched && lacks("mvn", "-version") ? "mvn is absent: jSMPP's simulator can't be fetched" : false;
}

const fileOf = (coordinates: string) => join(folder, `${coordinates.split(":").slice(1).join("-")}.jar`);

/** @throws Error when an archive can't be fetched, or is not the one that was pinned */
async function fetchArchives(): Promise<string> {
	makePrivateFolder(folder);
	const lock = await waitForLock(join(folder, "lock"), () => undefined);
	try {
		for (const [coordinates, digest] of Object.entries(archives)) fetchArchive(coordinates, digest);
	} finally {
		lock.release();
	}
	return Object.keys(archives).map(fileOf).join(delimiter);
}

function fetchArchive(coordinates: string, digest: string): void {
	const file = fileOf(coordinates);
	if (!existsSync(file)) {
		const incoming = makePrivateFolder(join(folder, "incoming"));
		const what = [`-Dartifact=${coordinates}`, `-DoutputDirectory=${incoming}`];
		const { status, stdout } = spawnSync("mvn", ["-q", "-B", `${plugin}:copy`, ...what], {
			cwd: folder,
			encoding: "utf8",
			timeout: 180_000,
		});
		if (status !== 0) throw new Error(`${coordinates} could not be fetched:\n${stdout?.slice(-2000)}`);
		renameSync(join(incoming, file.slice(folder.length + 1)), file);
	}
	const found = createHash("sha256").update(readFileSync(file)).digest("hex");
	if (found === digest) return;
	rmSync(file);
	throw new Error(`${coordinates} is not the archive that was pinned: its SHA-256 is ${found}.`);
}

/** What the SMSC took, in its own words; `id` is hexadecimal, as it answers. */
type Entry = { text: string; id: string };

/** A simulator on a port that stays its own over restarts, with all that it ever took. */
export async function startJsmpp() {
	const classPath = await fetchArchives();
	const port = await freePort();
	const ledger: Entry[] = [];
	let running: Awaited<ReturnType<typeof run>>;

	async function run() {
		const properties = {
			"jsmpp.simulator.port": port,
			"jsmpp.client.systemId": credentials.systemId,
			"jsmpp.client.password": credentials.password,
			"org.slf4j.simpleLogger.log.org.jsmpp": "warn",
			"org.slf4j.simpleLogger.log.org.jsmpp.examples": "info",
		};
		const flags = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
		const main = "org.jsmpp.examples.SMPPServerSimulator";
		const child = spawn("java", ["-Xmx128m", ...flags, "-cp", classPath, main], {
			stdio: ["ignore", "ignore", "pipe"],
		});
		const ended = once(child, "close");
		const lines = createInterface({ input: child.stderr });
		await new Promise<void>((resolve, reject) => {
			lines.on("line", (line) => {
				if (line.includes("Listening on port")) resolve();
				const [, text, id] = /Receiving submit_sm '(.*)', and return message id ([0-9a-f]+)$/.exec(line) ?? [];
				if (text !== undefined && id !== undefined) ledger.push({ text, id });
			});
			child.once("error", reject);
			child.once("close", () => reject(new Error("the simulator ended before it listened")));
		});
		return { child, ended };
	}

	async function stop(): Promise<void> {
		running.child.kill("SIGKILL");
		await running.ended;
	}

	running = await run();
	return {
		port,
		credentials,
		ledger,
		/** Killed as a crash would, and begun anew. */
		async restart(): Promise<void> {
			await stop();
			running = await run();
		},
		[Symbol.asyncDispose]: stop,
	};
}
