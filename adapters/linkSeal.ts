// The secrets of a link: what it opens is encrypted under a key that nobody has whole, and told to one page only. See docs/decisions.

import { createCipheriv, createDecipheriv, createECDH, createHash, hkdfSync, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { limits } from "../domain/limits.ts";
import type { LinkRecord } from "../domain/linkRecord.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { createTurns } from "../domain/turns.ts";
import { isSame } from "./isSame.ts";

export type LinkSeal = ReturnType<typeof createLinkSeal>;

/** A keyed hash and the version of its key. */
type Mac = { version: number; mac: string };

/** What is stored as such a message's content, encrypted like any; without fragment and PIN it reads as noise. */
type Package = {
	/** The text up to the fragment. */
	text: string;
	fragmentKey: string;
	/** Our half of the key. */
	half: string;
	/** Private key of the channel to the page. */
	channel: string;
	/** Hash of what proves that somebody holds the fragment. */
	token: string;
	/** Keyed hash of what proves that somebody knows the PIN; the fragment is in it, so that who has ours tries no PIN on it. */
	pin?: Mac;
	ciphertext: string;
};

/** What a page asks, decrypted. `session`: hash of its secret; `holdsFragment`: it has proven that. */
export type LinkRequest = { act: "open" | "confirm"; session: string; holdsFragment: boolean; proof?: string };

type Seal = (key: Uint8Array, pathId: string, plain: Uint8Array) => Buffer;

const curve = "prime256v1";
const halfBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
/** Of the path id, and of the fragment: 128 bits, as 22 characters of base64url. */
const secretBytes = 16;
const pathIdPattern = /^[\w-]{22}$/;
const label = "lethe/link/v1/";

/** Of one link, by its path id, all keys are derived by HKDF-SHA256 with the path id as salt; page/link.js has the other side. */
export function createLinkSeal({
	randomBytes,
	pinRounds = limits.pinIterationsMin,
}: {
	randomBytes: (size: number) => Buffer;
	/** Of the links that are made from now on; each keeps its own. */
	pinRounds?: number;
}) {
	const inTurn = createTurns(limits.pinStretchesMax, limits.pinStretchesWaitingMax);
	const stretch = async (pin: Plaintext, pathId: string) => {
		const salt = createHash("sha256").update(`${label}salt${pathId}`).digest();
		const text = pin.reveal().normalize("NFKC");
		return inTurn(() => promisify(pbkdf2)(text, salt, pinRounds, 32, "sha256"));
	};
	const seal: Seal = (key, pathId, plain) => {
		const iv = randomBytes(ivBytes);
		const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(pathId));
		return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
	};

	return {
		/**
		 * A new link to a text. `content` is to be stored encrypted, in the place of the text; neither keeps PIN or text.
		 * @param prefix what comes before the link in the SMS, and the link up to its path id
		 * @param macOf keyed hash of what proves that somebody knows the PIN
		 * @throws LetheError rate_limited when too many PINs wait to be stretched
		 */
		async create(
			text: Plaintext,
			pin: Plaintext | undefined,
			prefix: string,
			macOf: (proof: string) => Promise<Mac>,
		): Promise<{ content: Plaintext } & Pick<LinkRecord, "hash" | "channel" | "fragment" | "pinRounds">> {
			const [pathId, fragment] = [encode(randomBytes(secretBytes)), randomBytes(secretBytes)];
			const [fragmentKey, half] = [randomBytes(32), randomBytes(halfBytes)];
			const channel = createECDH(curve);
			const publicKey = channel.generateKeys();
			const secret = pin ? await stretch(pin, pathId) : Buffer.alloc(0);
			const key = derive([half, fragment, secret], pathId, "content");
			const stored: Package = {
				text: `${prefix}${pathId}#`,
				fragmentKey: encode(fragmentKey),
				half: encode(half),
				channel: encode(channel.getPrivateKey()),
				token: hash(derive([fragment], pathId, "token")),
				...(pin ? { pin: await macOf(encode(derive([fragment, secret], pathId, "proof"))) } : {}),
				ciphertext: encode(seal(key, pathId, text.bytes())),
			};
			return {
				content: Plaintext.text(JSON.stringify(stored)),
				hash: hashOf(pathId),
				channel: encode(publicKey),
				fragment: seal(fragmentKey, pathId, fragment),
				...(pin ? { pinRounds } : {}),
			};
		},

		/** What the carrier is handed: the text with the whole link. @throws Error when the fragment is gone, or is another's */
		carriedText(content: Plaintext, fragment: Uint8Array | undefined): Plaintext {
			const { text, fragmentKey } = read(content);
			if (!fragment) throw new Error("the fragment is erased");
			const pathId = text.slice(-23, -1);
			return Plaintext.text(`${text}${encode(open(decode(fragmentKey), pathId, fragment))}`);
		},

		/** By what a link is found; undefined for what is no path id. */
		hashOf: (pathId: string): string | undefined => (pathIdPattern.test(pathId) ? hashOf(pathId) : undefined),

		/**
		 * The channel to a page that shows its public key.
		 * @throws Error when the key is no point of the curve, or the content another's
		 */
		openChannel: (content: Plaintext, pathId: string, pageKey: string) =>
			createChannel(read(content), { pathId, pageKey, seal }),
	};
}

function createChannel(stored: Package, { pathId, pageKey, seal }: { pathId: string; pageKey: string; seal: Seal }) {
	const own = createECDH(curve);
	own.setPrivateKey(decode(stored.channel));
	const shared = own.computeSecret(decode(pageKey));
	return {
		pin: stored.pin,
		/** @throws Error when it was not encrypted for this channel */
		read(sealed: string): LinkRequest {
			const plain = open(derive([shared], pathId, "request"), pathId, decode(sealed)).toString();
			const { act, session, token, proof } = JSON.parse(plain) as Record<string, unknown>;
			return {
				act: act === "confirm" ? "confirm" : "open",
				session: hash(decode(String(session))),
				holdsFragment: isSame(hash(decode(String(token))), stored.token),
				...(typeof proof === "string" ? { proof } : {}),
			};
		},
		/** Our half of the key, and the ciphertext, for that page alone. */
		answer(): string {
			const { half, ciphertext } = stored;
			const plain = Buffer.from(JSON.stringify({ half, ciphertext }));
			return encode(seal(derive([shared], pathId, "answer"), pathId, plain));
		},
	};
}

function read(content: Plaintext): Package {
	return JSON.parse(content.reveal()) as Package;
}

function open(key: Uint8Array, pathId: string, sealed: Uint8Array): Buffer {
	const [iv, end] = [sealed.subarray(0, ivBytes), sealed.length - tagBytes];
	const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(pathId));
	decipher.setAuthTag(sealed.subarray(end));
	return Buffer.concat([decipher.update(sealed.subarray(ivBytes, end)), decipher.final()]);
}

function derive(parts: Uint8Array[], pathId: string, purpose: string): Buffer {
	return Buffer.from(hkdfSync("sha256", Buffer.concat(parts), Buffer.from(pathId), `${label}${purpose}`, 32));
}

function hashOf(pathId: string): string {
	return hash(Buffer.from(`${label}path${pathId}`));
}

function hash(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("base64url");
}

function encode(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("base64url");
}

function decode(text: string): Buffer {
	return Buffer.from(text, "base64url");
}
