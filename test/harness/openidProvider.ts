// An OpenID provider of another's making (oidc-provider) over a real socket, whose users, answers and tokens a test can change; and a browser that goes through it.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-expect-error It brings no types.
import Provider from "oidc-provider";
import { createSigning, signJwt } from "../api/tokens.ts";

export type OpenidProvider = Awaited<ReturnType<typeof startOpenidProvider>>;

export type Claims = Record<string, unknown>;

/** Who signs in there next, how, and how long ago. */
type User = { sub: string; amr?: string[]; acr?: string; secondsAgo?: number };

const clientSecret = "s".repeat(40);

/** Close it. `user` signs in without being asked; `change` may put another ID token in the place of the one that is given out. */
export async function startOpenidProvider() {
	const signing = createSigning();
	const state = {
		user: { sub: "kim", amr: ["pwd", "mfa"] } as User,
		change: undefined as undefined | ((claims: Claims, token: string) => string),
		away: false,
	};
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	let serve: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
	let provider: ReturnType<typeof createProvider>;
	const header = { alg: "ES256", kid: "ec" };

	server.on("request", async (request, response) => {
		if (state.away || !serve) return void response.writeHead(503).end();
		if (request.url?.startsWith("/interaction/")) return signIn(request, response);
		if (request.url === "/token") changeTokens(response);
		serve(request, response);
	});

	async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const { sub: accountId, amr, acr, secondsAgo = 0 } = state.user;
		const login = { accountId, amr, acr, ts: Math.floor(Date.now() / 1000) - secondsAgo };
		await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
	}

	function changeTokens(response: ServerResponse): void {
		const end = response.end.bind(response) as (text: string) => ServerResponse;
		response.end = ((text: string) => {
			const answer = JSON.parse(text) as { id_token?: string };
			if (!answer.id_token || !state.change) return end(text);
			const changed = JSON.stringify({ ...answer, id_token: state.change(claimsOf(answer.id_token), answer.id_token) });
			response.setHeader("content-length", Buffer.byteLength(changed));
			return end(changed);
		}) as typeof response.end;
	}

	return {
		url,
		state,
		signing,
		clientSecret,
		/** An ID token of its own over any claims. */
		sign: (claims: Claims, more: object = {}) => signJwt({ ...header, ...more }, claims, signing.privateKey),
		/** Knows Lethe as its client from then on. */
		register(redirectUri: string, more: object = {}): void {
			provider = createProvider(url, { ...signing.privateKey.export({ format: "jwk" }), ...header }, redirectUri, more);
			serve = provider.callback();
		},
		close(): void {
			server.closeAllConnections();
			server.close();
		},
	};
}

function claimsOf(token: string): Claims {
	return JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString());
}

function createProvider(issuer: string, key: object, redirectUri: string, more: object) {
	const client = {
		client_id: "lethe",
		client_secret: clientSecret,
		redirect_uris: [redirectUri],
		response_types: ["code"],
		grant_types: ["authorization_code"],
		id_token_signed_response_alg: "ES256",
		...more,
	};
	const provider = new Provider(issuer, {
		clients: [client],
		jwks: { keys: [{ ...key, use: "sig" }] },
		claims: { openid: ["sub", "amr", "acr"] },
		acrValues: ["urn:mfa"],
		clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		features: { devInteractions: { enabled: false } },
		findAccount: (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
		interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
		// Nobody is asked whether Lethe may know who they are.
		async loadExistingGrant({ oidc }: { oidc: { session: { accountId: string }; client: { clientId: string } } }) {
			const grant = new provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
			grant.addOIDCScope("openid");
			await grant.save();
			return grant;
		},
	});
	return provider;
}

let browsers = 0;

/**
 * Keeps cookies by origin, as browsers do where ports tell hosts apart, and follows redirects for as long as it is told.
 * Each has an address of its own, for whoever believes a proxy at 127.0.0.1.
 */
export function createBrowser() {
	browsers++;
	const address = `198.18.${browsers >> 8}.${browsers & 255}`;
	const jars = new Map<string, Map<string, string>>();

	async function visit(url: string, options: RequestInit = {}): Promise<Response> {
		const { origin } = new URL(url);
		const jar = jars.get(origin) ?? new Map<string, string>();
		jars.set(origin, jar);
		const headers = new Headers(options.headers);
		headers.set("x-forwarded-for", address);
		if (jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
		const answer = await fetch(url, { redirect: "manual", ...options, headers });
		for (const line of answer.headers.getSetCookie()) {
			const [pair = ""] = line.split(";");
			const at = pair.indexOf("=");
			if (/expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(pair.slice(0, at));
			else jar.set(pair.slice(0, at), pair.slice(at + 1));
		}
		return answer;
	}

	return {
		visit,
		/** Goes where it is sent until that is at `origin`; answers that URL, which it does not visit. */
		async follow(url: string, origin: string): Promise<string> {
			for (let at = url, hops = 0; hops < 10; hops++) {
				const answer = await visit(at);
				const location = answer.headers.get("location");
				if (location === null) throw new Error(`${answer.status} at ${new URL(at).pathname}: ${await answer.text()}`);
				at = new URL(location, at).href;
				if (new URL(at).origin === origin) return at;
			}
			throw new Error("sent from place to place");
		},
	};
}
