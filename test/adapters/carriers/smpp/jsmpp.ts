// An SMSC that others have written: jSMPP's simulator, fetched by pinned version and digest, run as it is.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fetchJars, jsmppArchives, whyNoJars } from "../../../../stack/jars.ts";
import { freePort } from "../../../harness/freePort.ts";

const archives = {
	...jsmppArchives,
	"org.jsmpp:jsmpp-examples:2.3.11": "49b6e0b564461aba5bb076278641d039ab5432edf0de7a5513d24c944a00599a",
};
const credentials = { systemId: "lethe", password: "secret" };

/** Why the simulator can't run here; false when it can. */
export const whyNoJsmpp = () => whyNoJars(archives);

const taken = /Receiving submit_sm '(.*?)', and return message id ([0-9a-f]+)\n/gs;

/** What the SMSC took, in its own words; `id` is hexadecimal, as it answers. */
type Entry = { text: string; id: string };

/** Class path of the simulator, fetched where it is not there yet: which may take minutes. */
export const fetchJsmpp = () => fetchJars(archives);

/** A simulator on a port that stays its own over restarts, with all that it ever took. */
export async function startJsmpp(classPath: string) {
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
		let log = "";
		await new Promise<void>((resolve, reject) => {
			// Not line by line: a part's header may hold the byte of a line's end, drawn as its reference.
			child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
				log += chunk;
				if (log.includes("Listening on port")) resolve();
				log = log.replaceAll(taken, (_, text: string, id: string) => {
					ledger.push({ text, id });
					return "";
				});
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
