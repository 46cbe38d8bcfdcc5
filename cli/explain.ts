// What went wrong, in one line for a person at a terminal.

import { errorCatalogue, LetheError } from "../domain/errors.ts";

/** Names what failed and the mend; holds no more of a driver's own text than a host and a port. */
export function explain(error: unknown): string {
	if (error instanceof LetheError) {
		return `${error.code}: ${errorCatalogue[error.code].title} \`lethe doctor\` says what is wrong.`;
	}
	const { name = "Error", message = "" } = error as Error;
	// A driver's message may quote a connection string, password and all.
	if (name.startsWith("Mongo")) return "MongoDB can't be reached: start it, or correct MONGODB_URL.";
	return message.split("\n")[0] || name;
}
