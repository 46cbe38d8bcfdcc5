// A reason of a decision as a person reads it: its code, by which it is looked up, and what it means.

import { type ReasonCode, reasonMeanings } from "../../policies/reasons.ts";

/** A code that only a published pack has is its own sentence. */
export function describeReason(code: string): string {
	const means = reasonMeanings[code as ReasonCode];
	return means === undefined ? code : `${code}: ${means}`;
}
