// /v1/callbacks/{carrier}/{queue}/receipts: the raw body is verified before anything else looks at it.

import { z } from "zod";
import type { Carrier, CarrierEvent } from "../../../adapters/carriers/carrier.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import type { Metrics } from "../../metrics.ts";
import { createReceive, type ReceiveDeps } from "../../receive.ts";
import { problems } from "../../schemas.ts";

export type ReceiptsDeps = ReceiveDeps &
	Pick<ApiDeps, "carriers" | "publicUrl"> & { metrics: Pick<Metrics, "countCallback"> };

/** Must have a scope of its own: it replaces the scope's body parsers. */
export function addReceipts(app: Instance, deps: ReceiptsDeps): void {
	const receive = createReceive(deps);
	app.removeAllContentTypeParsers();
	app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
	app.route({
		method: ["GET", "POST"],
		url: "/callbacks/:carrier/:queue/receipts",
		exposeHeadRoute: false,
		schema: {
			operationId: "receiveReceipt",
			summary: "A carrier's delivery receipts",
			description: "Signed as the carrier signs, with that send queue's secrets. Repeats change nothing.",
			tags: ["callbacks"],
			params: z.strictObject({ carrier: z.string(), queue: z.string() }),
			response: { 200: z.void().describe("Taken"), ...problems },
		},
		handler: async (request, reply) => {
			const { queue } = request.params;
			const carrier = await findCarrier(deps, request.params);
			const body = Buffer.isBuffer(request.body) ? request.body.toString("utf8") : "";
			const { method, headers } = request;
			const url = `${deps.publicUrl}${request.raw.url}`;
			const result = carrier.verify({ method, url, headers, body }, deps.clock());
			if (!result.valid && result.reason !== "stale") throw refuse(deps, carrier, result.reason);
			for (const event of result.events) await take(carrier, queue, event, !result.valid);
			return reply.code(200).send();
		},
	});

	async function take(carrier: Carrier, queue: string, event: CarrierEvent, stale: boolean): Promise<void> {
		deps.metrics.countCallback(carrier.name, await receive(queue, event, stale));
	}
}

async function findCarrier(deps: ReceiptsDeps, params: { carrier: string; queue: string }): Promise<Carrier> {
	const carrier = await deps.carriers.verifier(params.queue);
	if (carrier?.name === params.carrier) return carrier;
	deps.metrics.countCallback("unknown", "unknown_queue");
	throw new LetheError("not_found");
}

function refuse(deps: ReceiptsDeps, carrier: Carrier, reason: string): LetheError {
	deps.metrics.countCallback(carrier.name, reason);
	const unauthenticated = reason === "unsigned" || reason === "bad_signature";
	return new LetheError(unauthenticated ? "callback_unauthenticated" : "callback_invalid");
}
