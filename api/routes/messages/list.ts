// GET /v1/messages: a tenant's messages, newest first, page by page.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { categories } from "../../../domain/message.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { refuseReversed } from "../../refuseReversed.ts";
import { fields, pageQuery, problems, schemas } from "../../schemas.ts";
import { toTime } from "../../toTime.ts";
import { viewMessage } from "../../view.ts";

type ListDeps = Pick<ApiDeps, "clock"> & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "inDoubtPage" | "shownPage"> };
};

// After that no receipt is taken any more that could settle a doubt.
const doubtMsMax = limits.deadlineMsMax + limits.parkedReceiptMs;

export function addListMessages(app: Instance, deps: ListDeps): void {
	app.get(
		"/messages",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listMessages",
				summary: "List messages, newest first",
				tags: ["messages"],
				querystring: z.strictObject({
					...pageQuery,
					state: schemas.state.optional(),
					category: z.enum(categories).optional(),
					from: fields.time.optional().meta({ description: "Accepted then or later." }),
					to: fields.time
						.optional()
						.meta({ description: "Accepted before then. Earlier than `from` it is refused, 400." }),
					inDoubt: z.literal("true").optional().meta({
						description:
							"Only those, accepted in the last seventeen days, of which nobody knows what became. The other filters are not asked then.",
					}),
				}),
				response: { 200: schemas.messagePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			refuseReversed(request.query, "/querystring");
			const { cursor, limit, inDoubt, from, to, ...same } = request.query;
			const { tenantId } = request.principal;
			const { messages } = deps.store;
			const after = readCursor("message", cursor);
			const place = after && { acceptedAt: after.at, id: after.id };
			const found = inDoubt
				? await messages.inDoubtPage(tenantId, deps.clock() - doubtMsMax, limit + 1, place)
				: await messages.shownPage(tenantId, limit + 1, place, { ...same, from: toTime(from), to: toTime(to) });
			const page = toPage(found, limit, ({ acceptedAt, _id }) => ({ at: acceptedAt, id: _id }));
			return { ...page, items: page.items.map((message) => viewMessage(message, deps.clock())) };
		},
	);
}
