// Sheds what this process can't bear before it costs memory: 503 and Retry-After, and nothing of the request is read.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";

declare module "fastify" {
	interface FastifyContextConfig {
		/** Requests of this route that may be under way at once, where one is much work. */
		inFlightMax?: number;
	}
}

/** Bounds the requests of this scope that are under way, and the bytes that they bring; add it before anything else. */
export function shedOverload(app: FastifyInstance, { requestsInFlightMax }: { requestsInFlightMax: number }): void {
	let requests = 0;
	let bytes = 0;
	const ofRoute = new Map<string, number>();

	app.addHook("onRequest", async (request, reply) => {
		const { url = "", config } = request.routeOptions;
		const size = sizeOf(request);
		const here = ofRoute.get(url) ?? 0;
		if (
			requests >= requestsInFlightMax ||
			bytes + size > limits.bytesInFlightMax ||
			here >= (config.inFlightMax ?? Number.POSITIVE_INFINITY)
		) {
			throw new LetheError("overloaded");
		}
		requests++;
		bytes += size;
		ofRoute.set(url, here + 1);
		// Closed comes after the answer as well as after a caller who is gone.
		reply.raw.once("close", () => {
			requests--;
			bytes -= size;
			ofRoute.set(url, (ofRoute.get(url) ?? 1) - 1);
		});
	});
}

/** What a request may come to hold: as much as it says, or as its route takes where it says nothing. */
function sizeOf({ headers, routeOptions }: FastifyRequest): number {
	if (headers["transfer-encoding"] !== undefined) return routeOptions.bodyLimit;
	return Math.min(Number(headers["content-length"] ?? 0) || 0, routeOptions.bodyLimit);
}
