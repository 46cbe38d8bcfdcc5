// /v1/queues: the send queues of a tenant, how fast and how full they are, and what stops and starts them.

import { z } from "zod";
import type { SendQueueDocument, TenantDocument } from "../../adapters/mongo/models.ts";
import type { Failing } from "../../adapters/redis/health.ts";
import { backlogRange, queueRange } from "../../domain/backlog.ts";
import { isCountry } from "../../domain/country.ts";
import { LetheError } from "../../domain/errors.ts";
import { isWord } from "../../domain/evidence.ts";
import { limits } from "../../domain/limits.ts";
import { categories } from "../../domain/message.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { actOf } from "../plugins/evidence.ts";
import { asStored, countryCode, countryRates, problems, segmentsPerSecond } from "../schemas.ts";

type Deps = Pick<ApiDeps, "evidence" | "sendQueues"> & {
	store: {
		messages: Pick<ApiDeps["store"]["messages"], "countBacklog">;
		sendQueues: Pick<ApiDeps["store"]["sendQueues"], "all" | "find" | "set" | "setFlow">;
		tenants: Pick<ApiDeps["store"]["tenants"], "find" | "findBySendQueue">;
	};
};

const flows = ["open", "draining", "paused"] as const;
type Flow = (typeof flows)[number];

const prices = z
	.record(
		z.string().refine((of) => of === "*" || isCountry(of), { error: "A country of ISO 3166-1, or `*`." }),
		z.number().min(0).max(1_000),
	)
	.meta({ description: "Of a segment, by country, or `*` for those that have none of their own." });
const registrations = z
	.record(countryCode, z.string().max(64).refine(isWord, { error: "A reference: letters first, no number." }))
	.meta({
		description:
			"The sender's in the countries' registries; without one it counts as unregistered there, in the United States once any is named. India's is `entity:header:template`.",
	});

const settings = z
	.strictObject({
		limitPerSecond: segmentsPerSecond.nullish(),
		countryRates: countryRates.nullish(),
		prices: prices.nullish(),
		registrations: registrations.nullish(),
	})
	.refine((body) => Object.keys(body).length > 0, { error: "Nothing is to be changed." })
	.meta({ id: "SendQueueSettings" });

const queue = z
	.object({
		id: z.string(),
		carrier: z.string(),
		sender: z.string(),
		state: z.enum(flows).meta({ description: "`draining`: sends what it has, and takes nothing new." }),
		routed: z.boolean().meta({
			description: "The tenant may use it. False of one that no tenant may as yet: who governs sees those, too.",
		}),
		movesWaiting: z
			.boolean()
			.meta({ description: "Paused or draining, it hands what waits to other queues where it may." }),
		countries: z.array(z.string()).optional(),
		categories: z.array(z.enum(categories)).optional(),
		region: z.string().optional(),
		baa: z.boolean().meta({ description: "An agreement is named, so that it may take PHI." }),
		failing: z.boolean().optional().meta({
			description:
				"Its carrier fails at present, so that others go before it, or the last attempt found its credentials lacking or refused. Absent while Redis does not answer.",
		}),
		failure: z
			.object({
				code: z.string().meta({ description: "Of the last attempt, as in a message's attempts." }),
				since: z.iso.datetime().meta({ description: "No attempt has been well since." }),
			})
			.optional()
			.meta({ description: "Why it fails, where that is known." }),
		countryRates: asStored(countryRates),
		shared: z.boolean().optional().meta({
			description:
				"Other tenants use it too: of what waits the tenant's own is told alone, and neither `live` nor prices and registrations, which who governs sees.",
		}),
		prices: asStored(prices),
		registrations: asStored(registrations),
		limitPerSecond: z.int().optional().meta({ description: "Segments; absent where the deployment's default holds." }),
		backlog: z.int().meta({
			description: `Messages that wait in the store, what a queue holds for its next two seconds among them; ${limits.backlogCountedMax} means so many or more, for none beyond are counted.`,
		}),
		live: z
			.object({
				waiting: z.int(),
				delayed: z.int(),
				active: z.int(),
				segmentsPerSecond: z.number().meta({ description: "Sent, over the last five full seconds." }),
				senders: z.int().meta({ description: "Processes that work it; a new queue has them within seconds." }),
			})
			.optional()
			.meta({ description: "Absent while Redis does not answer, and where the queue is `shared`." }),
	})
	.meta({ id: "SendQueue" });
const queues = z.object({ items: z.array(queue) }).meta({ id: "SendQueues" });

const stopping = z
	.strictObject({
		moveWaiting: z.boolean().optional().meta({
			description:
				"Hand what waits to other queues, one-time codes first, where routing, policies and budgets let it. What may go nowhere else waits on.",
		}),
	})
	.nullish()
	.meta({ id: "StopSendQueue" });

/** Step → the flow it leads to and the act that it is. */
const steps = {
	pause: {
		flow: "paused",
		act: "send_queue_paused",
		summary: "Send nothing from this queue until it is resumed",
		body: stopping,
	},
	resume: {
		flow: "open",
		act: "send_queue_resumed",
		summary: "Send from this queue again",
		body: z.strictObject({}).nullish(),
	},
	drain: {
		flow: "draining",
		act: "send_queue_drained",
		summary: "Send what this queue has, and route nothing new to it",
		body: stopping,
	},
} as const;

const emptied = "send_queue_emptied" as const;

const tags = ["operations"];

export function addQueues(app: Instance, deps: Deps): void {
	const view = async (found: SendQueueDocument, tenant: TenantDocument) => ({
		id: found._id,
		carrier: found.carrier,
		sender: found.sender,
		state: flowOf(found),
		routed: tenant.sendQueues.includes(found._id),
		movesWaiting: found.moveWaiting === true,
		countries: found.countries,
		categories: found.categories,
		region: found.region,
		baa: found.baaRef !== undefined,
		...(await deps.sendQueues.failing([found._id]).then(
			(failing) => viewFailing(failing.get(found._id)),
			() => ({}),
		)),
		countryRates: found.countryRates,
		...(found.ratePerSecond === undefined ? {} : { limitPerSecond: found.ratePerSecond }),
		...(isOthersToo(await deps.store.tenants.findBySendQueue(found._id), tenant)
			? { shared: true, backlog: await countOwn(deps, found._id, tenant._id) }
			: await viewAll(deps, found)),
	});

	app.get(
		"/queues",
		{
			schema: {
				operationId: "listQueues",
				summary: "List the send queues, how full they are and how fast",
				tags,
				response: { 200: queues.describe("The tenant's"), ...problems },
			},
		},
		async (request) => {
			const tenant = await deps.store.tenants.find(request.principal.tenantId);
			if (!tenant) return { items: [] };
			const own = await Promise.all(tenant.sendQueues.map((id) => deps.store.sendQueues.find(id)));
			const found = [...own.filter((one) => one !== undefined), ...(await unrouted(deps, tenant))];
			return { items: await Promise.all(found.map((one) => view(one, tenant))) };
		},
	);
	for (const [name, step] of Object.entries(steps)) addStep(app, deps, name, step, view);
	addSettings(app, deps, view);
}

type View = (found: SendQueueDocument, tenant: TenantDocument) => Promise<z.output<typeof queue>>;

/** What was made and is no tenant's yet: who governs sees that it is there, and what it lacks. */
async function unrouted(deps: Deps, { governsPolicies }: TenantDocument): Promise<SendQueueDocument[]> {
	if (!governsPolicies) return [];
	const all = await deps.store.sendQueues.all();
	const users = await Promise.all(all.map(({ _id }) => deps.store.tenants.findBySendQueue(_id)));
	return all.filter((_, index) => users[index]?.length === 0);
}

function addSettings(app: Instance, deps: Deps, view: View): void {
	app.post(
		"/queues/:id/settings",
		{
			schema: {
				operationId: "setQueue",
				summary: "Set the rates, prices and registrations of this queue",
				description: "What is left out stays; null removes. In force within five seconds.",
				tags,
				params: z.strictObject({ id: z.string().max(64) }),
				body: settings,
				response: { 200: queue.describe("As it is now"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			const { found } = await requireQueue(deps, principal.tenantId, params.id);
			const { limitPerSecond: ratePerSecond, ...rest } = body;
			await deps.evidence.append([actOf(principal, "send_queue_changed", { code: found._id })]);
			await deps.store.sendQueues.set(found._id, { ...rest, ratePerSecond });
			return viewNow(deps, view, principal.tenantId, params.id);
		},
	);
}

async function viewNow(deps: Deps, view: View, tenantId: string, id: string) {
	const { found, tenant } = await requireQueue(deps, tenantId, id);
	return view(found, tenant);
}

function addStep(
	app: Instance,
	deps: Deps,
	name: string,
	{ flow, act, summary, body: schema }: (typeof steps)[keyof typeof steps],
	view: View,
): void {
	app.post(
		`/queues/:id/${name}`,
		{
			schema: {
				operationId: `${name}Queue`,
				summary,
				description: "Kept in the store: emptying Redis changes nothing. Senders follow within two seconds.",
				tags,
				params: z.strictObject({ id: z.string().max(64) }),
				body: schema,
				response: { 200: queue.describe("As it is now"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			const { found } = await requireQueue(deps, principal.tenantId, params.id);
			const { moveWaiting = false }: { moveWaiting?: boolean | undefined } = body ?? {};
			const isMoving = found.moveWaiting === true;
			const acts = [
				// Done again where what was to be moved is not any more.
				...(flowOf(found) !== flow || (isMoving && !moveWaiting) ? [act] : []),
				...(moveWaiting && !isMoving ? [emptied] : []),
			];
			if (acts.length > 0) {
				await deps.evidence.append(acts.map((each) => actOf(principal, each, { code: found._id })));
				const stopped = { paused: flow === "paused", draining: flow === "draining", moveWaiting };
				await deps.store.sendQueues.setFlow(found._id, stopped);
			}
			return viewNow(deps, view, principal.tenantId, params.id);
		},
	);
}

/** What tells of everybody who uses a queue. */
async function viewAll(deps: Deps, { _id, prices, registrations }: SendQueueDocument) {
	return {
		prices,
		registrations,
		backlog: await deps.store.messages.countBacklog(queueRange(_id), limits.backlogCountedMax),
		...(await deps.sendQueues.live(_id).then(
			(live) => ({ live }),
			() => ({}),
		)),
	};
}

async function countOwn(deps: Deps, id: string, tenantId: string): Promise<number> {
	const ranges = [backlogRange(id, "urgent", tenantId), backlogRange(id, "normal", tenantId)];
	const counts = await Promise.all(
		ranges.map((range) => deps.store.messages.countBacklog(range, limits.backlogCountedMax)),
	);
	return Math.min(
		limits.backlogCountedMax,
		counts.reduce((sum, count) => sum + count),
	);
}

/** Whether a queue is other tenants' too, and this one has no say over it. */
function isOthersToo(users: TenantDocument[], { _id, governsPolicies }: TenantDocument): boolean {
	return !governsPolicies && users.some((user) => user._id !== _id);
}

function viewFailing(failing: Failing | undefined) {
	const { code, since } = failing ?? {};
	if (code === undefined || since === undefined) return { failing: failing !== undefined };
	return { failing: true, failure: { code, since: new Date(since).toISOString() } };
}

/** @throws LetheError not_found for another's queue; forbidden for one that is shared, unless the tenant governs */
async function requireQueue(
	deps: Deps,
	tenantId: string,
	id: string,
): Promise<{ found: SendQueueDocument; tenant: TenantDocument }> {
	const [tenant, found] = await Promise.all([deps.store.tenants.find(tenantId), deps.store.sendQueues.find(id)]);
	if (!found || !tenant) throw new LetheError("not_found");
	const users = await deps.store.tenants.findBySendQueue(id);
	const isNobodys = users.length === 0 && tenant.governsPolicies === true;
	if (!tenant.sendQueues.includes(id) && !isNobodys) throw new LetheError("not_found");
	if (isOthersToo(users, tenant)) throw new LetheError("forbidden");
	return { found, tenant };
}

function flowOf({ paused, draining }: SendQueueDocument): Flow {
	return paused ? "paused" : draining ? "draining" : "open";
}
