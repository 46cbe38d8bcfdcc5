// /v1/recipient-keys: what end-to-end encrypted texts are encrypted to, by recipient. Numbers come in bodies only; no answer holds one.

import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { readRecipient } from "../recipient.ts";
import { createRecipientKeys, type RecipientKeysDeps } from "../recipientKeys.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { createSubjects } from "../subjects.ts";
import { createTenants, type TenantsDeps } from "../tenants.ts";
import { viewRecipientKey } from "../view.ts";

type Deps = RecipientKeysDeps &
	TenantsDeps & { store: { subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "page"> } };

const tags = ["recipient-keys"];
const params = z.strictObject({ id: z.string().max(64) });

export function addRecipientKeys(app: Instance, deps: Deps): void {
	addRegistering(app, deps);
	addReading(app, deps);

	app.get(
		"/sender-keys",
		{
			schema: {
				operationId: "getSenderKeys",
				summary: "The public keys by which recipients tell that a `lethe2` text is of this tenant",
				description:
					"None until a key for such texts is registered. Apps are to have them from their maker, not from the text.",
				tags,
				response: { 200: schemas.senderKeys.describe("The newest first"), ...problems },
			},
		},
		async ({ principal }) => ({ keys: await deps.textSeal.senderKeysOf(principal.tenantId, { make: false }) }),
	);
}

function addRegistering(app: Instance, deps: Deps): void {
	const keys = createRecipientKeys(deps);
	const subjects = createSubjects(deps);
	const { readActive } = createTenants(deps);

	app.post(
		"/recipient-keys/challenges",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "challengeRecipientKey",
				summary: "Ask for what only the holder of a key can answer",
				description:
					"Nothing is kept of it. That the key's holder and the number belong together is the caller's to know.",
				tags,
				body: schemas.keyChallengeInput,
				response: { 200: schemas.keyChallenge.describe("To be decrypted on the recipient's device"), ...problems },
			},
		},
		async ({ principal, body }) => {
			const tenant = await readActive(principal);
			const { number } = readRecipient(body.number, "/number");
			const subject = await subjects.identify(tenant._id, number);
			const { version } = body;
			const { id, challenge, expiresAt } = await keys.challenge(subject, { x: body.key.x, version });
			const senderKeys = version === "lethe2" && {
				senderKeys: { keys: await deps.textSeal.senderKeysOf(tenant._id, { make: true }) },
			};
			return { id, challenge, expiresAt: new Date(expiresAt).toISOString(), ...senderKeys };
		},
	);

	app.post(
		"/recipient-keys",
		{
			schema: {
				operationId: "registerRecipientKey",
				summary: "Register a recipient's key with the answer to its challenge, in the place of the one before",
				description: "Texts that wait and are encrypted to the one before still go out.",
				tags,
				body: schemas.recipientKeyInput,
				response: { 201: schemas.recipientKey.describe("Registered, now or before"), ...problems },
			},
		},
		async ({ principal, body }, reply) => {
			const tenant = await readActive(principal);
			const { number } = readRecipient(body.number, "/number");
			const subject = await subjects.identify(tenant._id, number);
			const { version, answer } = body;
			const record = await keys.register(principal, subject, { x: body.key.x, version }, answer);
			return reply.code(201).send(viewRecipientKey(record));
		},
	);

	app.post(
		"/recipient-keys/:id/revoke",
		{
			schema: {
				operationId: "revokeRecipientKey",
				summary: "Encrypt nothing to a key any more, and send nothing that is; for good",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: schemas.recipientKey.describe("Revoked, now or before"), ...problems },
			},
		},
		async ({ principal, params }) =>
			viewRecipientKey(await keys.revoke(principal, await keys.require(principal, params.id))),
	);
}

function addReading(app: Instance, deps: Deps): void {
	const keys = createRecipientKeys(deps);
	const subjects = createSubjects(deps);

	app.get(
		"/recipient-keys/:id",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getRecipientKey",
				summary: "Read a recipient's key",
				tags,
				params,
				response: { 200: schemas.recipientKey.describe("The key"), ...problems },
			},
		},
		async ({ principal, params }) => viewRecipientKey(await keys.require(principal, params.id)),
	);

	app.post(
		"/recipient-keys/search",
		{
			config: { secretAnswer: true, act: "searched", requestsPerMinuteMax: limits.searchesPerMinuteMax },
			schema: {
				operationId: "searchRecipientKeys",
				summary: "All keys on record of a number, the newest first: that one is in force unless it has ended",
				tags,
				body: schemas.numberSearch,
				response: { 200: schemas.recipientKeyPage.describe("All there are"), ...problems },
			},
		},
		async ({ principal, body }) => {
			const { number } = readRecipient(body.number, "/number");
			const standing = await subjects.standing(await subjects.identify(principal.tenantId, number));
			return { items: standing.keys.map(viewRecipientKey) };
		},
	);

	app.get(
		"/recipient-keys",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listRecipientKeys",
				summary: "List recipients' keys, newest first, without numbers",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: schemas.recipientKeyPage.describe("A page"), ...problems },
			},
		},
		async ({ principal, query }) => {
			const { cursor, limit } = query;
			const place = readCursor("recipientKey", cursor);
			const found = await deps.store.subjectRecords.page(principal.tenantId, "recipient_key", limit + 1, place);
			const page = toPage(found, limit, ({ recordedAt, _id }) => ({ at: recordedAt, id: _id }));
			return { ...page, items: page.items.map(viewRecipientKey) };
		},
	);
}
