// /v1/session and /v1/sessions: a person sees where they are signed in, and ends it.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { type PersonSessions, sessionOf } from "../../people/personSessions.ts";
import type { SessionCookie } from "../../people/sessionCookie.ts";
import { viewSession } from "../../people/viewSession.ts";
import { actOf } from "../../plugins/evidence.ts";
import { problems } from "../../schemas.ts";
import { peopleSchemas } from "./schemas.ts";

type Deps = Pick<ApiDeps, "clock" | "evidence"> & { personSessions: PersonSessions; cookie: SessionCookie };

const tags = ["people"];
const params = z.strictObject({ id: z.string().max(64) });

export function addSessions(app: Instance, deps: Deps): void {
	addReading(app, deps);
	addEnding(app, deps);
}

function addReading(app: Instance, { clock, personSessions }: Deps): void {
	app.get(
		"/session",
		{
			schema: {
				operationId: "getSession",
				summary: "Who is signed in, and until when",
				tags,
				response: { 200: peopleSchemas.session.describe("This session"), ...problems },
			},
		},
		async (request) => {
			const { session, person } = sessionOf(request);
			return viewSession(session, person, personSessions.endsOf(session));
		},
	);
	app.get(
		"/sessions",
		{
			schema: {
				operationId: "listSessions",
				summary: "Where one is signed in, the newest first",
				tags,
				response: { 200: peopleSchemas.sessionPage.describe("One's own"), ...problems },
			},
		},
		async (request) => {
			const { session: own, person } = sessionOf(request);
			const now = clock();
			const items = (await personSessions.list(person)).map(({ session, idleForMs }) => ({
				id: session.id,
				method: session.method,
				startedAt: formatTime(session.startedAt),
				usedAt: formatTime(now - idleForMs),
				endsAt: formatTime(personSessions.endsOf(session).endsAt),
				current: session.id === own.id,
			}));
			return { items };
		},
	);
}

function addEnding(app: Instance, { evidence, personSessions, cookie }: Deps): void {
	app.post(
		"/session/end",
		{
			// Whatever key it bears: the answer to another session's end would leave this one open.
			config: { idempotency: "none" },
			schema: {
				operationId: "signOut",
				summary: "Sign out",
				tags,
				body: z.strictObject({}).nullish(),
				response: { 204: z.null().describe("Signed out"), ...problems },
			},
		},
		async (request, reply) => {
			const { mac, session } = sessionOf(request);
			await evidence.append([actOf(request.principal, "session_ended", { about: session.id })]);
			await personSessions.end(session.personId, mac);
			cookie.clear(reply);
			return reply.code(204).send(null);
		},
	);
	app.post(
		"/sessions/:id/end",
		{
			schema: {
				operationId: "endSession",
				summary: "End one of one's sessions",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 204: z.null().describe("Ended"), ...problems },
			},
		},
		async (request, reply) => {
			const { person } = sessionOf(request);
			const found = (await personSessions.list(person)).find(({ session }) => session.id === request.params.id);
			if (!found) throw new LetheError("not_found");
			await evidence.append([actOf(request.principal, "session_ended", { about: found.session.id })]);
			await personSessions.end(person._id, found.mac);
			return reply.code(204).send(null);
		},
	);
}
