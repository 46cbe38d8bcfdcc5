// /v1/webhook-endpoints/{id}/deliveries and /replay: what an endpoint was told, and telling it again.

import { z } from "zod";
import type { OutlinedDelivery } from "../../../adapters/mongo/webhooks.ts";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { limits } from "../../../domain/limits.ts";
import type { WebhookDelivery } from "../../../domain/webhook.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { actOf } from "../../plugins/evidence.ts";
import { refuseReversed } from "../../refuseReversed.ts";
import { pageQuery, problems } from "../../schemas.ts";
import { requireEndpoint } from "./endpoints.ts";
import { viewDelivery, webhookSchemas } from "./schemas.ts";

type Deps = Pick<ApiDeps, "clock" | "evidence"> & {
	store: {
		webhookEndpoints: Pick<ApiDeps["store"]["webhookEndpoints"], "find">;
		webhookDeliveries: Pick<ApiDeps["store"]["webhookDeliveries"], "find" | "page" | "pageUp" | "replay">;
	};
};

const tags = ["webhooks"];
const params = z.strictObject({ id: z.string().max(64) });

export function addDeliveries(app: Instance, deps: Deps): void {
	const { webhookDeliveries } = deps.store;

	app.get(
		"/webhook-endpoints/:id/deliveries",
		{
			schema: {
				operationId: "listWebhookDeliveries",
				summary: "What the endpoint was told, by the time of the event, newest first; kept for 30 days",
				tags,
				params,
				querystring: z.strictObject(pageQuery),
				response: { 200: webhookSchemas.deliveryPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const { _id } = await requireEndpoint(deps, request.principal, request.params.id);
			const place = readCursor("webhookDelivery", cursor);
			const page = toPage(await webhookDeliveries.page(_id, limit + 1, place), limit, placeOf);
			return { ...page, items: page.items.map(viewDelivery) };
		},
	);

	app.post(
		"/webhook-endpoints/:id/replay",
		{
			schema: {
				operationId: "replayWebhookDeliveries",
				summary: "Tell the endpoint again, by id or by time; each keeps its `webhook-id`",
				description:
					`In the order of the events, at most ${limits.webhookReplayItemsMax} at once, or all of one millisecond; of a time out of ` +
					`${limits.webhookReplayLookedItemsMax} that it was told; \`next\` says from when to go on. Tried for a day.`,
				tags,
				params,
				body: webhookSchemas.replayInput,
				response: { 202: webhookSchemas.replayed.describe("They wait"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			if ("from" in body) refuseReversed(body, "");
			const { _id, state } = await requireEndpoint(deps, principal, request.params.id);
			// It would fail untried, and what it was told would count as failed.
			if (state !== "enabled") throw new LetheError(`endpoint_${state}`);
			const { found, next } =
				"deliveries" in body ? await findByIds(deps, _id, body.deliveries) : await findByTime(deps, _id, body);
			await deps.evidence.append([actOf(principal, "webhook_replayed", { about: _id })]);
			const now = deps.clock();
			const ids = found.toSorted(byEvent).map((delivery) => delivery._id);
			const count = await webhookDeliveries.replay(ids, now, now + limits.webhookTryMs);
			return reply.code(202).send({ count, ...(next === undefined ? {} : { next }) });
		},
	);
}

/** @throws LetheError not_found when one of them is not the endpoint's */
async function findByIds(deps: Deps, endpointId: string, ids: string[]): Promise<Found> {
	const found = await Promise.all([...new Set(ids)].map((id) => deps.store.webhookDeliveries.find(id)));
	const own = found.filter((delivery) => delivery?.endpointId === endpointId && delivery.event !== undefined);
	if (own.length < found.length) throw new LetheError("not_found");
	return { found: own as OutlinedDelivery[] };
}

type Found = { found: OutlinedDelivery[]; next?: string };
type Range = { from: string; to?: string | undefined; states: string[] };

/** The oldest of them, as many as are replayed at once, of as many as are looked at. */
async function findByTime(deps: Deps, endpointId: string, { from, to, states }: Range): Promise<Found> {
	const since = Date.parse(from);
	const until = to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to);
	const matching: OutlinedDelivery[] = [];
	let after = { at: since, id: "" };
	for (let lookedItems = 0; ; ) {
		const page = await deps.store.webhookDeliveries.pageUp(endpointId, limits.webhookReplayItemsMax, after);
		matching.push(...page.filter(({ event, state, at }) => event && states.includes(state) && at <= until));
		// What is of the very time that was asked from is taken and looked at in any case: the next call would begin there again.
		const beyond = matching.slice(limits.webhookReplayItemsMax).find(({ at }) => at > since);
		if (beyond) return { found: matching.slice(0, matching.indexOf(beyond)), next: formatTime(beyond.at) };
		const last = page.at(-1);
		if (!last || page.length < limits.webhookReplayItemsMax || last.at > until) return { found: matching };
		after = placeOf(last);
		lookedItems += page.length;
		if (lookedItems >= limits.webhookReplayLookedItemsMax && last.at > since)
			return { found: matching, next: formatTime(last.at) };
	}
}

function placeOf({ at, _id }: Pick<WebhookDelivery, "at" | "_id">) {
	return { at, id: _id };
}

function byEvent(a: OutlinedDelivery, b: OutlinedDelivery): number {
	return a.at - b.at || (a.event?.sequence ?? 0) - (b.event?.sequence ?? 0);
}
