// Why a callback is not believed: the codes that `lethe carrier verify` prints and that callbacks are counted by.

/** code → what it means. */
export const callbackReasons = {
	unsigned: "It bears no signature of a kind that authenticates it.",
	malformed: "A signature, a time, a nonce or a field has not the form that the carrier documents.",
	bad_signature: "The signature does not fit the secret, the address or the body: forged, altered or another key's.",
	untrusted: "It is signed, but by an issuer, a certificate address or a topic that is not the one expected.",
	stale: "The signature is right, but its time is outside the freshness window.",
	replayed: "The same signed callback was taken before.",
	unsupported: "The carrier does not call in this way, or the signature is of a kind that proves nothing of the body.",
	unusable: "The record of it lacks a field, or the secret or key that it is to be checked with is none.",
	not_configured: "The secret or key that it would be checked with is absent.",
} as const;

export type CallbackReason = keyof typeof callbackReasons;
