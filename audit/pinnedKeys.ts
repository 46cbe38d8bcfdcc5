// The public keys that a caller has pinned: those of a JWK set (RFC 7517) that can check what Lethe signs, and those that can't.

import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";

/** `x` as the JWK has it; `lethe_use`: what alone it signs, where it says so. */
export type PinnedKey = { kid: string; x: string; lethe_use?: string | undefined; publicKey: KeyObject };

/** By kind, in the set's order; `unusable`: the places in the set of all the others. */
type PinnedKeys = { ed25519: PinnedKey[]; p256: PinnedKey[]; unusable: number[] };

const named = { kid: z.string(), use: z.literal("sig").optional(), lethe_use: z.string().optional() };
const keySchema = z.discriminatedUnion("kty", [
	z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string(), ...named }),
	z.object({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string(), ...named }),
]);

/** One that can't be used keeps none beside it from counting. */
export function pinnedKeys(jwks: unknown): PinnedKeys {
	const pinned: PinnedKeys = { ed25519: [], p256: [], unusable: [] };
	const { keys } = (jwks ?? {}) as { keys?: unknown };
	for (const [place, entry] of (Array.isArray(keys) ? keys : []).entries()) {
		const key = keySchema.safeParse(entry).data;
		const publicKey = key && importKey(key);
		if (!publicKey) pinned.unusable.push(place);
		else pinned[key.kty === "EC" ? "p256" : "ed25519"].push({ ...key, publicKey });
	}
	return pinned;
}

function importKey({ kty, crv, x, ...more }: z.infer<typeof keySchema>): KeyObject | undefined {
	try {
		return createPublicKey({ format: "jwk", key: { kty, crv, x, ...("y" in more && { y: more.y }) } });
	} catch {
		return undefined;
	}
}
