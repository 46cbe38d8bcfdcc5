// /v1/callbacks/{carrier}/{queue}/inbound: what recipients write, verified as receipts are; what is stale changes nothing.

import { z } from "zod";
import { createInbound, type InboundDeps } from "../../inbound.ts";
import type { Instance } from "../../instance.ts";
import { problems } from "../../schemas.ts";
import { type CallbacksDeps, callbackParams, createCallbacks } from "./callbacks.ts";

/** In a scope that takes raw bodies. */
export function addInbound(app: Instance, deps: InboundDeps & CallbacksDeps): void {
	const receive = createInbound(deps);
	const callbacks = createCallbacks(deps);
	app.route({
		method: ["GET", "POST"],
		url: "/callbacks/:carrier/:queue/inbound",
		exposeHeadRoute: false,
		schema: {
			operationId: "receiveInbound",
			summary: "What recipients write to a sender: STOP, START, HELP",
			description: "Signed as the carrier signs, with that send queue's secrets. The text is read and not kept.",
			tags: ["callbacks"],
			params: callbackParams,
			response: { 200: z.void().describe("Taken"), ...problems },
		},
		handler: async (request, reply) => {
			const carrier = await callbacks.findCarrier(request.params);
			const result = carrier.verifyInbound?.(callbacks.toCallback(request), deps.clock());
			const reason = result ? (result.valid ? undefined : result.reason) : "unsupported";
			if (reason !== undefined && reason !== "stale") throw callbacks.refuse(carrier, reason);
			if (!result?.valid) deps.metrics.countCallback(carrier.name, "inbound_stale");
			for (const message of result?.valid ? result.messages : []) {
				const taken = await receive(request.params.queue, message);
				deps.metrics.countCallback(carrier.name, `inbound_${taken}`);
			}
			return reply.code(200).send();
		},
	});
}
