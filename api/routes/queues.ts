// /v1/queues: the send queues of a tenant, how fast and how full they are, and what stops and starts them.

import { z } from "zod";
import type { SendQueueDocument } from "../../adapters/mongo/models.ts";
import { queueRange } from "../../domain/backlog.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { actOf } from "../plugins/evidence.ts";
import { problems } from "../schemas.ts";

type Deps = Pick<ApiDeps, "evidence" | "sendQueues"> & {
	store: {
		messages: Pick<ApiDeps["store"]["messages"], "countBacklog">;
		sendQueues: Pick<ApiDeps["store"]["sendQueues"], "find" | "setFlow">;
		tenants: Pick<ApiDeps["store"]["tenants"], "find" | "findBySendQueue">;
	};
};

const flows = ["open", "draining", "paused"] as const;
type Flow = (typeof flows)[number];

const queue = z
	.object({
		id: z.string(),
		carrier: z.string(),
		sender: z.string(),
		state: z.enum(flows).meta({ description: "`draining`: sends what it has, and takes nothing new." }),
		limitPerSecond: z.int().optional().meta({ description: "Segments; absent where the deployment's default holds." }),
		backlog: z
			.int()
			.meta({ description: `Messages that wait in the store; ${limits.backlogCountedMax} is at least so many.` }),
		live: z
			.object({
				waiting: z.int(),
				delayed: z.int(),
				active: z.int(),
				segmentsPerSecond: z.number().meta({ description: "Sent, over the last five full seconds." }),
			})
			.optional()
			.meta({ description: "Absent while Redis does not answer." }),
	})
	.meta({ id: "SendQueue" });
const queues = z.object({ items: z.array(queue) }).meta({ id: "SendQueues" });

/** Step → the flow it leads to and the act that it is. */
const steps = {
	pause: { flow: "paused", act: "send_queue_paused", summary: "Send nothing from this queue until it is resumed" },
	resume: { flow: "open", act: "send_queue_resumed", summary: "Send from this queue again" },
	drain: {
		flow: "draining",
		act: "send_queue_drained",
		summary: "Send what this queue has, and route nothing new to it",
	},
} as const;

const tags = ["operations"];

export function addQueues(app: Instance, deps: Deps): void {
	const view = async (found: SendQueueDocument) => ({
		id: found._id,
		carrier: found.carrier,
		sender: found.sender,
		state: flowOf(found),
		...(found.ratePerSecond === undefined ? {} : { limitPerSecond: found.ratePerSecond }),
		backlog: await deps.store.messages.countBacklog(queueRange(found._id), limits.backlogCountedMax),
		...(await deps.sendQueues.live(found._id).then(
			(live) => ({ live }),
			() => ({}),
		)),
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
			const found = await Promise.all((tenant?.sendQueues ?? []).map((id) => deps.store.sendQueues.find(id)));
			return { items: await Promise.all(found.filter((one) => one !== undefined).map(view)) };
		},
	);
	for (const [name, step] of Object.entries(steps)) addStep(app, deps, name, step, view);
}

function addStep(
	app: Instance,
	deps: Deps,
	name: string,
	{ flow, act, summary }: (typeof steps)[keyof typeof steps],
	view: (found: SendQueueDocument) => Promise<z.output<typeof queue>>,
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
				body: z.strictObject({}).nullish(),
				response: { 200: queue.describe("As it is now"), ...problems },
			},
		},
		async (request) => {
			const { principal, params } = request;
			const found = await requireQueue(deps, principal.tenantId, params.id);
			if (flowOf(found) !== flow) {
				await deps.evidence.append([actOf(principal, act, { code: found._id })]);
				await deps.store.sendQueues.setFlow(found._id, { paused: flow === "paused", draining: flow === "draining" });
			}
			return view(await requireQueue(deps, principal.tenantId, params.id));
		},
	);
}

/** @throws LetheError not_found for another's queue; forbidden for one that is shared, unless the tenant governs */
async function requireQueue(deps: Deps, tenantId: string, id: string): Promise<SendQueueDocument> {
	const [tenant, found] = await Promise.all([deps.store.tenants.find(tenantId), deps.store.sendQueues.find(id)]);
	if (!found || !tenant?.sendQueues.includes(id)) throw new LetheError("not_found");
	const users = await deps.store.tenants.findBySendQueue(id);
	if (!tenant.governsPolicies && users.some(({ _id }) => _id !== tenantId)) throw new LetheError("forbidden");
	return found;
}

function flowOf({ paused, draining }: SendQueueDocument): Flow {
	return paused ? "paused" : draining ? "draining" : "open";
}
