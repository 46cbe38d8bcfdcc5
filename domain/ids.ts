// Opaque, prefixed ids: what each prefix means, and how bytes become an id.

/** Prefix of every id that leaves a process. */
const idPrefixes = {
	message: "msg",
	submission: "sub",
	certificate: "crt",
	cohort: "coh",
	linkCohort: "lnk",
	wrappingKey: "wk",
	tenant: "ten",
	apiKey: "key",
	reference: "ref",
	claim: "clm",
	request: "req",
	receipt: "rcp",
	evidence: "ev",
	consent: "cns",
	optOut: "opt",
	hold: "hld",
	recipientKey: "rky",
	template: "tpl",
	subjectRequest: "dsr",
	export: "exp",
	epoch: "epo",
	proposal: "prp",
	simulation: "sim",
	retiming: "rtm",
	token: "tok",
	proof: "prf",
	issuer: "iss",
	outsider: "out",
	canary: "cny",
	person: "usr",
	session: "ses",
	passkey: "psk",
	webhookEndpoint: "whe",
	webhookDelivery: "whd",
	webhookSecret: "whs",
	verification: "ver",
	verificationNumber: "vnr",
	identityProvider: "idp",
} as const;

export type IdKind = keyof typeof idPrefixes;

/** Bytes of entropy in an id. */
export const idBytes = 16;

// Letters only: an id can then never look like, or hide, a phone number.
const alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFG";

/** `prefix_` and 26 letters made of the first 16 bytes. @throws RangeError when fewer bytes are given */
export function formatId(kind: IdKind, bytes: Uint8Array): string {
	if (bytes.length < idBytes) throw new RangeError(`an id needs ${idBytes} bytes, got ${bytes.length}`);
	let text = "";
	let buffer = 0;
	let bits = 0;
	for (const byte of bytes.subarray(0, idBytes)) {
		buffer = (buffer << 8) | byte;
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			text += alphabet[(buffer >> bits) & 31];
		}
		buffer &= (1 << bits) - 1;
	}
	if (bits > 0) text += alphabet[(buffer << (5 - bits)) & 31];
	return `${idPrefixes[kind]}_${text}`;
}

/** Whether `value` has the form of an id of that kind. */
export function isId(kind: IdKind, value: string): boolean {
	const prefix = `${idPrefixes[kind]}_`;
	return value.startsWith(prefix) && /^[a-km-zA-G]{26}$/.test(value.slice(prefix.length));
}

/** Whether `value` has the form of an id of any kind. */
export function isAnyId(value: string): boolean {
	return (Object.keys(idPrefixes) as IdKind[]).some((kind) => isId(kind, value));
}

/** The tenant under whose keys receipts wait that no message is known for. */
export const parkingTenant = "ten_parkingparkingparkingparki";
