// What a policy is asked (facts) and what it answers (decision). JSON shapes are fixed by the outside contract.

export type PolicyEvent =
	| "send"
	| "inbound"
	| "erasure_request"
	| "access_request"
	| "correction_request"
	| "restriction_request"
	| "objection_request"
	| "hold_released"
	| "policy_publish"
	| "purge_due"
	| "erasure_verify";

/** Facts about one act. Everything is optional but what a rule needs; unknown fields are refused by the schema. */
export type Facts = {
	recipientCountry?: string | undefined;
	recipientRegion?: string | undefined;
	timezone?: string | undefined;
	/** Wall time at the recipient, no zone. */
	localTime?: string | undefined;
	senderEstablishment?: string | undefined;
	subjectResidence?: string | undefined;
	category?: string | undefined;
	dataClasses?: string[] | undefined;
	consent?: Consent | undefined;
	optedOut?: "none" | "marketing" | "all" | undefined;
	legalHold?: boolean | undefined;
	context?: FactsContext | undefined;
};

export type Consent = {
	type?: "none" | "implied" | "soft_opt_in" | "express" | "express_written" | undefined;
	obtainedAt?: string | undefined;
	purposes?: string[] | undefined;
	/** A yes, or a reference to where the proof is kept. */
	evidence?: boolean | string | undefined;
	source?: string | undefined;
	ground?: string | undefined;
	withdrawnAt?: string | null | undefined;
};

/** See the policy schema for every known field. */
export type FactsContext = { event?: PolicyEvent | undefined; evaluatedAt?: string | undefined } & Record<
	string,
	unknown
>;

export type Decision = {
	allowed: boolean;
	reasons: string[];
	deferUntilLocal?: string;
	deferUntilUtc?: string;
	deliveryMode?: "sms" | "secure_link" | "e2ee";
	contentRetentionMax?: string;
	recordRetentionMin?: string;
	recordRetentionMax?: string;
	purgeContentWithin?: string;
	ackBy?: string;
	respondBy?: string;
	honorBy?: string;
	backupPurgeBy?: string;
	notBefore?: string;
	certificateNotBefore?: string;
	confirmationWithin?: string;
	maxConfirmations?: number;
	citations: string[];
	packs: { id: string; version: string }[];
	/** Ids of the rules that fired, the decisive one first. */
	rules: string[];
};

/**
 * An interval per retention object, composed from the packs that apply; `max: null` is unbounded. Within it the object
 * goes after `keep`, unless a tenant states another need. ISO 8601 durations.
 */
export type RetentionInterval = { min: string; max: string | null; keep?: string; citations: string[] };
export type RetentionPlan = Record<
	| "content"
	| "address"
	| "receipt"
	| "decision_record"
	| "consent_evidence"
	| "suppression"
	| "subject_request"
	| "policy_documentation",
	RetentionInterval
>;
