// `lethe evidence`: the log of all that was done, checked, taken away, and its last checkpoint.

import { Command } from "commander";
import { checkpointCommand } from "./evidence/checkpoint.ts";
import { exportCommand } from "./evidence/export.ts";
import { fsckCommand } from "./evidence/fsck.ts";
import { succeedCommand } from "./evidence/succeed.ts";
import { addExamples } from "./examples.ts";

/** Exit 0: whole, or done; 1: a negative answer; 2: misuse. What an auditor does with it is told in docs/evidence.md. */
export function evidenceCommand(): Command {
	const evidence = new Command("evidence").description("check the evidence log, export it, read its checkpoint");
	for (const command of [fsckCommand(), exportCommand(), checkpointCommand(), succeedCommand()]) {
		evidence.addCommand(command);
	}
	return addExamples(evidence, examples);
}

const examples = {
	fsck: "lethe evidence fsck --checkpoint checkpoint.txt",
	export: "lethe evidence export --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --out january.ndjson",
	checkpoint: "lethe evidence checkpoint > checkpoint.txt",
	succeed: "lethe evidence succeed --reason restore",
};
