// /v1/webhook-endpoints: where a tenant is told of its messages; registered, proven to be its own, rotated, stopped.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import type { ActType } from "../../../domain/evidence.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { limits } from "../../../domain/limits.ts";
import { refuseLeaving } from "../../../domain/tenancy.ts";
import { freshDelivery, type WebhookEndpoint } from "../../../domain/webhook.ts";
import { withoutUndefined } from "../../../domain/withoutUndefined.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import type { Principal } from "../../plugins/auth.ts";
import { actOf } from "../../plugins/evidence.ts";
import { fields, pageQuery, problems, readDuration } from "../../schemas.ts";
import { viewEndpoint, webhookSchemas } from "./schemas.ts";

export type EndpointsDeps = Pick<ApiDeps, "clock" | "ids" | "evidence" | "outbound" | "webhookSecrets"> & {
	store: Pick<ApiDeps["store"], "webhookEndpoints" | "webhookDeliveries"> & {
		tenants: Pick<ApiDeps["store"]["tenants"], "find">;
	};
};

const tags = ["webhooks"];
const params = z.strictObject({ id: z.string().max(64) });
const nothing = z.strictObject({}).nullish();
const dayMs = 24 * 3600_000;
const keepForDefault = "P1D";
const overlapMsMax = 7 * dayMs;
// Two that rotate at once take turns; more than so many do not come by chance.
const roundsMax = 5;

export function addEndpoints(app: Instance, deps: EndpointsDeps): void {
	addRegistering(app, deps);
	addReading(app, deps);
	addRotating(app, deps);
	addChallenging(app, deps);
	addSwitching(app, deps);
	addDeleting(app, deps);
}

/** @throws LetheError not_found, for another tenant's too */
export async function requireEndpoint(
	deps: { store: { webhookEndpoints: Pick<ApiDeps["store"]["webhookEndpoints"], "find"> } },
	principal: Principal,
	id: string,
): Promise<WebhookEndpoint> {
	const found = await deps.store.webhookEndpoints.find(id);
	if (found?.tenantId !== principal.tenantId) throw new LetheError("not_found");
	return found;
}

function addRegistering(app: Instance, deps: EndpointsDeps): void {
	const { webhookEndpoints } = deps.store;

	app.post(
		"/webhook-endpoints",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "createWebhookEndpoint",
				summary: "Register an endpoint; its secret is shown this once",
				description:
					"A challenge is sent to it, signed as everything will be (Standard Webhooks): it answers 2xx with " +
					'`{"challenge": …}` given back, and is told of messages from then on.',
				tags,
				body: webhookSchemas.input,
				response: { 201: webhookSchemas.withSecret.describe("Registered"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			refuseUrl(deps, body.url);
			refuseLeaving(await deps.store.tenants.find(principal.tenantId));
			const id = request.newId("webhookEndpoint");
			if (await isOneTooMany(deps, principal, id)) throw new LetheError("too_many_records");
			const now = deps.clock();
			const { secret, made } = await makeSecret(deps, id, request.newId("webhookSecret"), now);
			const { default: isDefault, ...kept } = body;
			const { tenantId, id: createdBy } = principal;
			const endpoint: WebhookEndpoint = withoutUndefined({
				_id: id,
				tenantId,
				...kept,
				isDefault,
				state: "unverified" as const,
				secrets: [made],
				createdAt: now,
				createdBy,
			});
			await deps.evidence.append([actOf(principal, "webhook_endpoint_created", { about: id })]);
			// One that stands was made by a run that was cut off before it showed its secret: this one takes its place.
			if (!((await webhookEndpoints.insert(endpoint)) || (await webhookEndpoints.setSecrets(id, [made], [made])))) {
				throw new LetheError("answer_not_kept");
			}
			// Of several that come at once the last sees all the others, so no more than there is room for stay.
			if (await isOneTooMany(deps, principal, id)) {
				await deps.evidence.append([actOf(principal, "webhook_endpoint_deleted", { about: id })]);
				await webhookEndpoints.delete(id);
				throw new LetheError("too_many_records");
			}
			await challenge(deps, endpoint, request.newId("webhookDelivery"));
			return reply.code(201).send({ ...viewEndpoint(endpoint, now), secret: secret.reveal() });
		},
	);
}

/** Whether the tenant has as many endpoints as it may beside that one, which an earlier run may have left. */
async function isOneTooMany({ store }: EndpointsDeps, { tenantId }: Principal, id: string): Promise<boolean> {
	const others = (await store.webhookEndpoints.findByTenant(tenantId)).filter(({ _id }) => _id !== id);
	return others.length >= limits.webhookEndpointsPerTenantMax;
}

function addReading(app: Instance, deps: EndpointsDeps): void {
	app.get(
		"/webhook-endpoints",
		{
			schema: {
				operationId: "listWebhookEndpoints",
				summary: "List the tenant's endpoints, newest first",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: webhookSchemas.endpointPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("webhookEndpoint", cursor);
			const found = await deps.store.webhookEndpoints.page(request.principal.tenantId, limit + 1, place);
			const page = toPage(found, limit, ({ createdAt, _id }) => ({ at: createdAt, id: _id }));
			return { ...page, items: page.items.map((endpoint) => viewEndpoint(endpoint, deps.clock())) };
		},
	);
	app.get(
		"/webhook-endpoints/:id",
		{
			schema: {
				operationId: "getWebhookEndpoint",
				summary: "One endpoint",
				tags,
				params,
				response: { 200: webhookSchemas.endpoint.describe("Found"), ...problems },
			},
		},
		async (request) => viewEndpoint(await requireEndpoint(deps, request.principal, request.params.id), deps.clock()),
	);
}

function addRotating(app: Instance, deps: EndpointsDeps): void {
	const { webhookEndpoints } = deps.store;
	const body = z
		.strictObject({
			keepFor: fields.duration
				.refine((text) => readDuration(text) <= overlapMsMax, { error: "At most seven days." })
				.default(keepForDefault)
				.meta({ description: "How long the secrets of before go on signing beside the new one." }),
		})
		.meta({ id: "WebhookRotationRequest" });

	app.post(
		"/webhook-endpoints/:id/rotate-secret",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "rotateWebhookSecret",
				summary: "Make a new secret, shown this once; the others go on signing for a while",
				tags,
				params,
				body: body.nullish(),
				response: { 200: webhookSchemas.withSecret.describe("Rotated"), ...problems },
			},
		},
		async (request) => {
			const { principal, params } = request;
			const now = deps.clock();
			const until = now + readDuration(request.body?.keepFor ?? keepForDefault);
			const secretId = request.newId("webhookSecret");
			keepUntil((await requireEndpoint(deps, principal, params.id)).secrets, secretId, until, now);
			await deps.evidence.append([actOf(principal, "webhook_secret_rotated", { about: params.id })]);
			const { secret, made } = await makeSecret(deps, params.id, secretId, now);
			for (let round = 0; round < roundsMax; round++) {
				const { secrets: from } = await requireEndpoint(deps, principal, params.id);
				const to = [made, ...keepUntil(from, made.id, until, now)];
				if (!(await webhookEndpoints.setSecrets(params.id, from, to))) continue;
				const endpoint = await requireEndpoint(deps, principal, params.id);
				return { ...viewEndpoint(endpoint, now), secret: secret.reveal() };
			}
			throw new LetheError("store_unavailable", { cause: "lost every race" });
		},
	);
}

/**
 * The secrets that go on signing beside a new one, `made`, until then at the latest. None ends earlier than it was promised
 * for want of room. @throws LetheError too_many_records
 */
function keepUntil(secrets: WebhookEndpoint["secrets"], made: string, until: number, now: number) {
	const kept = secrets
		.filter(({ id }) => id !== made)
		.map((old) => ({ ...old, expiresAt: Math.min(old.expiresAt ?? until, until) }))
		.filter(({ expiresAt }) => expiresAt > now);
	if (kept.length < limits.webhookSecretsMax) return kept;
	const ends = secrets.flatMap(({ expiresAt = 0 }) => (expiresAt > now ? [expiresAt] : []));
	const detail = `${limits.webhookSecretsMax} secrets sign, the next ends at ${formatTime(Math.min(...ends))}: rotate after that, or with \`PT0S\`, which ends all of before now.`;
	throw new LetheError("too_many_records", { errors: [{ pointer: "/keepFor", detail }] });
}

function addChallenging(app: Instance, deps: EndpointsDeps): void {
	app.post(
		"/webhook-endpoints/:id/verify",
		{
			schema: {
				operationId: "verifyWebhookEndpoint",
				summary: "Send the endpoint a challenge once more; tried for ten minutes",
				tags,
				params,
				body: nothing,
				response: { 202: webhookSchemas.endpoint.describe("A challenge is on its way"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, params } = request;
			const endpoint = await requireEndpoint(deps, principal, params.id);
			await deps.evidence.append([actOf(principal, "webhook_endpoint_challenged", { about: params.id })]);
			await challenge(deps, endpoint, request.newId("webhookDelivery"));
			return reply.code(202).send(viewEndpoint(endpoint, deps.clock()));
		},
	);
}

/** Step → what it leads to, from where, and the act that it is. */
const switches = {
	enable: {
		act: "webhook_endpoint_enabled",
		summary: "Tell the endpoint of messages again; what it missed is told by a replay",
	},
	disable: { act: "webhook_endpoint_disabled", summary: "Tell the endpoint of nothing until it is enabled" },
} as const satisfies Record<string, { act: ActType; summary: string }>;

function addSwitching(app: Instance, deps: EndpointsDeps): void {
	const { webhookEndpoints } = deps.store;
	const disable = (now: number) => ({ state: "disabled", disabledFor: "command", disabledAt: now }) as const;

	for (const [name, { act, summary }] of Object.entries(switches)) {
		app.post(
			`/webhook-endpoints/:id/${name}`,
			{
				schema: {
					operationId: `${name}WebhookEndpoint`,
					summary,
					description: "Known everywhere within five seconds.",
					tags,
					params,
					body: nothing,
					response: { 200: webhookSchemas.endpoint.describe("As it is now"), ...problems },
				},
			},
			async (request) => {
				const { principal, params } = request;
				const found = await requireEndpoint(deps, principal, params.id);
				if (found.state === "unverified" || found.verifiedAt === undefined) throw new LetheError("endpoint_unverified");
				await deps.evidence.append([actOf(principal, act, { about: params.id, code: "command" })]);
				if (name === "disable") await webhookEndpoints.change(params.id, ["enabled"], { set: disable(deps.clock()) });
				else {
					const unset = ["disabledFor", "disabledAt", "failingSince"] as const;
					await webhookEndpoints.change(params.id, ["disabled"], { set: { state: "enabled" }, unset: [...unset] });
				}
				return viewEndpoint(await requireEndpoint(deps, principal, params.id), deps.clock());
			},
		);
	}
}

function addDeleting(app: Instance, deps: EndpointsDeps): void {
	app.delete(
		"/webhook-endpoints/:id",
		{
			schema: {
				operationId: "deleteWebhookEndpoint",
				summary: "Delete an endpoint, its secrets and its log",
				tags,
				params,
				response: { 200: webhookSchemas.endpoint.describe("As it was"), ...problems },
			},
		},
		async (request) => {
			const { principal, params } = request;
			const found = await requireEndpoint(deps, principal, params.id);
			await deps.evidence.append([actOf(principal, "webhook_endpoint_deleted", { about: params.id })]);
			await deps.store.webhookEndpoints.delete(params.id);
			await deps.store.webhookDeliveries.deleteOf(params.id);
			return viewEndpoint(found, deps.clock());
		},
	);
}

// What a name leads to is looked at with every connection; this is what the URL itself says.
function refuseUrl({ outbound }: Pick<EndpointsDeps, "outbound">, url: string): void {
	const refusal = outbound.refusalOf(url);
	if (refusal === undefined) return;
	const detail =
		refusal === "address_refused"
			? "Neither public nor within LETHE_OUTBOUND_ALLOWED."
			: "It must be https, with neither credentials nor fragment.";
	throw new LetheError("invalid_request", { errors: [{ pointer: "/url", detail }] });
}

async function makeSecret(deps: EndpointsDeps, endpointId: string, id: string, now: number) {
	const { secret, sealed } = await deps.webhookSecrets.create({ endpointId, secretId: id });
	return { secret, made: { id, sealed, createdAt: now } };
}

async function challenge(
	deps: EndpointsDeps,
	{ _id: endpointId, tenantId, createdAt }: WebhookEndpoint,
	deliveryId: string,
): Promise<void> {
	const now = deps.clock();
	await deps.store.webhookDeliveries.insert([
		{
			_id: deliveryId,
			tenantId,
			endpointId,
			challenge: deps.ids.random("claim"),
			at: now,
			tryUntil: now + limits.webhookChallengeMs,
			...freshDelivery(now),
			// It is enabled by this: whatever is accepted from then on must know that it is there.
			nextAt: Math.max(now, createdAt + limits.webhookListedMs),
		},
	]);
}
