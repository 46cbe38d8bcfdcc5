// `npm start`: servers, Lethe, one message shown from accept to its certificate, then it keeps running.

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { showMessage } from "./demo.ts";
import { type Processes, startProcesses } from "./processes.ts";
import { createStack } from "./stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const usage = `npm start [-- --once] [-- --dir FOLDER]

Starts the servers and Lethe, sends one message through the simulated carrier, shows its states and certificate,
prints the URLs and a demo key, and keeps running until Ctrl-C.

  --once        stop after the message is final; exit 0 only if it was delivered, erased and certified
  --dir FOLDER  where data, logs and process ids are kept (default: .lethe)
`;
const say = (line: string) => console.log(line);

const { values } = parseArgs({
	options: {
		once: { type: "boolean", default: false },
		dir: { type: "string", default: join(root, ".lethe") },
		help: { type: "boolean", default: false },
	},
});
if (values.help) say(usage);
else await run();

async function run(): Promise<void> {
	const stack = createStack({ root, dir: resolve(values.dir), log: say });
	let processes: Processes | undefined;
	let stopping: Promise<void> | undefined;
	const stop = () => {
		stopping ??= (async () => {
			await processes?.stop();
			await stack.stop();
		})();
		return stopping;
	};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => void stop().then(() => process.exit(0)));
	}
	try {
		await stack.start();
		processes = await startProcesses(stack, { log: say });
		const shown = await showMessage(processes.apiUrl, processes.demo.apiKey, say);
		if (values.once || !shown) {
			await stop();
			process.exit(shown ? 0 : 1);
		}
		const { servers } = stack.state();
		say(
			`\nAPI          ${processes.apiUrl}\nAPI docs     ${processes.apiUrl}/docs\nTemporal UI  ${servers.temporal.uiUrl}`,
		);
		say(`demo key     ${processes.demo.apiKey}\n\nCtrl-C ends everything.`);
	} catch (error) {
		console.error((error as Error).message);
		await stop();
		process.exit(1);
	}
}
