// Plaintext content and numbers, wrapped so that no logger, serialiser or template can print them.

const redacted = "[redacted]";
const inspect = Symbol.for("nodejs.util.inspect.custom");

/**
 * Bytes that must never be logged or stored. `toString`, `toJSON` and `util.inspect` print `[redacted]`;
 * the value leaves only through `reveal()` (text) or `bytes()`, so that a search for those two words finds every use.
 */
export class Plaintext {
	readonly #bytes: Uint8Array;

	private constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	/** Wraps UTF-8 text. */
	static text(value: string): Plaintext {
		return new Plaintext(new TextEncoder().encode(value));
	}

	/** Wraps bytes; the array is not copied. */
	static of(bytes: Uint8Array): Plaintext {
		return new Plaintext(bytes);
	}

	/** The text in clear. @throws TypeError when the bytes are not UTF-8 */
	reveal(): string {
		return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes);
	}

	/** The bytes in clear; not a copy. */
	bytes(): Uint8Array {
		return this.#bytes;
	}

	/** Overwrites the bytes with zeros; the wrapper is useless afterwards. */
	wipe(): void {
		this.#bytes.fill(0);
	}

	toString(): string {
		return redacted;
	}

	toJSON(): string {
		return redacted;
	}

	[inspect](): string {
		return redacted;
	}
}
