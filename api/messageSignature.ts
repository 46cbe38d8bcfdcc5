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
import { type InnerList, type Item, isInnerList, parseDictionary, serializeInnerList } from "structured-headers";
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
	/** Covered components, such as `@method` and `content-digest`. */
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

/** The request's signatures with the bases they are over. @throws TypeError when one is malformed or covers what is not there */
export function readSignatures(message: SignedMessage): MessageSignature[] {
	const inputs = readDictionary(message, "signature-input");
	const values = readDictionary(message, "signature");
	if (inputs.size > signaturesMax) throw new TypeError("too many signatures");
	return [...inputs].map(([label, input]) => {
		const value = values.get(label);
		if (!isInnerList(input) || value === undefined || isInnerList(value) || !(value[0] instanceof ArrayBuffer)) {
			throw new TypeError("a signature without its input, or an input without its signature");
		}
		return {
			components: componentsOf(input),
			params: input[1],
			base: signatureBase(message, input),
			signature: Buffer.from(value[0]),
		};
	});
}

/** RFC 9421, 2.5. @throws TypeError for a component that is not there, comes twice, or has parameters */
function signatureBase(message: SignedMessage, input: InnerList): string {
	const components = componentsOf(input);
	if (components.length > componentsMax || new Set(components).size < components.length)
		throw new TypeError("components");
	const lines = components.map((name) => `"${name}": ${componentValue(message, name)}`);
	return [...lines, `"@signature-params": ${serializeInnerList(input)}`].join("\n");
}

function componentsOf([items]: InnerList): string[] {
	return items.map(([name, parameters]: Item) => {
		// None that we know changes what a whole field or address says, and an unknown one must not be passed over.
		if (typeof name !== "string" || parameters.size > 0) throw new TypeError("a component with parameters");
		return name;
	});
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
	const values = headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value.trim());
	if (values.length === 0 || name !== name.toLowerCase()) throw new TypeError("a field that is not there");
	return values.join(", ");
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
	return expires !== undefined && !(typeof expires === "number" && expires * 1000 > now);
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
