// One text for one request, however it was written down: what two requests must share to be the same one.

import canonicalize from "canonicalize";
import { LetheError } from "../domain/errors.ts";
import { Plaintext } from "../domain/plaintext.ts";

const depthMax = 64;
const tooDeep = { pointer: "", detail: `Nested deeper than ${depthMax} levels.` };

/**
 * Canonical JSON (RFC 8785), with what was wrapped in clear: it may leave its caller as a keyed hash only.
 * @throws LetheError invalid_request for what is nested deeper than any request is
 */
export function canonical(value: unknown): string {
	return canonicalize(revealed(value, 0)) ?? "";
}

function revealed(value: unknown, depth: number): unknown {
	if (value instanceof Plaintext) return value.reveal();
	// JSON has no infinity, but numbers that are read as one.
	if (typeof value === "number" && !Number.isFinite(value)) return String(value);
	if (typeof value !== "object" || value === null) return value;
	if (depth >= depthMax) throw new LetheError("invalid_request", { errors: [tooDeep] });
	if (Array.isArray(value)) return value.map((item) => revealed(item, depth + 1));
	return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, revealed(field, depth + 1)]));
}
