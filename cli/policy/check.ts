// `lethe policy check PROPOSAL`: has a draft checked; faults are printed with their lines and mends.

import type { Command } from "commander";
import { stepCommand } from "./step.ts";

export function checkCommand(): Command {
	return stepCommand(
		"check",
		"check a draft and run its cases; exit 1 prints each fault with its line and mend",
		({ id, check }) => `${check?.cases} cases pass\nnext: lethe policy simulate ${id}`,
	);
}
