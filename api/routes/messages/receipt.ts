// GET /v1/messages/{id}/receipt: a signed receipt of sending, for whoever has to show that a message went out.

import { z } from "zod";
import { issueReceipt } from "../../../audit/sendingReceipt.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { enterRead } from "../../plugins/evidence.ts";
import { problems } from "../../schemas.ts";

type Deps = Pick<ApiDeps, "clock" | "evidence" | "receipts"> & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "findForTenant"> };
};

export function addSendingReceipt(app: Instance, deps: Deps): void {
	app.get(
		"/messages/:id/receipt",
		{
			schema: {
				operationId: "getSendingReceipt",
				summary: "A signed receipt of sending: what became of a message so far",
				description: "`lethe verify` checks it offline. It holds no number and no text.",
				tags: ["messages"],
				params: z.strictObject({ id: z.string() }),
				response: {
					200: z
						.object({ messageId: z.string(), jws: z.string() })
						.meta({ id: "SendingReceipt" })
						.describe("A compact JWS (RFC 7515)"),
					...problems,
				},
			},
		},
		async ({ principal, params }) => {
			const message = await deps.store.messages.findForTenant(principal.tenantId, params.id);
			if (!message) throw new LetheError("not_found");
			await enterRead(deps, principal, { about: message._id, senderId: message.principalId });
			return {
				messageId: message._id,
				jws: await issueReceipt(message, { sign: deps.receipts.sign, now: deps.clock() }),
			};
		},
	);
}
