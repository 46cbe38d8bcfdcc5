// `lethe keys`: which keys there are, how old, and what depends on them; new versions, the end of old ones, and what they wrap wrapped anew.

import { Command } from "commander";
import { addExamples } from "./examples.ts";
import { listCommand } from "./keys/list.ts";
import { retireCommand } from "./keys/retire.ts";
import { rewrapCommand } from "./keys/rewrap.ts";
import { rotateCommand } from "./keys/rotate.ts";

/** Needs the admin role. Exit 0: done; 1: a key is overdue, there is none of that name, or an old version is needed still; 2: misuse. */
export function keysCommand(): Command {
	const keys = new Command("keys").description(
		"List keys, rotate them, end their old versions, wrap anew what they wrap (needs the admin role).",
	);
	for (const command of [listCommand(), rotateCommand(), retireCommand(), rewrapCommand()]) keys.addCommand(command);
	return addExamples(keys, examples);
}

const examples = {
	list: "lethe keys list --json",
	rotate: "lethe keys rotate token",
	retire: "lethe keys retire token",
	rewrap: "lethe keys rewrap --cohort coh_…",
};
