// HTTP Message Signatures (RFC 9421) and Content-Digest (RFC 9530) as pure values: what a signature covers, and whether one holds.

import {
	constants,
	createHash,
	createPublicKey,
	type Hash,
	type JsonWebKey,
	timingSafeEqual,
	verify,
} from "node:crypto";
import {
	type InnerList,
	type Item,
	isInnerList,
	parseDictionary,
	parseItem,
	parseList,
	serializeDictionary,
	serializeInnerList,
	serializeItem,
	serializeList,
} from "structured-headers";
import type { PublicKey } from "../adapters/mongo/models.ts";

/** A request as its caller made it. */
export type SignedMessage = {
	method: string;
	/** The whole URL, as the caller sees it. */
	targetUri: string;
	/** In the order they came. */
	headers: readonly (readonly [name: string, value: string])[];
};

export type MessageSignature = {
	/** Covered components, such as `@method` and `content-digest`; one with parameters is as it is written, quotes and all. */
	components: string[];
	params: ReadonlyMap<string, unknown>;
	base: string;
	signature: Buffer;
};

/** RFC 9530, 5: the algorithms that are not broken. */
export type DigestAlgorithm = "sha-256" | "sha-512";
export type ContentDigest = { algorithm: DigestAlgorithm; digest: Buffer };

// Of one request; whoever sends more wants us to work.
const signaturesMax = 4;
const componentsMax = 32;
const digestAlgorithms: readonly string[] = ["sha-256", "sha-512"] satisfies DigestAlgorithm[];

/**
 * The request's signatures with the bases they are over. One that is malformed, or covers what is not there, spoils no other.
 * @throws TypeError when there are too many, or none is left
 */
export function readSignatures(message: SignedMessage): MessageSignature[] {
	const inputs = readDictionary(message, "signature-input");
	const values = readDictionary(message, "signature");
	if (inputs.size > signaturesMax) throw new TypeError("too many signatures");
	const signatures = [...inputs].flatMap(([label, input]) => readSignature(message, input, values.get(label)) ?? []);
	if (signatures.length === 0) throw new TypeError("no signature that can be read");
	return signatures;
}

function readSignature(
	message: SignedMessage,
	input: Item | InnerList,
	value: Item | InnerList | undefined,
): MessageSignature | undefined {
	if (!isInnerList(input) || value === undefined || isInnerList(value)) return undefined;
	if (!(value[0] instanceof ArrayBuffer)) return undefined;
	try {
		const base = signatureBase(message, input);
		return { components: input[0].map(nameOf), params: input[1], base, signature: Buffer.from(value[0]) };
	} catch {
		// It covers what is not there, or is not known.
		return undefined;
	}
}

/** RFC 9421, 2.5. @throws for a component that is not there, comes twice, or has parameters that are not known here */
function signatureBase(message: SignedMessage, input: InnerList): string {
	const names = input[0].map(nameOf);
	if (names.length > componentsMax || new Set(names).size < names.length) throw new TypeError("components");
	const lines = input[0].map((item) => `${serializeItem(item)}: ${itemValue(message, item)}`);
	return [...lines, `"@signature-params": ${serializeInnerList(input)}`].join("\n");
}

function nameOf(item: Item): string {
	const [name, parameters] = item;
	if (typeof name !== "string") throw new TypeError("a component that is no text");
	return parameters.size === 0 ? name : serializeItem(item);
}

/** RFC 9421, 2.1 and 2.2.8. An unknown parameter must not be passed over. */
function itemValue(message: SignedMessage, [name, parameters]: Item): string {
	const field = String(name);
	if (parameters.size === 0) return componentValue(message, field);
	const [[parameter, value] = []] = parameters;
	if (parameters.size > 1) throw new TypeError("a component with several parameters");
	if (field === "@query-param" && parameter === "name") return queryValue(message, String(value));
	if (field.startsWith("@")) throw new TypeError("a derived component with a parameter that is not known");
	const whole = componentValue(message, field);
	if (parameter === "key") return serializeMember(parseDictionary(whole).get(String(value)));
	if (parameter === "sf" && value === true) return serializeField(whole);
	if (parameter !== "bs" || value !== true) throw new TypeError("a parameter that is not known");
	return fieldValues(message, field)
		.map((line) => `:${Buffer.from(line, "latin1").toString("base64")}:`)
		.join(", ");
}

function serializeMember(member: Item | InnerList | undefined): string {
	if (!member) throw new TypeError("a member that is not there");
	return isInnerList(member) ? serializeInnerList(member) : serializeItem(member);
}

/** Which of the three a field is, its own definition says: where a text is several, they are written alike, or nearly. */
function serializeField(text: string): string {
	const ways = [
		() => serializeDictionary(parseDictionary(text)),
		() => serializeList(parseList(text)),
		() => serializeItem(parseItem(text)),
	];
	for (const way of ways) {
		try {
			return way();
		} catch {
			// It is none of these.
		}
	}
	throw new TypeError("a field that is no structured one");
}

/** Of a parameter that is there once: of several, who reads them may take either. */
function queryValue({ targetUri }: SignedMessage, name: string): string {
	const encode = (text: string) =>
		encodeURIComponent(text).replace(/[!~'()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
	const values = [...new URL(targetUri).searchParams].filter(([each]) => encode(each) === name);
	if (values.length !== 1) throw new TypeError("a query parameter that is not there once");
	return encode(String(values[0]?.[1]));
}

function componentValue({ method, targetUri, headers }: SignedMessage, name: string): string {
	if (name.startsWith("@")) {
		const url = new URL(targetUri);
		const derived: Record<string, string> = {
			"@method": method,
			"@target-uri": targetUri,
			"@authority": url.host,
			"@scheme": url.protocol.slice(0, -1),
			"@request-target": `${url.pathname}${url.search}`,
			"@path": url.pathname,
			"@query": url.search || "?",
		};
		const value = Object.hasOwn(derived, name) ? derived[name] : undefined;
		if (value === undefined) throw new TypeError("a derived component that is not known");
		return value;
	}
	return fieldValues({ headers }, name).join(", ");
}

function fieldValues({ headers }: Pick<SignedMessage, "headers">, name: string): string[] {
	const values = headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value.trim());
	if (values.length === 0 || name !== name.toLowerCase()) throw new TypeError("a field that is not there");
	return values;
}

function readDictionary(message: SignedMessage, name: string) {
	try {
		return parseDictionary(componentValue(message, name));
	} catch {
		throw new TypeError(`${name} is missing or malformed`);
	}
}

/** Whether one of the keys, each by the one algorithm that its kind has here, made the signature. */
export function isSignedBy(keys: readonly PublicKey[], { base, params, signature }: MessageSignature): boolean {
	const bytes = Buffer.from(base);
	return keys.some((jwk) => {
		const { name, check } = algorithms[jwk.kty as keyof typeof algorithms];
		if (params.has("alg") && params.get("alg") !== name) return false;
		return check(bytes, createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }), signature);
	});
}

/** Whether it names a time at which it ends (RFC 9421, 2.3) that is over, or is none. */
export function isExpired({ params }: MessageSignature, now: number): boolean {
	const expires = params.get("expires");
	return expires !== undefined && !(Number.isInteger(expires) && Number(expires) * 1000 > now);
}

type Check = (bytes: Buffer, key: ReturnType<typeof createPublicKey>, signature: Buffer) => boolean;

/** RFC 9421, 3.3: no HMAC, whose key would have to be shared, and no PKCS #1 v1.5. */
const algorithms = {
	OKP: { name: "ed25519", check: (bytes, key, signature) => verify(null, bytes, key, signature) },
	EC: {
		name: "ecdsa-p256-sha256",
		check: (bytes, key, signature) => verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signature),
	},
	RSA: {
		name: "rsa-pss-sha512",
		check: (bytes, key, signature) =>
			verify("sha512", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }, signature),
	},
} satisfies Record<string, { name: string; check: Check }>;

/** What the body must hash to. @throws TypeError when there is nothing that counts */
export function readContentDigest(message: SignedMessage): ContentDigest[] {
	const found = [...readDictionary(message, "content-digest")].flatMap(([algorithm, value]) => {
		if (!digestAlgorithms.includes(algorithm) || isInnerList(value) || !(value[0] instanceof ArrayBuffer)) return [];
		return [{ algorithm: algorithm as DigestAlgorithm, digest: Buffer.from(value[0]) }];
	});
	if (found.length === 0) throw new TypeError("content-digest names no algorithm that counts");
	return found;
}

/** What to put the body through for `isDigest`. */
export function createDigest({ algorithm }: ContentDigest): Hash {
	return createHash(algorithm.replace("-", ""));
}

/** Whether `actual` is what was told. */
export function isDigest({ digest }: ContentDigest, actual: Buffer): boolean {
	return digest.length === actual.length && timingSafeEqual(digest, actual);
}
