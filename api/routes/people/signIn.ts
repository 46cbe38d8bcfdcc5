// Signing in and enrolling: the routes of whoever is nobody yet. Their answers are kept nowhere.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { siteOf } from "../../addresses.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { beginSession, tokenBefore } from "../../people/beginSession.ts";
import type { Enrol, SetUp } from "../../people/enrol.ts";
import type { Passkeys } from "../../people/passkeys.ts";
import type { PersonSessions } from "../../people/personSessions.ts";
import type { SessionCookie } from "../../people/sessionCookie.ts";
import type { Shown, SignIn } from "../../people/signIn.ts";
import type { Sso } from "../../people/sso.ts";
import { createAddressLimit } from "../../plugins/requestLimits.ts";
import { problems } from "../../schemas.ts";
import { peopleSchemas } from "./schemas.ts";
import { addSso } from "./sso.ts";

type Deps = Pick<ApiDeps, "evidence" | "hmac" | "log" | "publicUrl" | "requestCounts"> & {
	signIn: SignIn;
	enrol: Enrol;
	sso: Sso;
	passkeys: Passkeys;
	personSessions: PersonSessions;
	cookie: SessionCookie;
};

const tags = ["people"];

export function addSignIn(app: Instance, deps: Deps): void {
	// Before anything of it is kept: a challenge stays in Redis for minutes, whoever asked for it.
	const perSite = { name: "sign-ins", requests: limits.signInRequestsPerMinuteMax, seconds: 60 };
	app.addHook("onRequest", createAddressLimit(deps, perSite, siteOf));
	// What a browser sends from another site signs nobody in: not as the victim, nor the victim as somebody else.
	app.addHook("onRequest", async (request) => {
		if (request.headers.origin !== undefined) deps.cookie.refuseCrossOrigin(request);
		// Here, and not once a code or a token to enrol was used up for it.
		tokenBefore(deps.cookie, request);
	});
	addSigningIn(app, deps);
	addEnrolling(app, deps);
	addSso(app, deps);
}

function addSigningIn(app: Instance, deps: Deps): void {
	app.post(
		"/session/passkey-options",
		{
			schema: {
				operationId: "getPasskeyOptions",
				summary: "Begin to sign in with a passkey",
				tags,
				body: z.strictObject({}).nullish(),
				response: { 200: peopleSchemas.options.describe("Options for navigator.credentials.get"), ...problems },
			},
		},
		async () => deps.passkeys.signInOptions() as unknown as Record<string, unknown>,
	);
	app.post(
		"/session",
		{
			schema: {
				operationId: "signIn",
				summary: "Sign in, by passkey or by password and code",
				description:
					"A session that the request bears ends, so that this is also how a second factor is shown again. Every failure answers the same.",
				tags,
				body: peopleSchemas.signIn,
				response: { 201: peopleSchemas.signedIn.describe("Signed in"), ...problems },
			},
		},
		async (request, reply) => {
			const { as, ...shown } = request.body;
			const { person, method } = await deps.signIn(shown as Shown, request.ip);
			return reply.code(201).send(await beginSession(deps, { person, method, as }, request, reply));
		},
	);
}

function addEnrolling(app: Instance, deps: Deps): void {
	app.post(
		"/enrolment",
		{
			schema: {
				operationId: "beginEnrolment",
				summary: "Begin to enrol, with the token from an administrator",
				tags,
				body: peopleSchemas.enrolmentBegin,
				response: { 200: peopleSchemas.enrolmentOffer.describe("What to set up, one of the two"), ...problems },
			},
		},
		async ({ body }) => {
			const { person, login, totp, passkey } = await deps.enrol.begin(body.token);
			return { personId: person._id, login, totp, passkey: passkey as unknown as Record<string, unknown> };
		},
	);
	app.post(
		"/enrolment/complete",
		{
			schema: {
				operationId: "completeEnrolment",
				summary: "Enrol with a password and the first code, or with a passkey",
				description: "Signs in at once. A password has twelve characters or more, and always goes with a code.",
				tags,
				body: peopleSchemas.enrolment,
				response: { 201: peopleSchemas.enrolled.describe("Enrolled"), ...problems },
			},
		},
		async (request, reply) => {
			const { token, as, ...setUp } = request.body;
			const { person, recoveryCodes } = await deps.enrol.complete(token, setUp as SetUp);
			const method = "passkey" in setUp ? "passkey" : "password";
			return reply
				.code(201)
				.send({ ...(await beginSession(deps, { person, method, as }, request, reply)), recoveryCodes });
		},
	);
}
