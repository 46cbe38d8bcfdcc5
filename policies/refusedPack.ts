// A pack's faults as the errors of a problem document, each with its line and mend.

import { LetheError } from "../domain/errors.ts";
import type { PackFault } from "./faults.ts";

export function refusedPack(faults: readonly PackFault[]): LetheError {
	const errors = faults.map(({ line, message, mend }) => ({
		pointer: "/text",
		detail: `line ${line}: ${message}. ${mend}`,
	}));
	return new LetheError("policy_refused", {
		errors,
		extra: { faults: faults.map(({ line, message, mend }) => ({ line, message, mend })) },
	});
}
