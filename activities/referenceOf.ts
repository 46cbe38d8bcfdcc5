// By what a carrier knows an attempt of ours.

import type { ActivityDeps } from "./deps.ts";

/**
 * The attempt's reference, the same whenever it is asked for. It tells nobody which message it is of who has not the
 * claim's random token, and that ends with the record: what the carrier keeps is then a reference to nothing.
 */
export function referenceOf({ ids }: Pick<ActivityDeps, "ids">, messageId: string, claim: string): string {
	return ids.derive("reference", `${claim}\n${messageId}`);
}
