// What is known of a secure link without its secrets, and where a tenant's links lead.

/** A tenant's own place for links, and what the text says before one. */
export type LinkSettings = {
	/** Scheme, host and port; no slash at the end. */
	host: string;
	/** Put before the link, in place of a sentence in English. */
	notice?: string;
};

export type LinkRecord = {
	/** SHA-256 of the path id, base64url: a link is found by it, and not made of it. */
	hash: string;
	/** P-256 public key that the page encrypts what it asks for, uncompressed, base64url. */
	channel: string;
	/** The fragment, encrypted under a key within the content; erased by the update that hands the link over. */
	fragment?: Uint8Array;
	/** Epoch milliseconds; after that it does not open. */
	expiresAt: number;
	/** PBKDF2 rounds that its PIN is stretched by, on the page too; absent where it has none. */
	pinRounds?: number;
	/** Wrong PINs so far, whoever entered them. */
	wrongPins: number;
	/** `claimed`: one page holds it; `read`: that page let go of it; `closed`: too many wrong PINs, or a restore. */
	state: "open" | "claimed" | "read" | "closed";
	/** SHA-256 of the secret of the page that holds it, base64url. */
	session?: string;
	claimedAt?: number;
	readAt?: number;
	closedAt?: number;
};
