// A single sign-on that is refused: what is told of it, and why, as the evidence log words it.

import { type ErrorCode, LetheError } from "./errors.ts";

export type SsoRefusal = "declined" | "answer" | "state" | "token" | "mfa" | "age" | "unlinked" | "taken";

/** The cause is the reason, which nobody is told who is refused. */
export function refuseSso(why: SsoRefusal, code: ErrorCode = "sso_failed"): LetheError {
	return new LetheError(code, { cause: why });
}
