// `lethe policy withdraw PROPOSAL`: takes back what is not published.

import type { Command } from "commander";
import { stepCommand } from "./step.ts";

export function withdrawCommand(): Command {
	return stepCommand("withdraw", "withdraw a proposal that is not published", () => "");
}
