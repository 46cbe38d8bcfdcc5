// The last run of the canary, as the evidence log has it.

import type { Bundle } from "../domain/evidence.ts";
import { readEntry } from "./entry.ts";

/** When, epoch ms, and with which result: `clean`, `found` or `unread`; undefined when none was ever entered. */
export async function findLastCanary(
	store: { pageOf: (of: { about: string }, index: number, itemsMax: number) => Promise<Bundle[]> },
	canaryId: string,
): Promise<{ at: number; result: string } | undefined> {
	const bundles = await store.pageOf({ about: canaryId }, Number.MAX_SAFE_INTEGER, 1);
	const entries = bundles.flatMap(({ entries: texts }) => texts.flatMap((text) => readEntry(text) ?? []));
	const last = entries.findLast(({ type, about }) => type === "canary_run" && about === canaryId);
	return last && { at: Date.parse(last.at), result: last.code ?? "" };
}
