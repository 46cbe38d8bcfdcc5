// /v1/callbacks/{carrier}/{queue}/receipts: the raw body is verified before anything else looks at it.

import { z } from "zod";
import type { Instance } from "../../instance.ts";
import { problems } from "../../schemas.ts";
import { type CallbacksDeps, callbackParams, createCallbacks } from "./callbacks.ts";

/** In a scope that takes raw bodies. */
export function addReceipts(app: Instance, deps: CallbacksDeps): void {
	const take = createCallbacks(deps);
	for (const method of ["GET", "POST"] as const) {
		app.route({
			method,
			url: "/callbacks/:carrier/:queue/receipts",
			exposeHeadRoute: false,
			schema: {
				// A name of its own, as the document must have it.
				operationId: method === "POST" ? "receiveReceipt" : "receiveReceiptByGet",
				summary: "A carrier's delivery receipts",
				description: "Signed as the carrier signs, with that send queue's secrets. Repeats change nothing.",
				tags: ["callbacks"],
				params: callbackParams,
				response: { 200: z.void().describe("Taken"), ...problems },
			},
			handler: async (request, reply) => {
				await take(request);
				return reply.code(200).send();
			},
		});
	}
}
