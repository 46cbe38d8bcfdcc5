// /v1/callbacks/{carrier}/{queue}/inbound: what recipients write, verified as receipts are; what is stale changes nothing.

import { z } from "zod";
import type { Instance } from "../../instance.ts";
import { problems } from "../../schemas.ts";
import { type CallbacksDeps, callbackParams, createCallbacks } from "./callbacks.ts";

/** In a scope that takes raw bodies. */
export function addInbound(app: Instance, deps: CallbacksDeps): void {
	const take = createCallbacks(deps);
	for (const method of ["GET", "POST"] as const) {
		app.route({
			method,
			url: "/callbacks/:carrier/:queue/inbound",
			exposeHeadRoute: false,
			schema: {
				// A name of its own, as the document must have it.
				operationId: method === "POST" ? "receiveInbound" : "receiveInboundByGet",
				summary: "What recipients write to a sender: STOP, START, HELP",
				description: "Signed as the carrier signs, with that send queue's secrets. The text is read and not kept.",
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
