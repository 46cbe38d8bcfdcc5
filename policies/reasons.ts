// Every reason code that a decision may carry, with what it means; a pack that names another one fails to load.

export const reasonMeanings = {
	AD_LABEL_MISSING: "Singapore: marketing begins with the label `<ADV>`, and this text does not.",
	ART9_CONDITION_MISSING:
		"Special categories of data need a condition of Art. 9(2) of the GDPR or the UK GDPR, and none is named.",
	ART9_CONDITION_PRESENT:
		"A condition of Art. 9(2) of the GDPR or the UK GDPR is named for special categories of data.",
	BAA_MISSING: "The route's provider has no business associate agreement for protected health information.",
	BUDGET_EXHAUSTED:
		"The tenant's budget for the day or month, for this country or for all, has no room for the message.",
	CCPA_EXEMPT_PHI: "The CCPA leaves protected health information to HIPAA.",
	CONSENT_EXPIRED: "The consent has ended with time.",
	CONSENT_INSUFFICIENT: "There is consent, but not of the kind, for the purpose or with the evidence that is needed.",
	CONSENT_MISSING: "Consent is needed, and there is none that counts.",
	CONSENT_SUFFICIENT: "The consent is what is needed.",
	DELIVERY_MODE_ASKED: "The request asks for a more protective delivery mode than any rule does.",
	DELIVERY_MODE_TOO_WEAK: "The request names a less protective delivery mode than a rule asks for.",
	DESTINATION_NOT_ALLOWED: "The tenant sends to no number of this country: it has not allowed it.",
	DLT_TEMPLATE_MISSING:
		"India: entity, header or template is not registered on the operators' ledger: `lethe queue set --registration IN=entity:header:template`.",
	DSR_CLOCK_STARTED: "The clock of the subject's request runs, whether or not the request is granted.",
	ERASE_CONTENT: "The content, and the number with it, is to be erased.",
	ERASURE_INCOMPLETE_KEY_COPIES: "Copies of the key, or of plaintext, are left, so the erasure is not complete yet.",
	EXEMPTION_LENGTH_EXCEEDED: "The text is longer than the exemption from consent allows.",
	EXPIRES_BEFORE_WINDOW: "The message would expire before it may be sent.",
	FOREIGN_OBLIGATION_NOT_17_3_B:
		"A duty under another country's law does not stop an erasure: Art. 17(3)(b) of the GDPR means Union and member-state law, that of the UK GDPR the United Kingdom's.",
	FREQUENCY_EXCEEDED: "As many messages as are allowed have been sent to this recipient already.",
	FREQUENCY_UNCOUNTED:
		"More messages of this category were made for the recipient of late than are counted, so a limit may be passed.",
	HIPAA_AUTHORIZATION_MISSING: "Marketing with protected health information needs the patient's authorization.",
	HOLD_RELEASED_PURGE_DUE: "The last hold is released and the content is past its time: it goes at once.",
	LAWFUL_BASIS_CONTRACT: "The lawful basis is the contract with the subject.",
	LAWFUL_BASIS_MISSING: "No lawful basis of Art. 6(1) of the GDPR or the UK GDPR is named.",
	LEGAL_HOLD_ACTIVE: "A legal hold keeps it from being erased, and from being used.",
	MIN_RETENTION_NOT_REACHED:
		"A rule has it kept longer, mostly a law's; `notBefore` says until when, where that is known.",
	NOTIFY_RECIPIENTS: "Those whom the data was disclosed to are told that it is erased, corrected or restricted.",
	NOTIFY_SERVICE_PROVIDERS: "Service providers and contractors are told to do the same.",
	NO_HIPAA_ERASURE_RIGHT: "HIPAA gives a right to amendment and none to erasure.",
	NO_PACK_DENY_DEFAULT:
		"No pack opens this destination, or no law grants this request; what nothing permits is refused.",
	ONE_CONFIRMATION_ALLOWED: "One confirmation of the opt-out may be sent, within `confirmationWithin`.",
	OPTED_OUT: "The recipient has opted out of this, or asked to be reached otherwise.",
	OPTED_OUT_REVOKE_ALL: "The recipient has opted out of everything, or the law takes the opt-out to mean that.",
	OPT_OUT_RECORDED: "The text is an opt-out and is recorded as one.",
	OPT_OUT_SCOPE_PROGRAM:
		"An opt-out of marketing reaches the program that it answers, and leaves other messages alone.",
	OTP_TOO_SHORT: "A one-time code needs at least six digits.",
	OTP_VALIDITY_EXCEEDED: "A one-time code may be valid for ten minutes at most.",
	PAN_DETECTED: "There is a card number in it; it is refused and not stored.",
	PATIENT_PREFERENCE_UNENCRYPTED: "The patient was warned and prefers plain SMS.",
	PHI_SECURE_LINK: "Protected health information goes as a secure link.",
	POLICY_CONFLICT_REVIEW: "Rules conflict in a way that a person has to decide.",
	PREFIX_VELOCITY:
		"More messages than usual went to numbers of this country with the same first digits of late, as when somebody earns by them.",
	PRICE_UNKNOWN: "The tenant's budget counts money, and no price to this country is set for the send queue.",
	PROCESSING_RESTRICTED: "The data may be stored and not otherwise used.",
	QUIET_DAY: "At the recipient it is a day on which nothing is sent, or such a day lies in the wait.",
	QUIET_HOURS: "At the recipient it is an hour at which nothing is sent, or such an hour lies in the wait.",
	QUIET_HOURS_NOT_APPLICABLE: "No quiet hours bind this message; most bind marketing only.",
	RECORD_PSEUDONYMISED: "What is kept as a record holds no content and names the subject by a keyed hash only.",
	RETENTION_INTERVAL_EMPTY: "One rule keeps it longer than another allows, and no approved resolution settles that.",
	RETENTION_NOT_DISCLOSED: "The retention period, or the criteria for it, has not been disclosed to the subjects.",
	SENDER_ID_UNREGISTERED:
		"The sender is not registered where it has to be: `lethe queue set --registration` names its reference.",
	SOFT_OPT_IN: "Existing customers may be written to about similar products: all conditions are met.",
	SOFT_OPT_IN_CONDITIONS_UNMET: "Not every condition for writing to existing customers is met.",
	SPECIAL_CATEGORY_SECURE_LINK: "Health and other special categories of data go as a secure link.",
	SUBPROCESSOR_NOT_APPROVED: "The route's provider is not an approved sub-processor.",
	SUPPRESSED_BY_HASH: "The keyed hash of the number is on the suppression list, and nothing shows a new opt-in.",
	SUPPRESSION_HASH_KEPT: "The keyed hash of the number stays, so that the opt-out can be honoured.",
	TIMEZONE_UNKNOWN_STRICTEST: "The time zone is not certain: every zone that it may be has to be open.",
	TRANSFER_MECHANISM_MISSING: "The route leads through a third country, and no mechanism for the transfer is named.",
	WARNING_NOT_RECORDED: "The patient prefers plain SMS, and no warning of its risk is on record.",
} as const;

export type ReasonCode = keyof typeof reasonMeanings;

export const reasonCodes = Object.keys(reasonMeanings) as [ReasonCode, ...ReasonCode[]];
