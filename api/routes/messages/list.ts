// GET /v1/messages: a tenant's messages, newest first, page by page.

import { z } from "zod";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { pageQuery, problems, schemas } from "../../schemas.ts";
import { viewMessage } from "../../view.ts";

type ListDeps = { store: { messages: Pick<ApiDeps["store"]["messages"], "page"> } };

export function addListMessages(app: Instance, deps: ListDeps): void {
	app.get(
		"/messages",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listMessages",
				summary: "List messages, newest first",
				tags: ["messages"],
				querystring: z.strictObject({ ...pageQuery, state: schemas.state.optional() }),
				response: { 200: schemas.messagePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit, state } = request.query;
			const after = readCursor("message", cursor);
			const place = after && { acceptedAt: after.at, id: after.id };
			const found = await deps.store.messages.page(request.principal.tenantId, limit + 1, place, state);
			const page = toPage(found, limit, ({ acceptedAt, _id }) => ({ at: acceptedAt, id: _id }));
			return { ...page, items: page.items.map(viewMessage) };
		},
	);
}
