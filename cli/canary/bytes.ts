// The bytes of samples and of decoded answers, set apart so that nothing reads across two of them.

import type { Sample } from "./encodings.ts";

const apart = Buffer.from("\n\0\n");

/** All samples in one piece. */
export function joined(samples: readonly Sample[]): Buffer {
	return Buffer.concat(samples.flatMap((sample) => [sample.bytes, apart]));
}

/** Every string and byte array in a decoded answer, names of fields too. */
export function bytesOf(value: unknown): Buffer {
	const parts: Uint8Array[] = [];
	collect(value);
	return Buffer.concat(parts);

	function collect(part: unknown): void {
		if (typeof part === "string") parts.push(Buffer.from(part, "utf8"), apart);
		else if (typeof part === "number" || typeof part === "bigint") parts.push(Buffer.from(String(part)), apart);
		else if (part instanceof Uint8Array) parts.push(part, apart);
		else if (Array.isArray(part)) part.forEach(collect);
		else if (typeof part === "object" && part !== null) {
			for (const [name, inner] of Object.entries(part)) {
				collect(name);
				collect(inner);
			}
		}
	}
}
