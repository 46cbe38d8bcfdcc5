// Times of what has happened: a caller may state them, but not from the future.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";

/** The time, or now when none is stated, in epoch milliseconds. @throws LetheError invalid_request when it lies ahead */
export function readPast(text: string | undefined, now: number, pointer: string): number {
	if (text === undefined) return now;
	const at = Date.parse(text);
	if (at <= now + limits.clockSkewMs) return Math.min(at, now);
	throw new LetheError("invalid_request", { errors: [{ pointer, detail: "Not in the future." }] });
}
