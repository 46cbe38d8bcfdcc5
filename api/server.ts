// Runs the API: reads the settings, opens what it needs, listens, and ends in order.

import { ConfigError, loadConfig } from "../config.ts";
import { createDeps, tellFailure } from "../deps.ts";
import { LetheError } from "../domain/errors.ts";
import { createApp } from "./app.ts";
import { ListenError, listen } from "./listen.ts";

const endMsMax = 20_000;

await run().catch((error: unknown) => {
	// Drivers' messages may quote a connection string; a setting's names the mend.
	const known = [ConfigError, ListenError].some((kind) => error instanceof kind);
	const { name, code, message } = error as Error & { code?: string };
	const why = error instanceof LetheError ? tellFailure(error) : [name, code].filter(Boolean).join(" ");
	process.stderr.write(`The API can't start: ${known ? message : why}\n`);
	process.exit(1);
});

async function run(): Promise<void> {
	const config = loadConfig();
	const deps = await createDeps(config, "api");
	await deps.evidence.append([{ type: "process_started", code: "api", by: "engine" }]);
	const app = await createApp(deps);
	let ending = false;
	// Stops listening, finishes what is under way, then lets go of the servers.
	const end = async (): Promise<void> => {
		if (ending) return;
		ending = true;
		setTimeout(() => process.exit(1), endMsMax).unref();
		await app.close();
		await deps.close();
		// Whoever stopped it for a reason of its own has said so.
		process.exit(process.exitCode ?? 0);
	};
	// With a launcher that died too: nobody is left to stop this process.
	for (const reason of ["SIGTERM", "SIGINT", "disconnect"])
		process.on(reason, () => void end().catch(() => process.exit(1)));

	const heard = await listen(app, config.api, deps);
	process.send?.({ ready: true, ...heard });
	process.stdout.write(`${JSON.stringify({ ready: true, ...heard })}\n`);
}
