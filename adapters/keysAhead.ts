// Makes the keys of the next buckets before the first message needs them: then a short outage of Vault stops none.

import { limits } from "../domain/limits.ts";
import type { CohortPlace, Cohorts } from "./cohorts.ts";
import type { Encryption } from "./vault/encryption.ts";

const inFlightMax = 8;

/**
 * One pass over the cohorts that this process uses and is going to need next: each is opened, and a wrapping key of this
 * process's own is drawn for it. What can't be made now the next pass makes. Never throws.
 */
export function createKeysAhead(deps: {
	cohorts: Pick<Cohorts, "ensure" | "upcoming">;
	encryption: Pick<Encryption, "prepareCohort">;
	log: { warn: (fields: Record<string, unknown>, message: string) => void };
}) {
	let running = false;

	/** Answers false when a server is away: then nothing else can be made now either. */
	async function make(place: CohortPlace): Promise<boolean> {
		try {
			await deps.encryption.prepareCohort(await deps.cohorts.ensure(place));
			return true;
		} catch (error) {
			const code = postpone(error);
			return code !== "keys_unavailable" && code !== "store_unavailable";
		}
	}

	async function makeAll(): Promise<void> {
		const places = deps.cohorts.upcoming();
		for (let start = 0; start < places.length; start += inFlightMax) {
			const made = await Promise.all(places.slice(start, start + inFlightMax).map(make));
			if (made.includes(false)) break;
		}
	}

	function postpone(error: unknown): string {
		const code = (error as { code?: string }).code ?? "internal";
		deps.log.warn({ code }, "key ahead postponed");
		return code;
	}

	return async function makeKeysAhead(): Promise<void> {
		// A Vault that answers slowly is not asked twice at once.
		if (running) return;
		running = true;
		try {
			await makeAll();
		} catch (error) {
			postpone(error);
		} finally {
			running = false;
		}
	};
}

/** Runs `makeKeysAhead` from now on; answers what ends that. */
export function repeatKeysAhead(makeKeysAhead: () => Promise<void>): () => void {
	const timer = setInterval(() => void makeKeysAhead(), limits.cohortAheadEveryMs);
	timer.unref();
	return () => clearInterval(timer);
}
