// `lethe policy approve PROPOSAL`: approves what somebody else has proposed.

import type { Command } from "commander";
import { stepCommand } from "./step.ts";

export function approveCommand(): Command {
	return stepCommand(
		"approve",
		"approve somebody else's proposal, signed in by `lethe login` as a person with the role approver",
		({ id }) => `next: lethe policy publish ${id}`,
	);
}
