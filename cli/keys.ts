// `lethe keys`: which keys there are, how old, and what depends on them; new versions, and what old ones wrap wrapped anew.

import { Command } from "commander";
import { listCommand } from "./keys/list.ts";
import { rewrapCommand } from "./keys/rewrap.ts";
import { rotateCommand } from "./keys/rotate.ts";

/** Needs the admin role. Exit 0: done; 1: a key is overdue, or there is none of that name; 2: misuse. */
export function keysCommand(): Command {
	const keys = new Command("keys").description(
		"List keys, rotate them, wrap anew what they wrap (needs the admin role).",
	);
	for (const command of [listCommand(), rotateCommand(), rewrapCommand()]) keys.addCommand(command);
	return keys;
}
