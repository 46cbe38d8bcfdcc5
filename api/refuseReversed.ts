// A period ends after it begins: one that is given the wrong way round would find nothing, and look like an answer.

import { LetheError } from "../domain/errors.ts";

type Period = { from?: string | undefined; to?: string | undefined };

/** @throws LetheError invalid_request, by the field `to` below `at`, when both times (RFC 3339) are given and `to` is the earlier */
export function refuseReversed({ from, to }: Period, at: "" | "/querystring"): void {
	if (from === undefined || to === undefined || Date.parse(to) >= Date.parse(from)) return;
	throw new LetheError("invalid_request", { errors: [{ pointer: `${at}/to`, detail: "Before the period begins." }] });
}
