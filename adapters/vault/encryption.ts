// Encrypts and decrypts the parts of a message: a data key for each, wrapped under this process's wrapping key.

import type { Sealed } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { notAuthentic, open, rewrap, rewrapRandomBytes, seal, sealRandomBytes } from "./seal.ts";
import { createWrappingKeys } from "./wrappingKeys.ts";

export type Encryption = ReturnType<typeof createEncryption>;

/** Where a ciphertext belongs; `field` only where an object has more than one. Parts are ASCII, at most 255 characters. */
export type EncryptionPlace = { tenantId: string; messageId: string; object: string; field?: string };

const fieldDefault = "value";
// One call for fresh bytes costs as much as half an encryption, however few it asks for.
const randomPoolBytes = 128 * sealRandomBytes;

/**
 * While a cohort's key is held, neither function waits for anything. Otherwise they ask Vault once for all who wait.
 * When Vault is away, held keys go on to the end of their age (limits.wrappingKeyAgeMsMax) and not beyond: then, and for
 * other cohorts, `keys_unavailable`.
 */
export function createEncryption(deps: Parameters<typeof createWrappingKeys>[0]) {
	const keys = createWrappingKeys(deps);
	const takeRandom = createRandomPool(deps.randomBytes);

	async function keyForEncryption(cohortId: string) {
		let key = keys.useForEncryption(cohortId);
		while (key === undefined) {
			await keys.draw(cohortId);
			key = keys.useForEncryption(cohortId);
		}
		return key;
	}

	async function keyOf({ wrappingKeyId, cohortId }: Pick<Sealed, "wrappingKeyId" | "cohortId">) {
		let key = keys.held(wrappingKeyId);
		while (key === undefined) {
			await keys.load(wrappingKeyId, cohortId);
			key = keys.held(wrappingKeyId);
		}
		if (key.cohortId !== cohortId) throw notAuthentic();
		return key;
	}

	return {
		/**
		 * Encrypts one object of a message; the wrapped copy of every key it took is durable when this resolves.
		 * @throws LetheError `keys_unavailable`, or `content_erased` when the cohort's key does not exist
		 */
		async encrypt(request: EncryptionPlace & { cohortId: string; plaintext: Plaintext }): Promise<Sealed> {
			const { cohortId } = request;
			// Without a wait while the key is held.
			const key = keys.useForEncryption(cohortId) ?? (await keyForEncryption(cohortId));
			const sealed = seal(sealPlace(request), key, request.plaintext.bytes(), takeRandom());
			return { cohortId, wrappingKeyId: key.id, wrappedKey: sealed.wrappedKey, ciphertext: sealed.ciphertext };
		},

		/**
		 * Decrypts what `encrypt` made for the same place.
		 * @throws LetheError `keys_unavailable`; `content_erased` when a key it needs is destroyed; `internal` with cause
		 * `not_authentic` when tenant, message, object, field, key or any byte differs
		 */
		async decrypt(request: EncryptionPlace & { sealed: Sealed }): Promise<Plaintext> {
			const { sealed } = request;
			const held = keys.held(sealed.wrappingKeyId);
			const key = held?.cohortId === sealed.cohortId ? held : await keyOf(sealed);
			return Plaintext.of(open(sealPlace(request), key, sealed));
		},

		/**
		 * The data key of what `encrypt` made, wrapped anew for another cohort; its ciphertext needs no change.
		 * @throws LetheError as `encrypt` and `decrypt`
		 */
		async rewrap(
			request: EncryptionPlace & { sealed: Omit<Sealed, "ciphertext">; cohortId: string },
		): Promise<Omit<Sealed, "ciphertext">> {
			const { sealed, cohortId } = request;
			const [from, to] = [await keyOf(sealed), await keyForEncryption(cohortId)];
			const random = deps.randomBytes(rewrapRandomBytes);
			const wrappedKey = rewrap(sealPlace(request), from, to, sealed.wrappedKey, random);
			return { cohortId, wrappingKeyId: to.id, wrappedKey };
		},

		/** Has a key ready before the first message of a cohort needs it. */
		async prepareCohort(cohortId: string): Promise<void> {
			if (!keys.isPrepared(cohortId)) await keys.draw(cohortId);
		},

		/** Forgets the plain keys of a cohort in this process. */
		forgetCohort: keys.forgetCohort,

		/** Forgets all plain keys. */
		close: keys.close,
	};
}

function sealPlace(request: EncryptionPlace) {
	const { tenantId, messageId, object, field = fieldDefault } = request;
	return { tenantId, messageId, object, field };
}

// Each stretch is given out once; `seal` zeroes the data key in it.
function createRandomPool(randomBytes: (size: number) => Uint8Array): () => Uint8Array {
	let pool = randomBytes(randomPoolBytes);
	let at = 0;
	return () => {
		if (at === randomPoolBytes) {
			pool = randomBytes(randomPoolBytes);
			at = 0;
		}
		const start = at;
		at += sealRandomBytes;
		return pool.subarray(start, at);
	};
}
