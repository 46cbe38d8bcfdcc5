// `lethe policy approve PROPOSAL`: approves what somebody else has proposed.

import type { Command } from "commander";
import { stepCommand } from "./step.ts";

export function approveCommand(): Command {
	return stepCommand(
		"approve",
		"approve somebody else's proposal, with a key that has the role approver; marked as unverified",
		({ id }) => `next: lethe policy publish ${id}`,
	);
}
