// Lethe as a client of OpenID providers: discovery, the way there and the redemption of a code, by openid-client, through the guard for servers that tenants name.

import { importJWK } from "jose";
import * as openid from "openid-client";
import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { refuseSso } from "../domain/refuseSso.ts";
import type { IdentityProviderDocument } from "./mongo/models.ts";
import type { OutboundHttp } from "./outboundHttp.ts";
import type { ProviderCredential } from "./vault/providerCredentials.ts";

export type OpenidClient = ReturnType<typeof createOpenidClient>;

type Provider = Pick<IdentityProviderDocument, "url" | "clientId" | "authentication">;

const metadataMs = 10 * 60_000;
const providersHeldMax = 1_000;
const timeoutMs = 10_000;
const answerBytesMax = 128 * 1024;

/** Its calls throw LetheError issuer_unavailable when the provider does not answer, or not as it must. */
export function createOpenidClient({
	outbound,
	clock,
}: {
	outbound: Pick<OutboundHttp, "request">;
	clock: () => number;
}) {
	const guardedFetch = createGuardedFetch(outbound);
	const metadataOf = createCache({ load: discover, clock, ttlMs: metadataMs, itemsMax: providersHeldMax });

	async function discover(url: string): Promise<openid.ServerMetadata> {
		const execute = isPlain(url) ? [openid.allowInsecureRequests] : [];
		const options = { [openid.customFetch]: guardedFetch, execute, timeout: timeoutMs / 1000 };
		const found = await openid.discovery(new URL(url), "lethe", undefined, openid.None(), options).catch(refuseAway);
		const { issuer, authorization_endpoint, token_endpoint } = found.serverMetadata();
		// OpenID Connect Discovery 4.3: to the letter, else one provider could speak for another.
		if (issuer !== url || !authorization_endpoint || !token_endpoint) throw unavailable("discovery");
		return found.serverMetadata();
	}

	async function configure(provider: Provider, authentication: openid.ClientAuth) {
		const metadata = (await metadataOf(provider.url)) as openid.ServerMetadata;
		const tolerance = { [openid.clockTolerance]: limits.clockSkewMs / 1000 };
		const configuration = new openid.Configuration(metadata, provider.clientId, tolerance, authentication);
		configuration[openid.customFetch] = guardedFetch;
		configuration.timeout = timeoutMs / 1000;
		if (isPlain(provider.url)) openid.allowInsecureRequests(configuration);
		return configuration;
	}

	return {
		/** Whether the provider can be found, and is who it is asked as. */
		check: async (url: string): Promise<void> => void (await discover(url)),

		/** Where to send whoever signs in (OpenID Connect Core 3.1.2.1, with PKCE). */
		async authorizationUrl(
			provider: Provider,
			{ verifier, ...parameters }: { verifier: string; redirect_uri: string; state: string } & Record<string, string>,
		): Promise<string> {
			const configuration = await configure(provider, openid.None());
			const challenge = await openid.calculatePKCECodeChallenge(verifier);
			const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
			return openid.buildAuthorizationUrl(configuration, { scope: "openid", ...parameters, ...pkce }).href;
		},

		/**
		 * The ID token that the code in `callback` stands for, its claims as the protocol wants them; its signature is still
		 * to be verified. `callback`: the redirect URI with what the provider added.
		 * @throws LetheError sso_failed, its cause an `SsoRefusal`; keys_unavailable
		 */
		async redeem(
			provider: Provider,
			credential: ProviderCredential,
			callback: URL,
			{ state, nonce, verifier }: { state: string; nonce: string; verifier: string },
		): Promise<string> {
			const configuration = await configure(provider, await authenticationOf(provider, credential));
			const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
			const answer = await openid.authorizationCodeGrant(configuration, callback, checks).catch(refuseAnswer);
			if (answer.id_token === undefined) throw refuseSso("token");
			return answer.id_token;
		},
	};
}

async function authenticationOf(
	{ authentication }: Provider,
	credential: ProviderCredential,
): Promise<openid.ClientAuth> {
	if ("privateKey" in credential) {
		const { kid = "", alg = "" } = credential.privateKey;
		const key = (await importJWK(credential.privateKey, alg)) as openid.CryptoKey;
		return openid.PrivateKeyJwt({ key, kid });
	}
	const { secret } = credential;
	return authentication === "client_secret_post" ? openid.ClientSecretPost(secret) : openid.ClientSecretBasic(secret);
}

/** `fetch`, as the library asks it, by requests that reach no address that is not public or allowed, and follow no redirect. */
function createGuardedFetch(outbound: Pick<OutboundHttp, "request">): openid.CustomFetch {
	return async (url, { method, headers, body }) => {
		const answer = await outbound.request({
			...{ url, method: method === "POST" ? "POST" : "GET", headers, timeoutMs, answerBytesMax },
			...(body === undefined || body === null ? {} : { body: String(body) }),
		});
		if (answer.kind === "failed") throw unavailable(answer.code);
		const told = Object.entries(answer.headers).flatMap(([name, value]) =>
			[value ?? []].flat().map((one): [string, string] => [name, one]),
		);
		return new Response(answer.body === "" ? null : answer.body, { status: answer.status, headers: told });
	};
}

// The guard lets plain HTTP through to loopback only.
function isPlain(url: string): boolean {
	return url.startsWith("http:");
}

/** What the library throws where nobody's answer but the provider's own can be at fault. */
function refuseAway(error: unknown): never {
	throw causeOf(error) ?? unavailable(error instanceof openid.ClientError ? String(error.code) : "discovery");
}

/** The library's messages quote what came: of them a code goes on. */
function refuseAnswer(error: unknown): never {
	const away = causeOf(error);
	if (away) throw away;
	if (error instanceof openid.AuthorizationResponseError) throw refuseSso("declined");
	if (error instanceof openid.ResponseBodyError) {
		// RFC 6749, 5.2: all but a code that is wrong or used is about us, as we are registered there.
		throw error.error === "invalid_grant" ? refuseSso("answer") : unavailable(`token endpoint: ${error.error}`);
	}
	if (error instanceof openid.WWWAuthenticateChallengeError) throw unavailable(`token endpoint: ${error.status}`);
	const { code } = error as { code?: string };
	if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM" || code === "OAUTH_RESPONSE_IS_NOT_JSON") throw unavailable(code);
	throw refuseSso("answer");
}

function causeOf(error: unknown): LetheError | undefined {
	for (let at = error; at instanceof Error; at = at.cause) if (at instanceof LetheError) return at;
	return undefined;
}

function unavailable(why: string): LetheError {
	return new LetheError("issuer_unavailable", { cause: why });
}
