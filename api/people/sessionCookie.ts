// The cookie that carries a session in a browser, and whether a request that bears it comes from our own pages.

import type { FastifyReply, FastifyRequest } from "fastify";
import { LetheError } from "../../domain/errors.ts";

export type SessionCookie = ReturnType<typeof createSessionCookie>;

/** Its name; on plain loopback without the prefix. */
export const sessionCookieName = "__Host-lethe_session";

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** `__Host-` binds it to this very host and to TLS; only a public URL of plain HTTP on loopback goes without. */
export function createSessionCookie(publicUrl: string) {
	const { origin, protocol, hostname } = new URL(publicUrl);
	const plain = protocol === "http:" && loopback.test(hostname);
	const name = plain ? "lethe_session" : sessionCookieName;
	const attributes = { path: "/", httpOnly: true, sameSite: "strict", secure: !plain } as const;

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
	};

	// Browsers name the origin with everything that changes something; what names none is no browser, and has no cookie.
	function refuseCrossOrigin({ method, headers }: FastifyRequest): void {
		if (!safeMethods.has(method) && headers.origin !== origin) throw new LetheError("cross_origin");
	}
}
