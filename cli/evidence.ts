// `lethe evidence`: the log of all that was done, checked, taken away, and its last checkpoint.

import { Command } from "commander";
import { checkpointCommand } from "./evidence/checkpoint.ts";
import { exportCommand } from "./evidence/export.ts";
import { fsckCommand } from "./evidence/fsck.ts";
import { listCommand } from "./evidence/list.ts";
import { succeedCommand } from "./evidence/succeed.ts";
import { addExamples } from "./examples.ts";

/** Exit 0: whole, or done; 1: a negative answer; 2: misuse. What an auditor does with it is told in docs/evidence.md. */
export function evidenceCommand(): Command {
	const evidence = new Command("evidence").description("read the evidence log, check it, export it");
	const reading = [listCommand(), exportCommand(), checkpointCommand()];
	for (const command of [...reading, fsckCommand(), succeedCommand()]) evidence.addCommand(command);
	return addExamples(evidence, examples);
}

const examples = {
	fsck: "lethe evidence fsck --checkpoint checkpoint.txt",
	export: "lethe evidence export --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --out january.ndjson",
	checkpoint: "lethe evidence checkpoint > checkpoint.txt",
	succeed: "lethe evidence succeed --reason restore",
};
