// GET /v1/messages: a tenant's messages, newest first, page by page.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { isId } from "../../../domain/ids.ts";
import { limits } from "../../../domain/limits.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { readRoles } from "../../plugins/auth.ts";
import { problems, schemas } from "../../schemas.ts";
import { viewMessage } from "../../view.ts";

type ListDeps = { store: { messages: Pick<ApiDeps["store"]["messages"], "page"> } };
type Place = { acceptedAt: number; id: string };

const pageItemsDefault = 20;

export function addListMessages(app: Instance, deps: ListDeps): void {
	app.get(
		"/messages",
		{
			config: { roles: readRoles },
			schema: {
				operationId: "listMessages",
				summary: "List messages, newest first",
				tags: ["messages"],
				querystring: z.strictObject({
					cursor: z.string().max(128).optional(),
					limit: z.coerce.number().int().min(1).max(limits.pageItemsMax).default(pageItemsDefault),
					state: schemas.state.optional(),
				}),
				response: { 200: schemas.messagePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit, state } = request.query;
			const after = cursor === undefined ? undefined : readCursor(cursor);
			// One more than asked tells whether there is a next page.
			const found = await deps.store.messages.page(request.principal.tenantId, limit + 1, after, state);
			const items = found.slice(0, limit);
			const last = found.length > limit ? items.at(-1) : undefined;
			return {
				items: items.map(viewMessage),
				...(last ? { next: formatCursor({ acceptedAt: last.acceptedAt, id: last._id }) } : {}),
			};
		},
	);
}

function formatCursor({ acceptedAt, id }: Place): string {
	return Buffer.from(`${acceptedAt} ${id}`).toString("base64url");
}

function readCursor(cursor: string): Place {
	const [time = "", id = ""] = Buffer.from(cursor, "base64url").toString("latin1").split(" ");
	if (/^\d{1,15}$/.test(time) && isId("message", id)) return { acceptedAt: Number(time), id };
	const errors = [{ pointer: "/querystring/cursor", detail: "Not a cursor that a page gave." }];
	throw new LetheError("invalid_request", { errors });
}
