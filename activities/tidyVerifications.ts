// Erases the hash of a one-time code when the code expires, and all that is known of its number's codes a day later.

import { limits } from "../domain/limits.ts";
import { tidy } from "../domain/verification.ts";
import type { ActivityDeps } from "./deps.ts";

export type TidyVerificationsDeps = Pick<ActivityDeps, "clock"> & {
	store: { verifications: Pick<ActivityDeps["store"]["verifications"], "change" | "delete" | "findDue"> };
};

/** One page; whoever changes a record meanwhile has it looked at again at its own time. @throws LetheError store_unavailable */
export async function tidyVerifications({ clock, store }: TidyVerificationsDeps): Promise<void> {
	const now = clock();
	const due = await store.verifications.findDue(now, limits.sweepPageItems);
	await Promise.all(
		due.map((record) => {
			const left = tidy(record, now);
			return left ? store.verifications.change(record, left) : store.verifications.delete(record);
		}),
	);
}
