// How long a record of a recipient lives: by the packs that apply where the recipient is.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { Facts, RetentionInterval } from "../domain/decision.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { addDuration } from "../policies/cohorts.ts";
import type { ApiDeps } from "./deps.ts";
import type { Recipient } from "./recipient.ts";

type Kept = "consent_evidence" | "suppression" | "decision_record";

/** What the policies are asked about a recipient to whom nothing is sent. */
export function factsAbout(tenant: TenantDocument, recipient: Partial<Recipient>, now: number): Facts {
	return withoutUndefined({
		recipientCountry: recipient.country,
		recipientRegion: recipient.region,
		timezone: recipient.timezone,
		senderEstablishment: tenant.establishment,
		context: { evaluatedAt: new Date(now).toISOString() },
	});
}

export function createSubjectRetention(deps: Pick<ApiDeps, "policies">) {
	const interval = (object: Kept, facts: Facts): RetentionInterval => deps.policies.retentionPlan(facts)[object];
	return {
		interval,
		/** Latest time for an object made at `at`; undefined where no pack sets one. Epoch milliseconds. */
		eraseBy(object: Kept, facts: Facts, at: number): number | undefined {
			const { max } = interval(object, facts);
			return max === null ? undefined : addDuration(at, max);
		},
	};
}
