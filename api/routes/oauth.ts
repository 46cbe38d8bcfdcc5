// The token endpoint: an API key, or what it signed, against an access token that lives for minutes (RFC 6749, 4.4; RFC 9068).

import type { FastifyReply, FastifyRequest } from "fastify";
import { calculateJwkThumbprint } from "jose";
import { z } from "zod";
import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { errorCatalogue, LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { machineRoles } from "../../domain/roles.ts";
import { isForTokens } from "../authenticators/apiKey.ts";
import { clientCertificate } from "../authenticators/clientCertificate.ts";
import { signingAlgorithms, verifyDpop } from "../authenticators/dpop.ts";
import type { Keyring } from "../authenticators/keyring.ts";
import { tokenType } from "../authenticators/token.ts";
import { authenticateClient, claimedClient } from "../clientAuthentication.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { addIdempotency } from "../plugins/idempotency.ts";
import { createProblem } from "../plugins/problem.ts";
import { type createFailures, createPrincipalLimit } from "../plugins/requestLimits.ts";
import { problems, schemas } from "../schemas.ts";

type Deps = Pick<
	ApiDeps,
	"clock" | "evidence" | "ids" | "log" | "publicUrl" | "requestCounts" | "requestLimits" | "tokens"
> & {
	keyring: Keyring;
	failures: ReturnType<typeof createFailures>;
	store: { spentProofs: Pick<ApiDeps["store"]["spentProofs"], "spend"> };
} & Parameters<typeof addIdempotency>[1];

/** What a client is given, once it has shown who it is. */
type Grant = { key: ApiKeyDocument; scope: string; bound: Bound | undefined };

declare module "fastify" {
	interface FastifyRequest {
		/** Set on the token endpoint. */
		grant: Grant;
	}
}

/** RFC 6749, 5.2; RFC 9449, 5. */
type OAuthCode =
	| "invalid_request"
	| "invalid_client"
	| "invalid_scope"
	| "unsupported_grant_type"
	| "invalid_dpop_proof";

/** Who does not show what a token is given for. */
const slowed: ReadonlySet<OAuthCode> = new Set(["invalid_client", "invalid_dpop_proof"]);

class OAuthError extends Error {
	readonly code: OAuthCode;
	constructor(code: OAuthCode, description: string) {
		super(description);
		this.code = code;
	}
}

const formType = "application/x-www-form-urlencoded";
const form = z
	.object({
		grant_type: z.string().optional().meta({ description: "`client_credentials`" }),
		scope: z
			.string()
			.optional()
			.meta({ description: "Some of the key's roles, with blanks between them; all unless told." }),
		client_id: z.string().optional().meta({ description: "The key's id." }),
		client_secret: z.string().optional().meta({ description: "The key's text; or HTTP Basic with both." }),
		client_assertion_type: z.string().optional(),
		client_assertion: z.string().optional().meta({ description: "A JWT that one of the key's public keys verifies." }),
	})
	.meta({ id: "TokenRequest" });
const token = z
	.object({
		access_token: z.string(),
		token_type: z.enum(["Bearer", "DPoP"]),
		expires_in: z.int(),
		scope: z.string(),
	})
	.meta({ id: "AccessToken" });
const offer = z.object({
	issuer: z.string(),
	token_endpoint: z.string(),
	jwks_uri: z.string(),
	response_types_supported: z.array(z.string()),
	grant_types_supported: z.array(z.string()),
	scopes_supported: z.array(z.string()),
	token_endpoint_auth_methods_supported: z.array(z.string()),
	token_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
	dpop_signing_alg_values_supported: z.array(z.string()),
	tls_client_certificate_bound_access_tokens: z.boolean(),
});
const refusal = z.object({ error: z.string(), error_description: z.string() }).meta({ id: "TokenRefusal" });

const tags = ["access"];

/** Also where CONTRACT's clients look for it; add it in a scope of its own: its refusals are OAuth's, not problems. */
export function addTokenEndpoint(app: Instance, deps: Deps): void {
	takeForms(app);
	const problem = createProblem(deps);
	app.setErrorHandler(async (error, request, reply) => {
		const refused = toOAuthError(error);
		if (!refused) return problem.send(error, request, reply);
		const retryAfter = slowed.has(refused.code) ? await slowClient(deps, error, request) : undefined;
		if (retryAfter === undefined) return refuse(refused, request, reply);
		return reply
			.code(429)
			.header("retry-after", retryAfter)
			.send({ error: refused.code, error_description: "too many that failed: wait as Retry-After says" });
	});
	decideGrants(app, deps);
	addIdempotency(app, deps);
	app.post(
		"/oauth/token",
		{
			bodyLimit: limits.tokenFormBytesMax,
			config: { secretAnswer: true },
			schema: {
				operationId: app.prefix === "" ? "createToken" : "createVersionedToken",
				summary: "Exchange an API key, or a JWT that it signed, for a short-lived access token",
				tags,
				consumes: [formType],
				body: form,
				response: {
					200: token.describe("The token"),
					"4XX": refusal.describe("Refused, as RFC 6749 5.2 words it"),
					409: { ...problems["4XX"], description: "A token was given for this Idempotency-Key, or is about to be" },
					422: { ...problems["4XX"], description: "Another was asked for with this Idempotency-Key" },
					429: {
						description:
							"Too many that failed, as RFC 6749 words a refusal; too many of one key, tenant or address, as a problem",
						content: {
							"application/json": { schema: refusal },
							"application/problem+json": { schema: schemas.problem },
						},
					},
					"5XX": problems["5XX"],
				},
			},
		},
		async ({ grant }) => issue(deps, grant),
	);
}

/**
 * Decides for whom and for what a token is, before the Idempotency-Key is looked at, which is the client's own: no refusal
 * is kept under it.
 */
function decideGrants(app: Instance, deps: Deps): void {
	const limit = createPrincipalLimit(deps);
	app.decorateRequest("principal");
	app.decorateRequest("grant");
	app.addHook("preHandler", async (request, reply) => {
		const asked = request.body as z.output<typeof form>;
		const { grant_type: grant, scope } = asked;
		if (grant === undefined) throw new OAuthError("invalid_request", "grant_type is missing");
		if (grant !== "client_credentials") throw new OAuthError("unsupported_grant_type", "only client_credentials");
		const { ip, id, headers } = request;
		const key = await authenticateClient(deps, { ip, id, headers, form: asked as Record<string, string> });
		request.principal = { id: key._id, tenantId: key.tenantId, roles: key.roles, kind: "key" };
		await limit(request.principal, request, reply);
		request.grant = { key, scope: readScope(key, scope), bound: await bindOrAlert(deps, key, request) };
		// What is asked for, without what it is asked with: an assertion is another one each time.
		request.body = { grant_type: grant, scope, client_id: key._id };
	});
}

/**
 * A client that does not show who it is waits, and after too many is told so; one that does is never kept out by others.
 * What is told of a refused address has been noted already. @returns what `Retry-After` says
 */
async function slowClient(
	{ failures, keyring }: Deps,
	error: unknown,
	request: FastifyRequest,
): Promise<string | undefined> {
	const form = (request.body ?? {}) as Record<string, string>;
	const client = claimedClient({ form, headers: request.headers });
	if (client !== undefined && (error as Partial<LetheError>).code === "unauthenticated") {
		await keyring.doubt(client, request);
	}
	return failures.slow(request.ip, client);
}

type Bound = { jkt: string } | { "x5t#S256": string };

async function issue(deps: Deps, { key: { _id: id, tenantId }, scope, bound: cnf }: Grant) {
	const issuedAt = Math.floor(deps.clock() / 1000);
	const lifeSeconds = limits.tokenLifeMs / 1000;
	await deps.evidence.append([{ type: "token_issued", tenantId, about: id, by: id }]);
	const access_token = await deps.tokens.sign(tokenType, {
		iss: deps.publicUrl,
		aud: deps.publicUrl,
		sub: id,
		client_id: id,
		iat: issuedAt,
		exp: issuedAt + lifeSeconds,
		jti: deps.ids.random("token"),
		scope,
		...(cnf && { cnf }),
	});
	const isDpop = cnf !== undefined && "jkt" in cnf;
	return { access_token, token_type: isDpop ? ("DPoP" as const) : ("Bearer" as const), expires_in: lifeSeconds, scope };
}

/** Where clients find what there is (RFC 8414). */
export function addTokenMetadata(app: Instance, { publicUrl }: Pick<ApiDeps, "publicUrl">): void {
	const metadata = {
		issuer: publicUrl,
		token_endpoint: `${publicUrl}/oauth/token`,
		jwks_uri: `${publicUrl}/.well-known/jwks.json`,
		response_types_supported: [],
		grant_types_supported: ["client_credentials"],
		scopes_supported: [...machineRoles],
		token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		token_endpoint_auth_signing_alg_values_supported: signingAlgorithms,
		dpop_signing_alg_values_supported: signingAlgorithms,
		tls_client_certificate_bound_access_tokens: true,
	};
	app.get(
		"/.well-known/oauth-authorization-server",
		{
			schema: {
				operationId: "getTokenMetadata",
				summary: "What the token endpoint offers",
				tags,
				response: { 200: offer.describe("As RFC 8414 words it"), ...problems },
			},
		},
		async (_request, reply) => reply.header("cache-control", "public, max-age=300").send(metadata),
	);
}

function readScope(key: ApiKeyDocument, asked: string | undefined): string {
	if (asked === undefined) return key.roles.join(" ");
	const named = asked.split(" ");
	if (!named.every((role) => key.roles.includes(role))) throw new OAuthError("invalid_scope", "not roles of this key");
	return [...new Set(named)].join(" ");
}

/** The key's text without the factor that it asks for is what somebody has who stole it: that is told of the key. */
async function bindOrAlert(deps: Deps, key: ApiKeyDocument, request: FastifyRequest): Promise<Bound | undefined> {
	return bind(deps, key, request).catch(async (error: unknown) => {
		if (isForTokens(key) && toOAuthError(error)) await deps.keyring.alert(key, "client_refused", request.id);
		throw error;
	});
}

/**
 * What the token is bound to: the key of a DPoP proof, or the connection's certificate where the API key asks for that.
 * Where it asks for either, that is a second factor: one which was told of when the key was made, not whatever is shown.
 */
async function bind(deps: Deps, key: ApiKeyDocument, request: FastifyRequest): Promise<Bound | undefined> {
	if (key.proof === "certificate") return { "x5t#S256": knownCertificate(key, request) };
	if (request.headers.dpop === undefined) {
		if (key.proof === "dpop") throw new OAuthError("invalid_dpop_proof", "this key asks for a DPoP proof");
		return undefined;
	}
	const jkt = await verifyDpop(deps, request);
	if (key.proof === "dpop") await requireOwn(key, jkt);
	return { jkt };
}

/** @throws OAuthError invalid_dpop_proof unless the thumbprint is of one of the API key's public keys */
async function requireOwn({ publicKeys }: ApiKeyDocument, jkt: string): Promise<void> {
	if (!publicKeys) {
		const mend = "this key has no publicKeys that a DPoP proof could be by: make another, with publicKeys";
		throw new OAuthError("invalid_dpop_proof", mend);
	}
	const own = await Promise.all(publicKeys.map((jwk) => calculateJwkThumbprint(jwk)));
	if (!own.includes(jkt)) throw new OAuthError("invalid_dpop_proof", "by none of this key's publicKeys");
}

/** RFC 8705, 2. @throws OAuthError invalid_client */
function knownCertificate({ certificates }: ApiKeyDocument, { raw }: FastifyRequest): string {
	const shown = clientCertificate(raw);
	if (!shown) throw new OAuthError("invalid_client", "this key asks for a client certificate");
	if (!shown.isAuthorized) throw new OAuthError("invalid_client", "a certificate of no authority that is known here");
	if (certificates && !certificates.includes(shown.thumbprint)) {
		throw new OAuthError("invalid_client", "a certificate that is none of this key's");
	}
	return shown.thumbprint;
}

/**
 * RFC 6749, 3.2: a form, and no parameter twice; one without a value counts as absent. All but the scope: who asks for
 * nothing is not given everything.
 */
function takeForms(app: Instance): void {
	app.removeAllContentTypeParsers();
	app.addContentTypeParser(formType, { parseAs: "string" }, (_request, body, done) => {
		const parameters = [...new URLSearchParams(body as string)];
		const names = new Set(parameters.map(([name]) => name));
		if (names.size < parameters.length) done(new OAuthError("invalid_request", "a parameter comes twice"));
		else done(null, Object.fromEntries(parameters.filter(([name, value]) => value !== "" || name === "scope")));
	});
}

/** Undefined for what is no refusal but a failure of ours. */
function toOAuthError(error: unknown): OAuthError | undefined {
	if (error instanceof OAuthError) return error;
	if (error instanceof LetheError) {
		if (error.code === "invalid_request") return new OAuthError("invalid_request", error.errors[0]?.detail ?? "");
		if (error.code === "unauthenticated") return new OAuthError("invalid_client", "unknown, expired or revoked");
		if (error.code === "address_refused") return new OAuthError("invalid_client", errorCatalogue.address_refused.title);
		return error.code === "proof_invalid"
			? new OAuthError("invalid_dpop_proof", "wrong, late or used before")
			: undefined;
	}
	const { statusCode = 500 } = error as { statusCode?: number };
	return statusCode < 500
		? new OAuthError("invalid_request", "not a form, or an Idempotency-Key, as this endpoint takes it")
		: undefined;
}

function refuse({ code, message }: OAuthError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
	if (code === "invalid_client" && request.headers.authorization !== undefined) {
		reply.header("www-authenticate", 'Basic realm="lethe"');
	}
	return reply.code(code === "invalid_client" ? 401 : 400).send({ error: code, error_description: message });
}
