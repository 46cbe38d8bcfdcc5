// What an ID token (OpenID Connect Core 2) has to say for somebody to be signed in by it: for us, now, and with a second factor.

import type { JWTPayload } from "jose";
import type { IdentityProviderDocument } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { refuseSso } from "../../domain/refuseSso.ts";
import type { ApiDeps } from "../deps.ts";
import { verifyByIssuer } from "../verifyByIssuer.ts";

/** Whom the provider names, and when they showed it who they are, epoch ms. */
export type Vouched = { subject: string; authenticatedAt: number };

const subjectCharactersMax = 255;

/**
 * @param asked `authenticatedFrom`: an authentication of before does not count, epoch ms
 * @throws LetheError sso_failed | sso_mfa_missing, the cause an `SsoRefusal`; issuer_unavailable
 */
export async function verifyIdToken(
	deps: Pick<ApiDeps, "clock" | "issuerKeys">,
	provider: IdentityProviderDocument,
	token: string,
	asked: { nonce: string; authenticatedFrom: number },
): Promise<Vouched> {
	const { payload } = await verifyByIssuer(deps, "sso_failed", provider.url, token, {
		audience: provider.clientId,
		maxTokenAge: limits.ssoLifeMs / 1000,
		requiredClaims: ["exp", "iat", "sub", "nonce", "auth_time"],
	}).catch((error: unknown) => {
		throw error instanceof LetheError && error.code === "sso_failed" ? refuseSso("token") : error;
	});
	const { sub = "", nonce, azp, aud, auth_time: authTime } = payload;
	// Core 3.1.3.7: several audiences, and one that was given it, which has to be us.
	const isOurs = azp === provider.clientId || (azp === undefined && [aud].flat().length === 1);
	if (nonce !== asked.nonce || !isOurs || sub === "" || sub.length > subjectCharactersMax) throw refuseSso("token");
	if (typeof authTime !== "number") throw refuseSso("token");
	const authenticatedAt = authTime * 1000;
	const isInTime =
		authenticatedAt >= asked.authenticatedFrom - limits.clockSkewMs &&
		authenticatedAt <= deps.clock() + limits.clockSkewMs;
	if (!isInTime) throw refuseSso("age");
	if (!isMfaShown(provider, payload)) throw refuseSso("mfa", "sso_mfa_missing");
	return { subject: sub, authenticatedAt };
}

/** Of a provider of which nothing is asked, nothing counts. */
function isMfaShown({ mfa }: IdentityProviderDocument, { amr, acr }: JWTPayload): boolean {
	const methods: unknown[] = Array.isArray(amr) ? amr : [];
	const byMethods = mfa.amr?.some((words) => words.length > 0 && words.every((word) => methods.includes(word)));
	const byClass = typeof acr === "string" ? mfa.acr?.includes(acr) : mfa.acr && false;
	const asked = [byMethods, byClass].filter((one) => one !== undefined);
	return asked.length > 0 && asked.every(Boolean);
}
