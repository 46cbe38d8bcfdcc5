// The form of a certificate as it is signed, without a signature that holds: for what only reads it.

export function signedText(payload: { id: string; kind: string; issuedAt: string }): string {
	const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
	return `${encode({ alg: "EdDSA" })}.${encode(payload)}.c2ln`;
}
