// Single sign-on: the way to a tenant's identity provider, and back. Like signing in, for whoever is nobody yet.

import type { FastifyReply } from "fastify";
import { z } from "zod";
import { isId } from "../../../domain/ids.ts";
import { limits } from "../../../domain/limits.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { beginSession, sessionBefore } from "../../people/beginSession.ts";
import type { PersonSessions } from "../../people/personSessions.ts";
import type { SessionCookie } from "../../people/sessionCookie.ts";
import type { Sso } from "../../people/sso.ts";
import { createProblem } from "../../plugins/problem.ts";
import { prefersHtml } from "../../prefersHtml.ts";
import { problems, schemas } from "../../schemas.ts";
import { peopleSchemas } from "./schemas.ts";
import { ssoPage } from "./ssoPage.ts";

type Deps = Pick<ApiDeps, "evidence" | "log" | "publicUrl"> & {
	sso: Sso;
	personSessions: PersonSessions;
	cookie: SessionCookie;
};

const tags = ["people"];
const params = z.strictObject({
	id: z.string().refine((id) => isId("identityProvider", id), { error: "An identity provider's id." }),
});
// All of it stands in one line of the request, which has only so much room.
const codeCharactersMax = 4 * 1024;
const answered = z.string().max(1024).optional();
// RFC 6749, 4.1.2: what is not known is passed over.
const querystring = z.looseObject({
	...{ state: answered, iss: answered, error: answered },
	code: z.string().max(codeCharactersMax).optional(),
});

export function addSso(app: Instance, deps: Deps): void {
	addGoing(app, deps);
	addComingBack(app, deps);
	addFetching(app, deps);
}

function addGoing(app: Instance, deps: Deps): void {
	app.post(
		"/session/sso",
		{
			schema: {
				operationId: "beginSso",
				summary: "Begin to sign in by single sign-on: where to send the browser",
				description:
					"The browser that asks is the one that has to come back, unless a program asks for itself (`loopback`). A session that the request bears ends with the new one.",
				tags,
				body: peopleSchemas.ssoBeginning,
				response: { 200: peopleSchemas.ssoOffer.describe("Where to go, within ten minutes"), ...problems },
			},
		},
		async (request, reply) => {
			const { issuer, fresh, enrolmentToken, loopback } = request.body;
			const before = await sessionBefore(deps, request);
			const browser = loopback ? "" : deps.cookie.knowBrowser(request, reply, limits.ssoLifeMs);
			return { url: await deps.sso.begin({ issuer, fresh, enrolmentToken, loopback, before }, browser) };
		},
	);
}

function addComingBack(app: Instance, deps: Deps): void {
	const problem = createProblem(deps);
	app.get(
		"/session/sso/:id/callback",
		{
			// A look at it would use it up.
			exposeHeadRoute: false,
			schema: {
				operationId: "comeBackFromSso",
				summary: "Where the identity provider sends the browser back to",
				description: "A browser that asks for HTML first is shown a page, whichever way it ended.",
				tags,
				params,
				querystring,
				response: {
					200: {
						description: "Signed in, in the browser's cookie",
						content: { "application/json": { schema: peopleSchemas.session }, "text/html": { schema: z.string() } },
					},
					303: z.null().describe("To the program that began"),
					"4XX": inTwoTypes("Refused"),
					"5XX": inTwoTypes("Failed"),
				},
			},
			errorHandler(error, request, reply) {
				if (!prefersHtml(request.headers.accept)) return problem.send(error, request, reply);
				return show(reply, ssoPage(problem.document(problem.begin(error, request, reply), request.id)));
			},
		},
		async (request, reply) => {
			// What an identity provider writes may hold another question mark, as a query may.
			const [, query = ""] = /\?(.*)$/.exec(request.url) ?? [];
			const browser = deps.cookie.readBrowser(request);
			const back = await deps.sso.comeBack(request.params.id, query, browser, request.ip);
			if ("location" in back) return goOn(reply, back.location);
			const session = await beginSession(deps, { ...back, method: "sso", as: "cookie" }, request, reply);
			return prefersHtml(request.headers.accept) ? show(reply, ssoPage()) : session;
		},
	);
}

function addFetching(app: Instance, deps: Deps): void {
	app.post(
		"/session/sso/complete",
		{
			schema: {
				operationId: "completeSso",
				summary: "Fetch the session that a program began to sign in for",
				description:
					"By the code that the browser brought it and the verifier of its challenge, within a minute, once.",
				tags,
				body: peopleSchemas.ssoCompletion,
				response: { 201: peopleSchemas.signedIn.describe("Signed in"), ...problems },
			},
		},
		async (request, reply) => {
			const { code, verifier } = request.body;
			const signedIn = await deps.sso.fetch(code, verifier, request.ip);
			return reply
				.code(201)
				.send(await beginSession(deps, { ...signedIn, method: "sso", as: "token" }, request, reply));
		},
	);
}

/** A problem, or for a browser a page that says the same. */
function inTwoTypes(description: string) {
	const content = { "application/problem+json": { schema: schemas.problem }, "text/html": { schema: z.string() } };
	return { description, content };
}

function show(reply: FastifyReply, page: string) {
	return reply.type("text/html; charset=utf-8").header("vary", "accept").send(page);
}

function goOn(reply: FastifyReply, location: string): null {
	reply.code(303).header("location", location);
	return null;
}
