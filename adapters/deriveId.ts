// Ids that follow from what they name: whoever asks, the same text gets the same id.

import { hash } from "node:crypto";
import { formatId, type IdKind } from "../domain/ids.ts";

/** Stored entries of the evidence log are read by it: it stays as it is for as long as any are. */
export function deriveId(kind: IdKind, text: string): string {
	// In two steps: the hash's own way to a buffer takes longer than both.
	return formatId(kind, Buffer.from(hash("sha256", `${kind}\n${text}`, "hex"), "hex"));
}
