// /v1/people: who may sign in and with which roles; for administrators, each act in the evidence log before it is done.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { type Person, rolesInForce } from "../../../domain/person.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { openName } from "../../people/enrol.ts";
import type { Principal } from "../../plugins/auth.ts";
import { requireStanding } from "../../requireStanding.ts";
import { pageQuery, problems } from "../../schemas.ts";
import { peopleSchemas } from "./schemas.ts";

type Deps = Pick<ApiDeps, "people" | "personSeal"> & {
	store: {
		apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find">;
		people: Pick<ApiDeps["store"]["people"], "find" | "page">;
	};
};

const tags = ["people"];
const params = z.strictObject({ id: z.string().max(64) });

export function addPeople(app: Instance, deps: Deps): void {
	addReading(app, deps);
	addChanging(app, deps);
	addEnding(app, deps);
	addVouching(app, deps);
}

function addReading(app: Instance, deps: Deps): void {
	app.get(
		"/people",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listPeople",
				summary: "List who may sign in, the newest first",
				tags,
				querystring: z.strictObject(pageQuery),
				response: {
					200: z
						.object({ items: z.array(peopleSchemas.person), next: z.string().optional() })
						.meta({ id: "PersonPage" })
						.describe("A page"),
					...problems,
				},
			},
		},
		async ({ principal, query: { cursor, limit } }) => {
			const found = await deps.store.people.page(principal.tenantId, limit + 1, readCursor("person", cursor));
			const page = toPage(found, limit, ({ createdAt, _id }) => ({ at: createdAt, id: _id }));
			return { ...page, items: await Promise.all(page.items.map((person) => view(deps, person))) };
		},
	);
	app.get(
		"/people/:id",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getPerson",
				summary: "Read who a person is",
				tags,
				params,
				response: { 200: peopleSchemas.person.describe("The person"), ...problems },
			},
		},
		async ({ principal, params: { id } }) => view(deps, await deps.people.read(principal.tenantId, id)),
	);
}

function addChanging(app: Instance, deps: Deps): void {
	const { people, personSeal } = deps;
	app.post(
		"/people",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "invitePerson",
				summary: "Invite a person",
				description: "The person enrols with the token that is answered, within three days.",
				tags,
				body: peopleSchemas.invitation,
				response: { 201: peopleSchemas.enrolmentToken.describe("Invited"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const { tenantId } = principal;
			const invited = await people.invite(principal.id, { tenantId, ...body }, request.newId("person"));
			await requireStanding(deps, request).catch(async (error) => {
				if (error instanceof LetheError && error.code === "unauthenticated")
					await people.end(principal.id, tenantId, invited.id);
				throw error;
			});
			return reply.code(201).send(viewToken(invited));
		},
	);
	app.post(
		"/people/:id/enrolment",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "renewEnrolment",
				summary: "Have a person enrol anew, who has lost what they sign in with",
				description: "Ends their sessions and takes their password, codes and passkeys.",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: peopleSchemas.enrolmentToken.describe("A new token"), ...problems },
			},
		},
		async (request) => {
			const { principal, params } = request;
			refuseOneself(principal, params.id);
			await requireStanding(deps, request);
			const renewed = await people.renewEnrolment(principal.id, principal.tenantId, params.id);
			await requireStanding(deps, request);
			return viewToken(renewed);
		},
	);
	app.post(
		"/people/:id/roles",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "setPersonRoles",
				summary: "Give a person other roles; within half a second everywhere",
				tags,
				params,
				body: peopleSchemas.roles,
				response: { 200: peopleSchemas.person.describe("The person as they are now"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			refuseOneself(principal, params.id);
			await requireStanding(deps, request);
			return view({ personSeal }, await people.setRoles(principal.id, principal.tenantId, params.id, body.roles));
		},
	);
}

function addEnding(app: Instance, deps: Deps): void {
	app.post(
		"/people/:id/end",
		{
			schema: {
				operationId: "endPerson",
				summary: "Let a person sign in no more, for good",
				description:
					"Ends their sessions and erases name and credentials; the id stays, since the evidence log names it. API keys " +
					"that they made or were shown go on, unless `revokeKeys` is true: the answer tells them. Done again, for the keys.",
				tags,
				params,
				body: peopleSchemas.ending.nullish(),
				response: { 200: peopleSchemas.ended.describe("Done, and what they may still have in hand"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			refuseOneself(principal, params.id);
			await requireStanding(deps, request);
			return deps.people.end(principal.id, principal.tenantId, params.id, body ?? {});
		},
	);
}

function addVouching(app: Instance, deps: Deps): void {
	const { people, personSeal } = deps;
	app.post(
		"/people/:id/confirm",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "confirmPerson",
				summary: "Vouch for a person who has enrolled: it is they who did",
				description:
					"By another than who was shown their token, who has asked them whether they enrolled at that time. Until then " +
					"`admin`, `approver` and `compliance` are not in force.",
				tags,
				params,
				body: peopleSchemas.confirmation,
				response: { 200: peopleSchemas.person.describe("The person as they are now"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			const enrolledAt = Date.parse(body.enrolledAt);
			await requireStanding(deps, request);
			return view({ personSeal }, await people.confirm(principal.id, principal.tenantId, params.id, enrolledAt));
		},
	);
}

// Whoever gives themselves a role has been given it by nobody.
function refuseOneself(principal: Principal, id: string): void {
	if (principal.id === id) throw new LetheError("self_approval");
}

async function view(deps: Pick<Deps, "personSeal">, person: Person) {
	const { _id: id, roles, createdAt, createdBy, confirmedBy, enrolledAt, endedAt, enrolment } = person;
	const state = endedAt !== undefined ? ("ended" as const) : enrolment ? ("invited" as const) : ("enrolled" as const);
	return {
		id,
		...(await openName(deps, person)),
		roles,
		createdAt: formatTime(createdAt),
		createdBy,
		rolesInForce: rolesInForce(person),
		...(enrolledAt === undefined ? {} : { enrolledAt: formatTime(enrolledAt) }),
		...(confirmedBy === undefined ? {} : { confirmedBy }),
		state,
		...(endedAt === undefined ? {} : { endedAt: formatTime(endedAt) }),
	};
}

function viewToken({ id, enrolmentToken, expiresAt }: { id: string; enrolmentToken: string; expiresAt: number }) {
	return { id, enrolmentToken, expiresAt: formatTime(expiresAt) };
}
