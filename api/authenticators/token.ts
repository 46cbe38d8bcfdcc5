// A bearer or DPoP access token: our own, or that of an outside issuer that a tenant's administrator trusts.

import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { ApiKeyDocument, IssuerDocument } from "../../adapters/mongo/models.ts";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { machineRoles } from "../../domain/roles.ts";
import type { ApiDeps } from "../deps.ts";
import { orRefuse } from "../orRefuse.ts";
import type { Authenticator, Principal } from "../plugins/auth.ts";
import { verifyByIssuer } from "../verifyByIssuer.ts";
import { clientCertificate } from "./clientCertificate.ts";
import { type DpopDeps, verifyDpop } from "./dpop.ts";
import { type Keyring, principalOf } from "./keyring.ts";
import { requireSignature, type SignatureDeps } from "./signature.ts";

export const tokenType = "at+jwt";

type TokenDeps = DpopDeps &
	SignatureDeps &
	Pick<ApiDeps, "tokens" | "issuerKeys" | "hmac"> & {
		keyring: Pick<Keyring, "mustSign" | "recall">;
		store: { issuers: Pick<ApiDeps["store"]["issuers"], "find"> };
	};
type Request = Parameters<Authenticator>[0];

/** `key`: that the token was given to; none where another gave it out. */
type Verified = { payload: JWTPayload; principal: Principal; key?: ApiKeyDocument };

const tokenPattern = /^(Bearer|DPoP) ([\w-]+\.[\w-]+\.[\w-]*)$/i;
const issuersCached = { ttlMs: 500, itemsMax: 1_000 };

/** Its calls throw LetheError token_invalid | proof_invalid | signature_invalid | address_refused | issuer_unavailable, and what the stores do. */
export function createTokenAuthenticator(deps: TokenDeps): Authenticator {
	const findIssuer = createCache<IssuerDocument>({
		...issuersCached,
		clock: deps.clock,
		load: deps.store.issuers.find,
	});

	return async (request) => {
		const [, scheme = "", token] = tokenPattern.exec(request.headers.authorization ?? "") ?? [];
		if (token === undefined) return undefined;
		// Whatever JSON it is: nobody has signed for it yet.
		const url: unknown = await orRefuse("token_invalid", async () => decodeJwt(token).iss);
		if (typeof url !== "string") throw new LetheError("token_invalid", { cause: "no issuer" });
		const issuer = url === deps.publicUrl ? undefined : await findIssuer(deps.ids.derive("issuer", url));
		if (url !== deps.publicUrl && issuer?.url !== url) throw new LetheError("token_invalid", { cause: "issuer" });
		const verified = issuer ? await verifyOutside(deps, issuer, token) : await verifyOwn(deps, token, request);
		await requireBound(deps, request, { scheme: scheme.toLowerCase(), token, verified });
		const { key, principal } = verified;
		const { freshMfa = false } = request.routeOptions.config.access ?? {};
		if (await deps.keyring.mustSign(key ?? principal, freshMfa)) {
			// Whoever has a token of another's issuer has no key here that a signature could be by.
			if (!key) throw new LetheError("signature_invalid");
			await requireSignature(deps, key, request);
		}
		return principal;
	};
}

/** Its roles are those it names that its key still has: what is taken from a key is taken from its tokens. */
async function verifyOwn(deps: TokenDeps, token: string, request: Request): Promise<Verified> {
	const { payload } = await orRefuse("token_invalid", () =>
		jwtVerify(
			token,
			async ({ kid }) => {
				const key = await deps.tokens.publicKey(kid);
				if (!key) throw new errors.JWKSNoMatchingKey();
				return key;
			},
			{
				issuer: deps.publicUrl,
				audience: deps.publicUrl,
				typ: tokenType,
				algorithms: ["ES256"],
				currentDate: new Date(deps.clock()),
				requiredClaims: ["exp", "iat", "sub", "scope"],
			},
		),
	);
	const key = await deps.keyring.recall(String(payload.sub), request).catch((error: unknown) => {
		throw error instanceof LetheError && error.code === "unauthenticated" ? new LetheError("token_invalid") : error;
	});
	const named = String(payload.scope).split(" ");
	const roles = key.roles.filter((role) => named.includes(role));
	return { payload, key, principal: principalOf(key, "token", roles) };
}

async function verifyOutside(deps: TokenDeps, issuer: IssuerDocument, token: string): Promise<Verified> {
	const { payload, protectedHeader } = await verifyByIssuer(deps, "token_invalid", issuer.url, token, {
		audience: issuer.audience,
		maxTokenAge: limits.outsideTokenAgeMsMax / 1000,
		requiredClaims: ["exp", "sub"],
	});
	// RFC 9068, 4: an ID token, which other parties get to see, is no access token.
	const type = (protectedHeader.typ ?? "jwt").toLowerCase().replace("application/", "");
	if (type !== tokenType && !(issuer.acceptsJwt && type === "jwt")) throw new LetheError("token_invalid");
	// Anything else is written alike for all: they would be one principal.
	if (typeof payload.sub !== "string") throw new LetheError("token_invalid", { cause: "no subject" });
	const macs = await deps.hmac.allMacs("person", undefined, `outsider\n${issuer._id}\n${payload.sub}`);
	// By the oldest version, which stays while an issuer is trusted (audit/keyNeeds.ts): an id that changed with the key would
	// be another principal's, and what it sent would be sent again.
	const id = deps.ids.derive("outsider", macs.at(-1)?.mac ?? "");
	const roles = mapRoles(issuer, payload[issuer.claim]);
	return { payload, principal: { id, tenantId: issuer.tenantId, roles, kind: "token" } };
}

/**
 * The roles of all values of a claim: a list, or a text with blanks between them as `scope` is. Whatever is mapped, those
 * that are people's are given to none: a token shows no second factor.
 */
function mapRoles({ mapping }: IssuerDocument, claim: unknown): string[] {
	const values = Array.isArray(claim) ? claim : typeof claim === "string" ? claim.split(" ") : [];
	const given = mapping.filter(({ value }) => values.includes(value)).flatMap(({ roles }) => roles);
	return machineRoles.filter((role) => given.includes(role));
}

/** @throws LetheError proof_invalid unless the caller holds what the token is bound to */
async function requireBound(
	deps: TokenDeps,
	request: Request,
	{ scheme, token, verified }: { scheme: string; token: string; verified: Verified },
): Promise<void> {
	const { proof } = verified.key ?? {};
	const bound = (verified.payload.cnf ?? {}) as { jkt?: string; "x5t#S256"?: string };
	const certificate = bound["x5t#S256"];
	const isKnown = verified.payload.cnf === undefined || bound.jkt !== undefined || certificate !== undefined;
	const isAsAsked =
		(proof !== "dpop" || bound.jkt !== undefined) && (proof !== "certificate" || certificate !== undefined);
	// RFC 9449, 7.1 and 7.2: neither a bound token as a bearer's, nor an unbound one as if it were bound.
	if (!isKnown || !isAsAsked || (scheme === "dpop") !== (bound.jkt !== undefined))
		throw new LetheError("proof_invalid");
	if (bound.jkt !== undefined && (await verifyDpop(deps, request, token)) !== bound.jkt) {
		throw new LetheError("proof_invalid", { cause: "another key" });
	}
	if (certificate !== undefined && clientCertificate(request.raw)?.thumbprint !== certificate) {
		throw new LetheError("proof_invalid", { cause: "another certificate" });
	}
}
