// What an admin command does with its dependencies: opens them, prints one JSON object, lets go of them.

import type { Deps, ProcessName } from "../../deps.ts";
import { adminDeps } from "../target.ts";

/** Runs `act` and prints what it answers. `as` says with which Vault roles. */
export async function withDeps(
	act: (deps: Deps) => Promise<unknown>,
	as: Extract<ProcessName, "admin" | "exporter"> = "admin",
): Promise<void> {
	const deps = await adminDeps(as);
	try {
		process.stdout.write(`${JSON.stringify(await act(deps))}\n`);
	} finally {
		await deps.close();
	}
}
