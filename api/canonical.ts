// One text for one request, however it was written down: what two requests must share to be the same one.

import canonicalize from "canonicalize";
import { Plaintext } from "../domain/plaintext.ts";

/** Canonical JSON (RFC 8785), with what was wrapped in clear: it may leave its caller as a keyed hash only. */
export function canonical(value: unknown): string {
	return canonicalize(revealed(value)) ?? "";
}

function revealed(value: unknown): unknown {
	if (value instanceof Plaintext) return value.reveal();
	if (Array.isArray(value)) return value.map(revealed);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, revealed(field)]));
}
