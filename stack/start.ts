// `npm start`: servers, Lethe, one message shown from accept to its certificate, then it keeps running.

import { constants } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfig, settings } from "../config.ts";
import { repeatCanary, runCanary } from "./canaryRuns.ts";
import { showMessage } from "./demo.ts";
import { startProcesses } from "./processes.ts";
import { createStack } from "./stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const usage = `npm start [-- --once] [-- --dir FOLDER]

Starts the servers and Lethe, sends one message through the simulated carrier, shows its states and certificate,
prints the URLs and a demo key, and keeps running until Ctrl-C. Settings (docs/settings.md) reach Lethe's processes.

  --once        stop after the message is final; exit 0 only if it was delivered, erased and certified
  --dir FOLDER  where data, logs and process ids are kept (default: .lethe)
`;
const refused =
	"npm start is for trying out: its simulated carrier is refused in production. Unset LETHE_ENVIRONMENT, or deploy as deploy/README.md says.";
const say = (line: string) => console.log(line);

type Options = { once: boolean; dir: string; help: boolean };

try {
	const options = readOptions();
	if (options.help) say(usage);
	else {
		// A bad setting is told before anything is started.
		if (loadConfig().environment === "production") throw new Error(refused);
		await run(options);
	}
} catch (error) {
	console.error((error as Error).message);
	process.exit(2);
}

/** @throws Error that names the mend */
function readOptions(): Options {
	try {
		const { values } = parseArgs({
			options: {
				once: { type: "boolean", default: false },
				dir: { type: "string", default: join(root, ".lethe") },
				help: { type: "boolean", default: false },
			},
		});
		return values;
	} catch (error) {
		throw new Error(`${(error as Error).message.split(". ")[0]}. See \`npm start -- --help\`.`);
	}
}

/** What the user set of Lethe's own settings; addresses and credentials are the stack's. */
function ownSettings(): Record<string, string> {
	const names = Object.keys(settings).filter((name) => name.startsWith("LETHE_") && !name.startsWith("LETHE_VAULT_"));
	return Object.fromEntries(names.flatMap((name) => (process.env[name]?.trim() ? [[name, process.env[name]]] : [])));
}

async function run(options: Options): Promise<void> {
	const stack = createStack({ root, dir: resolve(options.dir), log: say });
	let stopCanary: (() => void) | undefined;
	let stopping: Promise<void> | undefined;
	const stop = () => {
		stopping ??= (async () => {
			stopCanary?.();
			await stack.stop();
		})();
		return stopping;
	};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => {
			if (!stopping) say("\nending everything …");
			void stop().then(() => {
				say(`ended; messages and keys stay in ${stack.dir}, for the next start.`);
				// Of a message that is to be shown whole nothing was, so far.
				process.exit(options.once ? 128 + constants.signals[signal] : 0);
			});
		});
	}
	try {
		await stack.start();
		const processes = await startProcesses(stack, { log: say, environment: ownSettings() });
		const { apiUrl, demo } = processes;
		const folder = join(stack.dir, "demo");
		const shown = await showMessage({ apiUrl, apiKey: demo.apiKey, folder }, say).catch((error: Error) => {
			console.error(error.message);
			return false;
		});
		// Without it what runs is there to be used all the same: an opt-out of before, say, is lifted nowhere else.
		if (options.once) {
			await stop();
			process.exit(shown ? 0 : 1);
		}
		const { servers } = stack.state();
		say(
			`\nAPI          ${processes.apiUrl}\nAPI by TLS   ${processes.tlsUrl} (authority: ${stack.state().authority?.certificateFile})\nAPI docs     ${processes.apiUrl}/docs\nTemporal UI  ${servers.temporal.uiUrl}`,
		);
		const { canaryEveryMs: everyMs } = loadConfig();
		if (everyMs > 0) {
			const reportFile = join(stack.dir, "canary", "report.json");
			stopCanary = repeatCanary({ everyMs, reportFile, log: say, run: () => runCanary(stack.file) });
		}
		say(`demo key     ${processes.demo.apiKey}\n\nCtrl-C ends everything.`);
	} catch (error) {
		console.error((error as Error).message);
		await stop();
		process.exit(1);
	}
}
