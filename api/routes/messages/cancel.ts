// POST /v1/messages/{id}/cancel: stops a message that has not been handed to a carrier yet.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { cancellableStates } from "../../../domain/lifecycle.ts";
import { cancel } from "../../../domain/transition.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { problems, schemas } from "../../schemas.ts";
import { viewMessage } from "../../view.ts";

type CancelDeps = Pick<ApiDeps, "clock"> & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "findForTenant" | "transition"> };
	runs: Pick<ApiDeps["runs"], "settleSoon">;
};

// A sender at work on the message changes its state a few times at most before it is past cancelling.
const roundsMax = 5;

export function addCancelMessage(app: Instance, deps: CancelDeps): void {
	app.post(
		"/messages/:id/cancel",
		{
			schema: {
				operationId: "cancelMessage",
				summary: "Cancel a message that is accepted, deferred or queued",
				tags: ["messages"],
				params: z.strictObject({ id: z.string() }),
				body: z.strictObject({}).nullish(),
				response: { 200: schemas.message.describe("Cancelled"), ...problems },
			},
		},
		async (request) => {
			const { tenantId } = request.principal;
			const read = async () => {
				const message = await deps.store.messages.findForTenant(tenantId, request.params.id);
				if (!message) throw new LetheError("not_found");
				return message;
			};
			for (let round = 0; round < roundsMax; round++) {
				const message = await read();
				const isDone = message.state === "cancelled" && request.idempotencyClaim?.again;
				if (isDone) return viewMessage(message, deps.clock());
				if (!cancellableStates.includes(message.state)) {
					throw new LetheError("not_cancellable", { extra: { state: message.state } });
				}
				if (!(await deps.store.messages.transition(cancel(message, deps.clock(), request.principal.id)))) continue;
				deps.runs.settleSoon(message);
				return viewMessage(await read(), deps.clock());
			}
			throw new LetheError("store_unavailable", { cause: "lost every race" });
		},
	);
}
