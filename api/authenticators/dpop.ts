// DPoP (RFC 9449): that whoever brings a token holds the key it is bound to, for this request and once.

import { createHash } from "node:crypto";
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from "jose";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import { orRefuse } from "../orRefuse.ts";

export type DpopDeps = Pick<ApiDeps, "clock" | "ids" | "publicUrl"> & {
	store: { spentProofs: Pick<ApiDeps["store"]["spentProofs"], "spend"> };
};

/** What whoever signs may sign with: no algorithm that a public key could stand in for the secret of. */
export const signingAlgorithms = ["EdDSA", "ES256", "PS256", "RS256"];

type Asked = { method: string; url: string; headers: Record<string, string | string[] | undefined> };

/**
 * The thumbprint (RFC 7638) of the key that signed the request's proof; with a `token`, the proof must be for it.
 * @throws LetheError proof_invalid when it is missing, for another request, too old, or was used before
 */
export async function verifyDpop(deps: DpopDeps, { method, url, headers }: Asked, token?: string): Promise<string> {
	const proof = headers.dpop;
	if (typeof proof !== "string") throw new LetheError("proof_invalid", { cause: "no proof" });
	const { payload, jwk } = await readProof(proof, deps.clock());
	const { htm, htu, ath, jti } = payload;
	const target = `${deps.publicUrl}${url.replace(/[?#].*$/, "")}`;
	const isForThis = htm === method && typeof htu === "string" && sameTarget(htu, target);
	const isForToken = token === undefined || ath === createHash("sha256").update(token).digest("base64url");
	if (!isForThis || !isForToken) throw new LetheError("proof_invalid", { cause: "for another request" });
	const thumbprint = await calculateJwkThumbprint(jwk);
	const id = deps.ids.derive("proof", JSON.stringify(["dpop", thumbprint, jti]));
	const eraseBy = deps.clock() + limits.proofAgeMsMax + 2 * limits.clockSkewMs;
	if (!(await deps.store.spentProofs.spend(id, eraseBy))) throw new LetheError("proof_invalid", { cause: "replayed" });
	return thumbprint;
}

async function readProof(proof: string, now: number) {
	const { payload, protectedHeader } = await orRefuse("proof_invalid", () =>
		jwtVerify(proof, EmbeddedJWK, {
			typ: "dpop+jwt",
			algorithms: signingAlgorithms,
			currentDate: new Date(now),
			maxTokenAge: limits.proofAgeMsMax / 1000,
			clockTolerance: limits.clockSkewMs / 1000,
			requiredClaims: ["jti", "htm", "htu"],
		}),
	);
	return { payload, jwk: protectedHeader.jwk as JWK };
}

/** Scheme, host and path are the same, however they are written. */
function sameTarget(told: string, target: string): boolean {
	if (!URL.canParse(told)) return false;
	const { origin, pathname } = new URL(told);
	const expected = new URL(target);
	return origin === expected.origin && pathname === expected.pathname;
}
