// A MongoDB server of one test's own, in folders that the test may copy and put back while it is stopped.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makePrivateFolder } from "../../stack/files.ts";
import { createPorts } from "../../stack/ports.ts";
import { planMongodb } from "../../stack/servers/mongodb.ts";
import { findSource } from "../../stack/sources.ts";
import { createSupervised, untilAnswered } from "../../stack/supervised.ts";
import { installWheels } from "../../stack/wheels.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export type OwnMongodb = Awaited<ReturnType<typeof createOwnMongodb>>;

/** Plans a server over `dataDir`; `runDir` holds its log and process id. */
export async function createOwnMongodb(options: { name: string; dataDir: string; runDir: string }) {
	const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
	const log = () => undefined;
	const wheels = () => installWheels({ root, environment, log });
	const program = await findSource("mongodb", { environment, madeBy: undefined, wheels });
	if (program.source === "environment") throw new Error("no server of one's own without its URL in the environment");
	const dataDir = makePrivateFolder(options.dataDir);
	makePrivateFolder(options.runDir);
	const server = await planMongodb({ program, dataDir, port: createPorts({}).pick });
	const supervised = createSupervised({
		name: options.name,
		runDir: options.runDir,
		logFile: join(options.runDir, `${options.name}.log`),
		plan: async () => ({ command: server.command, args: server.args, env: environment, cwd: dataDir }),
		ready: (_child, signal, note) => untilAnswered(server.answers, signal, note),
		readyMs: server.readyMs,
		stopMs: 10_000,
		onPid: () => undefined,
		log,
	});
	process.on("exit", supervised.killNow);
	return { url: server.address.url, start: supervised.start, stop: supervised.stop };
}
