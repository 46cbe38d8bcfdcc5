// How commands are called, at the end of their help.

import type { Command } from "commander";

/** Adds how a command is called. */
export function addExample(command: Command, example: string): Command {
	return command.addHelpText("after", `\nExample:\n  ${example}`);
}

/** The same of the commands below one, by their names. */
export function addExamples(command: Command, examples: Record<string, string>): Command {
	for (const below of command.commands) {
		const example = examples[below.name()];
		if (example !== undefined) addExample(below, example);
	}
	return command;
}
