// What a person signs in with, changed by themselves: another password, new recovery codes, passkeys.

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { limits } from "../../../domain/limits.ts";
import type { Person } from "../../../domain/person.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { type EnrolDeps, hashNew, openName } from "../../people/enrol.ts";
import type { RegistrationResponseJSON } from "../../people/passkeys.ts";
import { sessionOf } from "../../people/personSessions.ts";
import { makeRecoveryCodes } from "../../people/recoveryCodes.ts";
import { actOf } from "../../plugins/evidence.ts";
import { problems } from "../../schemas.ts";
import { peopleSchemas } from "./schemas.ts";

type Deps = EnrolDeps & Pick<ApiDeps, "evidence"> & { store: { people: Pick<ApiDeps["store"]["people"], "find"> } };

const tags = ["people"];
const params = z.strictObject({ id: z.string().max(64) });

export function addCredentials(app: Instance, deps: Deps): void {
	addPassword(app, deps);
	addPasskeyReading(app, deps);
	addPasskeyChanging(app, deps);
}

/**
 * Changes one's own record, in the evidence log first, if the session stands by the record as it is then: nobody adds a way
 * in once what they came by was taken. `decide` throws what refuses it: what is refused as things stand is not entered.
 */
async function change(
	deps: Deps,
	request: Pick<FastifyRequest, "principal" | "session">,
	act: { type: "credential_added" | "credential_removed"; code: string },
	decide: (person: Person) => Person,
): Promise<void> {
	const { principal } = request;
	const { people } = deps.store;
	const { sessionsFrom } = sessionOf(request).person;
	const decideStanding = (person: Person): Person => {
		if (person.endedAt !== undefined || person.sessionsFrom !== sessionsFrom) throw new LetheError("unauthenticated");
		return decide(person);
	};
	const known = await people.find(principal.id);
	if (known) decideStanding(known);
	await deps.evidence.append([actOf(principal, act.type, { about: principal.id, code: act.code })]);
	await people.change(principal.id, decideStanding);
}

function addPassword(app: Instance, deps: Deps): void {
	app.post(
		"/session/password",
		{
			schema: {
				operationId: "changePassword",
				summary: "Change one's password",
				description: "Ends all of one's sessions, this one too.",
				tags,
				body: peopleSchemas.newPassword,
				response: { 204: z.null().describe("Changed"), ...problems },
			},
		},
		async (request, reply) => {
			const { person } = sessionOf(request);
			const password = await hashNew(deps, person, request.body.password);
			await change(deps, request, { type: "credential_added", code: "password" }, (current) => {
				requirePassword(current);
				return { ...current, password, sessionsFrom: deps.clock() };
			});
			return reply.code(204).send(null);
		},
	);
	app.post(
		"/session/recovery-codes",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "renewRecoveryCodes",
				summary: "New recovery codes, in place of those of before",
				tags,
				body: z.strictObject({}).nullish(),
				response: { 200: peopleSchemas.recoveryCodes.describe("Shown once"), ...problems },
			},
		},
		async (request) => {
			const { codes, recoveryMacs } = await makeRecoveryCodes(deps.personMacs, request.principal.id);
			const act = { type: "credential_added", code: "recovery_codes" } as const;
			await change(deps, request, act, (person) => {
				requirePassword(person);
				return { ...person, recoveryMacs };
			});
			return { recoveryCodes: codes };
		},
	);
}

/** A password without codes, and recovery codes without a password, sign nobody in. @throws LetheError sso_only | no_password */
function requirePassword({ sso, password, totp }: Person): void {
	if (sso) throw new LetheError("sso_only");
	if (!password || !totp) throw new LetheError("no_password");
}

function addPasskeyReading(app: Instance, deps: Deps): void {
	app.get(
		"/passkeys",
		{
			schema: {
				operationId: "listPasskeys",
				summary: "One's own passkeys",
				tags,
				response: { 200: peopleSchemas.passkeyPage.describe("All of them"), ...problems },
			},
		},
		async (request) => {
			const items = sessionOf(request).person.passkeys;
			return { items: items.map(({ id, addedAt }) => ({ id, addedAt: formatTime(addedAt) })) };
		},
	);
	app.post(
		"/passkeys/options",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "beginPasskey",
				summary: "Begin to add a passkey",
				tags,
				body: z.strictObject({}).nullish(),
				response: { 200: peopleSchemas.options.describe("Options for navigator.credentials.create"), ...problems },
			},
		},
		async (request) => {
			const { person } = sessionOf(request);
			if (person.sso) throw new LetheError("sso_only");
			const options = await deps.passkeys.addingOptions(person, await openName(deps, person));
			return options as unknown as Record<string, unknown>;
		},
	);
}

function addPasskeyChanging(app: Instance, deps: Deps): void {
	app.post(
		"/passkeys",
		{
			schema: {
				operationId: "addPasskey",
				summary: "Add a passkey",
				tags,
				body: peopleSchemas.attestation,
				response: { 201: z.object({ id: z.string() }).describe("Added"), ...problems },
			},
		},
		async (request, reply) => {
			const passkey = await deps.passkeys.add(request.body as RegistrationResponseJSON);
			await change(deps, request, { type: "credential_added", code: "passkey" }, (person) => {
				if (person.sso) throw new LetheError("sso_only");
				const others = person.passkeys.filter(({ id }) => id !== passkey.id);
				if (others.length >= limits.passkeysPerPersonMax) throw new LetheError("too_many_records");
				return { ...person, passkeys: [...others, passkey] };
			});
			return reply.code(201).send({ id: passkey.id });
		},
	);
	app.post(
		"/passkeys/:id/remove",
		{
			schema: {
				operationId: "removePasskey",
				summary: "Remove a passkey; one that leaves nothing to sign in with stays",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 204: z.null().describe("Removed"), ...problems },
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			if (!sessionOf(request).person.passkeys.some((one) => one.id === id)) throw new LetheError("not_found");
			await change(deps, request, { type: "credential_removed", code: "passkey" }, (person) => {
				const passkeys = person.passkeys.filter((one) => one.id !== id);
				if (passkeys.length === 0 && !person.password) throw new LetheError("last_credential");
				return { ...person, passkeys };
			});
			return reply.code(204).send(null);
		},
	);
}
