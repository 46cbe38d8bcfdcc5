// The end of a process by what nobody caught: Node would print its message and stack, which may quote what it was given.

import { limits } from "../../domain/limits.ts";

/** Has it told by name and code alone, in the log and on standard error; answers what undoes that. */
export function tellCrashes(deps: {
	log: { fatal: (fields: object, message: string) => void };
	/** Writes what the log has waiting. */
	flush: () => Promise<void>;
}): () => void {
	const crash = (error: unknown) => {
		const { code, name } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
		const word = typeof name === "string" && /^[A-Za-z]{1,40}$/.test(name) ? name : "something";
		deps.log.fatal({ code: code ?? word }, "ended by what nobody caught");
		process.stderr.write(`ended by an uncaught ${word}; the log says more\n`);
		const end = () => process.exit(1);
		// Of two at once the first one ends it.
		setTimeout(end, limits.logFlushMs);
		void deps.flush().then(end, end);
	};
	process.on("uncaughtException", crash);
	return () => void process.off("uncaughtException", crash);
}
