// /v1/callbacks/{carrier}/{queue}/receipts: the raw body is verified before anything else looks at it.

import { z } from "zod";
import type { Carrier, CarrierEvent } from "../../../adapters/carriers/carrier.ts";
import type { Instance } from "../../instance.ts";
import { createReceive, type ReceiveDeps } from "../../receive.ts";
import { problems } from "../../schemas.ts";
import { type CallbacksDeps, callbackParams, createCallbacks } from "./callbacks.ts";

export type ReceiptsDeps = ReceiveDeps & CallbacksDeps;

/** In a scope that takes raw bodies. */
export function addReceipts(app: Instance, deps: ReceiptsDeps): void {
	const receive = createReceive(deps);
	const callbacks = createCallbacks(deps);
	app.route({
		method: ["GET", "POST"],
		url: "/callbacks/:carrier/:queue/receipts",
		exposeHeadRoute: false,
		schema: {
			operationId: "receiveReceipt",
			summary: "A carrier's delivery receipts",
			description: "Signed as the carrier signs, with that send queue's secrets. Repeats change nothing.",
			tags: ["callbacks"],
			params: callbackParams,
			response: { 200: z.void().describe("Taken"), ...problems },
		},
		handler: async (request, reply) => {
			await callbacks.take(request, async (carrier, callback) => {
				const result = carrier.verify(callback, deps.clock());
				if (!result.valid && result.reason !== "stale") throw callbacks.refuse(carrier, result.reason);
				for (const event of result.events) await take(carrier, request.params.queue, event, !result.valid);
			});
			return reply.code(200).send();
		},
	});

	async function take(carrier: Carrier, queue: string, event: CarrierEvent, stale: boolean): Promise<void> {
		deps.metrics.countCallback(carrier.name, await receive(queue, event, stale));
	}
}
