// How long a record of a recipient lives: by the packs that apply where the recipient is.

import type { Facts, RetentionInterval } from "../domain/decision.ts";
import type { Ending, Whereabouts } from "../domain/subject.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { addDuration } from "./cohorts.ts";
import type { Policies } from "./index.ts";

type Kept = "consent_evidence" | "suppression" | "decision_record";

/** What the policies are asked about a recipient to whom nothing is sent. */
export function factsAbout(
	tenant: { establishment: string },
	recipient: Partial<Whereabouts> & { timezone?: string | undefined },
	now: number,
): Facts {
	return withoutUndefined({
		recipientCountry: recipient.country,
		recipientRegion: recipient.region,
		timezone: recipient.timezone,
		senderEstablishment: tenant.establishment,
		context: { evaluatedAt: new Date(now).toISOString() },
	});
}

/** What is kept of where a recipient is, for packs that come into force later. */
export function whereaboutsOf({ country, region }: Whereabouts): Whereabouts {
	return withoutUndefined({ country, region });
}

/**
 * When the proof of a consent that ended must be gone, epoch milliseconds. What a law has kept for years after the end
 * outlives the longest term from the beginning; where a subject's request ended it the end alone sets the day: nobody
 * keeps for longer what was to be forgotten.
 */
export function endOfProof(
	{ recordedAt, source }: Pick<Ending, "recordedAt" | "source">,
	{ eraseBy, keptAfterEnd }: ConsentDates,
): number {
	const proven = addDuration(recordedAt, keptAfterEnd);
	return source === "erasure" ? proven : Math.max(eraseBy ?? 0, proven);
}

/** `eraseBy`: the latest, if it never ends; `keptAfterEnd`: how long its proof must live on after its end, ISO 8601. */
type ConsentDates = { eraseBy?: number | undefined; keptAfterEnd: string };

export function createSubjectRetention(deps: { policies: Pick<Policies, "retentionPlan"> }) {
	const interval = (object: Kept, facts: Facts): RetentionInterval => deps.policies.retentionPlan(facts)[object];
	const endOf = ({ max }: RetentionInterval, at: number) => (max === null ? undefined : addDuration(at, max));
	return {
		/** Latest time for an object made at `at`; undefined where no pack sets one. Epoch milliseconds. */
		eraseBy: (object: Kept, facts: Facts, at: number): number | undefined => endOf(interval(object, facts), at),
		/** The same of a consent recorded at `at`. */
		ofConsent(facts: Facts, at: number): ConsentDates {
			const evidence = interval("consent_evidence", facts);
			return { eraseBy: endOf(evidence, at), keptAfterEnd: evidence.min };
		},
	};
}
