// /v1/callbacks/{carrier}/{queue}/inbound: what recipients write, verified as receipts are; what is stale changes nothing.

import { z } from "zod";
import type { Carrier, InboundMessage } from "../../../adapters/carriers/carrier.ts";
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
			await callbacks.take(request, async (carrier, callback) => {
				const result = carrier.verifyInbound?.(callback, deps.clock());
				const reason = result ? (result.valid ? undefined : result.reason) : "unsupported";
				if (reason !== undefined && reason !== "stale") throw callbacks.refuse(carrier, reason);
				if (!result?.valid) deps.metrics.countCallback(carrier.name, "inbound_stale");
				if (result?.valid) await takeAll(carrier, request.params.queue, result.messages);
			});
			return reply.code(200).send();
		},
	});

	async function takeAll(carrier: Carrier, queue: string, messages: InboundMessage[]): Promise<void> {
		try {
			for (const message of messages) {
				deps.metrics.countCallback(carrier.name, `inbound_${await receive(queue, message)}`);
			}
		} finally {
			// Those too that were not come to, and whatever became of the others.
			for (const { from, text } of messages) for (const plaintext of [from, text]) plaintext.wipe();
		}
	}
}
