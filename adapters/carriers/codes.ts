// Our codes for what carriers say: an adapter maps every carrier's own text and numbers onto these.

/** code → what it means. The codes appear in attempts, receipts and evidence; carrier text never does. */
export const carrierCodes = {
	// rejected: the carrier will never take this message
	invalid_recipient: "The carrier does not take this recipient number.",
	content_refused: "The carrier refuses this text.",
	sender_refused: "The carrier refuses this sender.",
	invalid_request: "The carrier does not understand the request.",

	// failed: surely not accepted
	not_configured: "The send queue lacks the carrier's address or credentials.",
	credentials_refused: "The carrier refuses our credentials.",
	unreachable: "No connection to the carrier could be made; nothing was written.",
	unavailable: "The carrier says that it accepts nothing at present.",
	withdrawn: "The message was no longer due when it was about to be written.",
	aborted: "We stopped waiting.",
	carrier_unavailable: "We could not open the queue's carrier: Vault or the store was away.",

	// ambiguous: it may have been accepted
	timeout: "No complete answer came in time.",
	connection_lost: "The connection ended before a complete answer.",
	carrier_error: "The carrier failed without saying whether it had accepted.",
	unreadable_answer: "The answer is not one that the carrier documents.",
	lease_expired: "The sender that made the attempt did not tell what became of it within its lease.",
	adapter_failed: "A fault of ours; nobody knows how far the request came.",

	// receipts
	recipient_opted_out: "The recipient has opted out with the carrier.",
	handset_unreachable: "The handset could not be reached.",
	validity_over: "The validity period ended before delivery.",
	other: "The carrier gave a reason that has no code of ours.",
} as const;

export type CarrierCode = keyof typeof carrierCodes;
