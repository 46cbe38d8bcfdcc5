// A process's log: pino, held to the fields that a line may have.

import { pino } from "pino";
import { cleanText, listedFields } from "./fields.ts";

type Destination = { write: (line: string) => unknown };

/** `destination` takes lines of JSON. */
export function createLog(options: { level: string; process: string; destination: Destination }) {
	const { level, process: name, destination } = options;
	return pino(
		{
			level,
			base: { process: name },
			formatters: { log: listedFields },
			hooks: {
				logMethod([first, second], method) {
					const [fields, message] = typeof first === "string" ? [{}, first] : [toFields(first), second];
					// Nothing is filled into a message: what it would be filled with has no form.
					method.apply(this, [fields, cleanText(String(message ?? ""))]);
				},
			},
		},
		destination,
	);
}

// Messages and stacks of errors quote what they were given.
function toFields(given: unknown): object {
	if (given instanceof Error) return { code: (given as { code?: unknown }).code ?? given.name };
	return typeof given === "object" && given !== null ? given : {};
}
