// What an admin command does with its dependencies: opens them, prints what it answers, lets go of them.

import type { Deps, ProcessName } from "../../deps.ts";
import { adminDeps } from "../target.ts";

/** Runs `act` and prints what it answers, as one JSON object unless told. `as` says with which Vault roles. */
export async function withDeps<Answer>(
	act: (deps: Deps) => Promise<Answer>,
	as: Extract<ProcessName, "admin" | "exporter"> = "admin",
	tell: (answer: Answer) => string = JSON.stringify,
): Promise<void> {
	const deps = await adminDeps(as);
	try {
		process.stdout.write(`${tell(await act(deps))}\n`);
	} finally {
		await deps.close();
	}
}
