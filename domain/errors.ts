// The error catalogue: every failure a caller may see has one row here and a page in the docs.

/** code → HTTP status, whether the same request may succeed later, and the only sentence that leaves the process. */
export const errorCatalogue = {
	invalid_request: { status: 400, retryable: false, title: "The request does not match its schema." },
	unauthenticated: {
		status: 401,
		retryable: false,
		title: "The credentials are missing, unknown, expired or revoked.",
	},
	sign_in_failed: {
		status: 401,
		retryable: false,
		title:
			"This does not sign anyone in: the name, the password, the code or the passkey is wrong, or was used already.",
	},
	sign_in_slowed: {
		status: 429,
		retryable: true,
		title: "Too many failed sign-ins: wait as Retry-After says. A passkey is not slowed by tries with a name.",
	},
	sso_failed: {
		status: 401,
		retryable: false,
		title:
			"This sign-in by single sign-on does not hold: it was not begun here, took too long, was used already, or the provider's answer does not verify. Begin again.",
	},
	sso_mfa_missing: {
		status: 403,
		retryable: false,
		title:
			"The identity provider does not say that a second factor was shown: show one there, or have your administrator ask for it.",
	},
	sso_unlinked: {
		status: 403,
		retryable: false,
		title:
			"Nobody here is linked to this account of the identity provider: enrol with the token from an administrator first.",
	},
	sso_taken: {
		status: 409,
		retryable: false,
		title: "Somebody here is linked to this account of the identity provider already.",
	},
	sso_only: {
		status: 409,
		retryable: false,
		title: "Whoever signs in by single sign-on has nothing else to sign in with.",
	},
	no_password: {
		status: 409,
		retryable: false,
		title:
			"Whoever has only passkeys has no password, and no codes that go with one: an administrator can have them enrol anew with both.",
	},
	enrolment_invalid: {
		status: 401,
		retryable: false,
		title: "The enrolment token is unknown, used or expired; an administrator can hand out another.",
	},
	password_refused: { status: 422, retryable: false, title: "The password is too short, too long or easily guessed." },
	cross_origin: {
		status: 403,
		retryable: false,
		title: "A request with a session's cookie must come from this deployment's own pages.",
	},
	person_required: {
		status: 403,
		retryable: false,
		title: "This needs a person signed in with MFA: no API key and no token may do it.",
	},
	fresh_mfa_required: {
		status: 403,
		retryable: false,
		title: "This needs a second factor shown within the last minutes: sign in again.",
	},
	last_credential: {
		status: 409,
		retryable: false,
		title: "Nothing would be left to sign in with: add another first.",
	},
	login_taken: { status: 409, retryable: false, title: "Somebody of this tenant has this login name." },
	sessions_unavailable: {
		status: 503,
		retryable: true,
		title: "Sessions can't be read: nobody who signed in is recognised until they can.",
	},
	forbidden: { status: 403, retryable: false, title: "This principal's roles do not allow this." },
	token_invalid: {
		status: 401,
		retryable: false,
		title:
			"The access token is malformed, expired, not yet valid, for another audience, or of an issuer that is not trusted.",
	},
	proof_invalid: {
		status: 401,
		retryable: false,
		title:
			"These credentials need a proof of possession, and it is missing, for another request, too old, or was used before.",
	},
	signature_invalid: {
		status: 401,
		retryable: false,
		title:
			"This key's requests must be signed (RFC 9421), and the signature is missing, does not cover what it must, does not verify, is too old, or was used before.",
	},
	address_refused: {
		status: 403,
		retryable: false,
		title: "These credentials may not be used from this address.",
	},
	category_refused: { status: 403, retryable: false, title: "These credentials may not send this category." },
	not_found: { status: 404, retryable: false, title: "No such object for this tenant, or no such route." },
	method_not_allowed: { status: 405, retryable: false, title: "This route does not take that method." },
	not_cancellable: {
		status: 409,
		retryable: false,
		title: "The message has left the states in which it can be cancelled.",
	},
	template_name_taken: {
		status: 409,
		retryable: false,
		title: "A live template of this tenant has this name: retire it first, or take another name.",
	},
	key_without_text: { status: 409, retryable: false, title: "This key has no text of its own: it signs." },
	key_changed: {
		status: 409,
		retryable: false,
		title: "The key was revoked or has expired, or somebody else has rotated it meanwhile: read it again.",
	},
	endpoint_unverified: {
		status: 409,
		retryable: false,
		title: "The endpoint has not answered a challenge yet; have one sent to it first.",
	},
	endpoint_disabled: {
		status: 409,
		retryable: false,
		title: "The endpoint is disabled and hears of nothing; enable it first.",
	},
	idempotency_in_progress: {
		status: 409,
		retryable: true,
		title: "A request with this Idempotency-Key is still running.",
	},
	answer_not_kept: {
		status: 409,
		retryable: false,
		title: "A request with this Idempotency-Key was done; its answer held what is not kept, and can't be given again.",
	},
	body_too_large: { status: 413, retryable: false, title: "The body is larger than this route takes." },
	unsupported_media_type: { status: 415, retryable: false, title: "This route takes another content type." },
	idempotency_mismatch: { status: 422, retryable: false, title: "This Idempotency-Key was used with another body." },
	invalid_number: { status: 422, retryable: false, title: "The recipient is not a valid phone number in E.164." },
	reference_not_opaque: {
		status: 422,
		retryable: false,
		title: "clientReference looks like a number or an address; use an opaque token.",
	},
	card_number: {
		status: 422,
		retryable: false,
		title: "The text contains a card number; it was refused and not stored.",
	},
	batch_refused: {
		status: 422,
		retryable: false,
		title: "Every message of the batch was refused; items[] says why, one by one.",
	},
	tenant_suspended: {
		status: 403,
		retryable: false,
		title: "This tenant is suspended or leaving: nothing new is accepted, and nothing is sent for it.",
	},
	policy_denied: { status: 422, retryable: false, title: "The policies in force do not permit this message." },
	policy_refused: {
		status: 422,
		retryable: false,
		title: "The pack can't be used as it is; errors[] gives each fault with its line and the mend.",
	},
	policies_unavailable: {
		status: 503,
		retryable: true,
		title: "The published policies can't be read or verified; nothing is decided until they can.",
	},
	policies_not_governed: {
		status: 403,
		retryable: false,
		title: "Only a tenant that governs this deployment's policies may see or make proposals.",
	},
	proposal_state: {
		status: 409,
		retryable: false,
		title: "The proposal is not in a state from which this is possible.",
	},
	self_approval: {
		status: 403,
		retryable: false,
		title:
			"Nobody may say yes to their own doing, nor vouch for themselves or whom they invited: another person has to.",
	},
	person_acted_on: {
		status: 409,
		retryable: true,
		title: "Somebody is just ending or changing one of you two: see what became of it, and ask again.",
	},
	enrolment_changed: {
		status: 409,
		retryable: false,
		title: "They did not enrol at that time: read when they did, ask them whether it was they, and vouch for that.",
	},
	other_approver: {
		status: 403,
		retryable: false,
		title: "This hold names another person as its approver: they have to say yes or no.",
	},
	hold_settled: {
		status: 409,
		retryable: false,
		title: "This hold waits for nobody's approval: it names no approver, or was approved, rejected or released.",
	},
	message_held: {
		status: 409,
		retryable: false,
		title:
			"A hold keeps this message and permits no use of it but for its own matter: give the hold's reason as the ticket, or have the hold released.",
	},
	not_enrolled: { status: 409, retryable: false, title: "They have not enrolled yet: vouch for them once they have." },
	simulation_stale: {
		status: 409,
		retryable: false,
		title: "The packs in force have changed since the simulation: simulate again.",
	},
	validity_too_long: {
		status: 422,
		retryable: false,
		title: "validFor is longer than the content of this class may be kept.",
	},
	link_host_missing: {
		status: 422,
		retryable: false,
		title:
			"The message must go as a secure link, and this tenant has no host for links: an administrator sets one with `lethe admin link-host`.",
	},
	pin_required: {
		status: 422,
		retryable: false,
		title:
			"Health information goes by a link with a PIN, told by another channel than this SMS: whoever reads the SMS has the link.",
	},
	recipient_key_missing: {
		status: 422,
		retryable: false,
		title: "The message must go end-to-end encrypted, and no key is registered for this recipient.",
	},
	challenge_failed: {
		status: 422,
		retryable: false,
		title:
			"The answer is not that of this key's challenge for this number, or came too late: ask for another challenge and decrypt it with the key's private half.",
	},
	recipient_key_revoked: {
		status: 409,
		retryable: false,
		title: "This key was revoked or replaced, and does not come back: make another.",
	},
	opt_in_not_fresh: {
		status: 422,
		retryable: false,
		title: "An opt-out is lifted only by an opt-in that the recipient gave after it, and not in the future.",
	},
	too_many_records: {
		status: 422,
		retryable: false,
		title:
			"As much is on record of this recipient, message or tenant as is kept of one; end or leave out what is no longer needed.",
	},
	request_state: {
		status: 409,
		retryable: false,
		title: "The subject's request is not in a state from which this is possible.",
	},
	identity_unchecked: {
		status: 409,
		retryable: false,
		title:
			"Nothing is exported or erased before the requester's identity, and the time for which the number was theirs, are confirmed.",
	},
	extension_refused: {
		status: 422,
		retryable: false,
		title: "The law that governs this request permits no such extension, or the time to tell of it is over.",
	},
	export_pending: {
		status: 503,
		retryable: true,
		title: "The export is not made yet: is a worker running? Ask again within ten minutes to come back to it.",
	},
	headers_too_large: { status: 431, retryable: false, title: "The request's headers are larger than this API takes." },
	request_timeout: { status: 408, retryable: true, title: "The request did not arrive whole in time." },
	destination_not_allowed: {
		status: 422,
		retryable: false,
		title: "This tenant has not allowed the recipient's country; an operator may, with `lethe limits set --allow`.",
	},
	limit_reached: {
		status: 429,
		retryable: true,
		title:
			"A limit against misuse, or the tenant's budget, has no room for this message; `abuse` says which, and by how much.",
	},
	no_route: { status: 422, retryable: false, title: "No send queue serves this tenant and destination." },
	rate_limited: { status: 429, retryable: true, title: "Too many requests; wait as Retry-After says." },
	overloaded: {
		status: 503,
		retryable: true,
		title: "As much is under way here as this process bears; nothing was done with this request.",
	},
	internal: { status: 500, retryable: true, title: "Something failed inside; the request id names it in the logs." },
	quarantined: {
		status: 503,
		retryable: true,
		title: "The store was restored from a copy: nothing is accepted or sent until what it forgot was applied again.",
	},
	keys_unavailable: { status: 503, retryable: true, title: "The key server can't be reached; nothing was stored." },
	issuer_unavailable: {
		status: 503,
		retryable: true,
		title:
			"The issuer of the token, or the identity provider, does not answer as it must: ask again, or have an administrator check its address and what is registered there.",
	},
	store_unavailable: {
		status: 503,
		retryable: true,
		title:
			"The store can't be reached. No message was accepted, unless an Idempotency-Key came with it: repeat it then.",
	},
	queues_unavailable: {
		status: 503,
		retryable: true,
		title: "The send queues can't be reached; what waits for them is in the store, and goes on once they can.",
	},
	clock_off: {
		status: 503,
		retryable: true,
		title:
			"The clock of a machine differs from Vault's by more than thirty seconds: nothing is sent, ended, erased or destroyed by it. Set it, or Vault's.",
	},
	outcome_unknown: {
		status: 503,
		retryable: false,
		title:
			"The store was lost while it wrote: the message may have been accepted. Look messageId up before sending it again; with an Idempotency-Key a repeat is safe.",
	},
	callback_invalid: { status: 400, retryable: false, title: "The callback is malformed." },
	callback_unauthenticated: { status: 401, retryable: false, title: "The callback's signature does not verify." },
	callback_unconfirmed: {
		status: 503,
		retryable: true,
		title: "What the callback asks for could not be done; bring it again.",
	},
	callback_unverifiable: {
		status: 503,
		retryable: true,
		title: "The callback can't be verified as it came or as this queue is set up; bring it again.",
	},
	content_erased: { status: 410, retryable: false, title: "The content has been erased." },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** One entry of `errors[]`: a JSON pointer into the request and a sentence that does not echo the value. */
export type FieldError = { pointer: string; detail: string };

/**
 * A failure with a public face (its catalogue row) and a private one (`cause`), which never leaves the process.
 * `extra` is added to the problem document; it must hold no personal data.
 */
export class LetheError extends Error {
	readonly code: ErrorCode;
	readonly errors: FieldError[];
	readonly extra: Record<string, unknown>;

	constructor(
		code: ErrorCode,
		options: { cause?: unknown; errors?: FieldError[]; extra?: Record<string, unknown> } = {},
	) {
		super(code, { cause: options.cause });
		this.name = "LetheError";
		this.code = code;
		this.errors = options.errors ?? [];
		this.extra = options.extra ?? {};
	}
}
