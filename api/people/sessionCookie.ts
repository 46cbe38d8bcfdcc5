// The cookies of a browser: the one that carries a session, with whether a request that bears it comes from our own pages, and the one by which it is known again on its way back from an identity provider.

import { randomBytes } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { LetheError } from "../../domain/errors.ts";

export type SessionCookie = ReturnType<typeof createSessionCookie>;

/** Its name; on plain loopback without the prefix. */
export const sessionCookieName = "__Host-lethe_session";

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const browserSecret = /^[\w-]{43}$/;
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** `__Host-` binds it to this very host and to TLS; only a public URL of plain HTTP on loopback goes without. */
export function createSessionCookie(publicUrl: string) {
	const { origin, protocol, hostname } = new URL(publicUrl);
	const plain = protocol === "http:" && loopback.test(hostname);
	const name = plain ? "lethe_session" : sessionCookieName;
	const attributes = { path: "/", httpOnly: true, sameSite: "strict", secure: !plain } as const;
	const browserName = plain ? "lethe_browser" : "__Host-lethe_browser";

	return {
		set: (reply: FastifyReply, token: string, lifeMs: number) =>
			reply.setCookie(name, token, { ...attributes, maxAge: Math.floor(lifeMs / 1000) }),
		clear: (reply: FastifyReply) => reply.clearCookie(name, attributes),
		/** The token in it; undefined when there is none. @throws LetheError cross_origin for a change that another site asks for */
		read(request: FastifyRequest): string | undefined {
			const token = request.cookies[name];
			if (token !== undefined) refuseCrossOrigin(request);
			return token;
		},
		refuseCrossOrigin,
		/** The secret by which this browser is known again for `lifeMs`, also when another site sends it here. */
		knowBrowser(request: FastifyRequest, reply: FastifyReply, lifeMs: number): string {
			const secret = readBrowser(request) ?? randomBytes(32).toString("base64url");
			const kept = { ...attributes, sameSite: "lax", maxAge: Math.floor(lifeMs / 1000) } as const;
			reply.setCookie(browserName, secret, kept);
			return secret;
		},
		readBrowser,
	};

	function readBrowser({ cookies }: FastifyRequest): string | undefined {
		const secret = cookies[browserName];
		return secret !== undefined && browserSecret.test(secret) ? secret : undefined;
	}

	// Browsers name the origin with everything that changes something; what names none is no browser, and has no cookie.
	function refuseCrossOrigin({ method, headers }: FastifyRequest): void {
		if (!safeMethods.has(method) && headers.origin !== origin) throw new LetheError("cross_origin");
	}
}
