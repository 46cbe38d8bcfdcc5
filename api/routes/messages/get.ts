// GET /v1/messages/{id}: the whole story of one message, without its content.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { enterRead } from "../../plugins/evidence.ts";
import { problems, schemas } from "../../schemas.ts";
import { viewMessage } from "../../view.ts";

type GetDeps = Pick<ApiDeps, "clock" | "evidence"> & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "findForTenant"> };
};

export function addGetMessage(app: Instance, deps: GetDeps): void {
	app.get(
		"/messages/:id",
		{
			schema: {
				operationId: "getMessage",
				summary: "Read a message's state and evidence",
				tags: ["messages"],
				params: z.strictObject({ id: z.string() }),
				response: { 200: schemas.message.describe("The message"), ...problems },
			},
		},
		async (request) => {
			const { principal } = request;
			const message = await deps.store.messages.findForTenant(principal.tenantId, request.params.id);
			if (!message) throw new LetheError("not_found");
			await enterRead(deps, principal, { about: message._id, senderId: message.principalId });
			return viewMessage(message, deps.clock());
		},
	);
}
