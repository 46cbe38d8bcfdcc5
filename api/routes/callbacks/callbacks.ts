// What every carrier callback shares: the raw body, the queue's own verifier, what it may move, and how a refusal is told.

import { isUtf8 } from "node:buffer";
import { z } from "zod";
import type { CallbackRequest, Carrier, Refusal, VerifyResult } from "../../../adapters/carriers/carrier.ts";
import { LetheError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { ApiDeps } from "../../deps.ts";
import { createInbound, type InboundDeps } from "../../inbound.ts";
import type { Instance } from "../../instance.ts";
import type { Metrics } from "../../metrics.ts";
import { createReceive, type ReceiveDeps } from "../../receive.ts";
import { problems } from "../../schemas.ts";

export type CallbacksDeps = ReceiveDeps &
	InboundDeps &
	Pick<ApiDeps, "carriers" | "publicUrl" | "replays"> & { metrics: Pick<Metrics, "countCallback"> };

const callbackParams = z.strictObject({ carrier: z.string(), queue: z.string() });

type Authentic = Exclude<VerifyResult, { reason: Refusal }>;

type Request = {
	params: z.output<typeof callbackParams>;
	method: string;
	headers: CallbackRequest["headers"];
	raw: { url?: string | undefined };
	body: unknown;
};

/** Must have a scope of its own: it replaces the scope's body parsers. */
export function takeRawBodies(app: Instance): void {
	app.removeAllContentTypeParsers();
	app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
}

/** A route of the callbacks, in a scope that takes raw bodies: GET where a carrier uses it. */
export function addCallbackRoute(
	app: Instance,
	deps: CallbacksDeps,
	told: { url: string; operationId: string; summary: string; description: string },
): void {
	const take = createCallbacks(deps);
	const { url, operationId, summary, description } = told;
	for (const method of ["GET", "POST"] as const) {
		app.route({
			method,
			url,
			exposeHeadRoute: false,
			bodyLimit: limits.callbackBytesMax,
			schema: {
				// A name of its own, as the document must have it.
				operationId: method === "POST" ? operationId : `${operationId}ByGet`,
				summary,
				description,
				tags: ["callbacks"],
				params: callbackParams,
				// A carrier's own, and part of what it signed.
				querystring: z.looseObject({}),
				response: { 200: z.void().describe("Taken"), ...problems },
			},
			handler: async (request, reply) => {
				await take(request);
				return reply.code(200).send();
			},
		});
	}
}

/**
 * Takes one callback, which may bring receipts, recipients' messages, or neither: several carriers have one address for
 * all. Resolves once what it moved is durable.
 * @throws LetheError not_found, callback_*, store_unavailable, keys_unavailable
 */
export function createCallbacks(deps: CallbacksDeps) {
	const receive = createReceive(deps);
	const receiveInbound = createInbound(deps);

	/** The request's bytes, and what was read of them in clear, are wiped once this ended, whichever way. */
	return async function take(request: Request): Promise<void> {
		const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
		try {
			const carrier = await findCarrier(request.params);
			const { method, headers, raw } = request;
			// Read as text, other bytes would be those that were signed no more.
			if (!isUtf8(body)) throw refuse(carrier, "malformed");
			const callback = { method, url: `${deps.publicUrl}${raw.url}`, headers, body: body.toString("utf8") };
			await carrier.prepare?.(callback, AbortSignal.timeout(limits.carrierTimeoutMs));
			const result = carrier.verify(callback, deps.clock());
			if (!result.valid && result.reason !== "stale") throw refuse(carrier, result.reason);
			// Refused it would be brought again, and be no clearer. It is not remembered: what is cut so that it can't be read may
			// bear the signature of what can.
			if (result.valid && result.unread) return count(carrier, "unread");
			await takeOnce(carrier, request.params.queue, callback, result);
		} finally {
			body.fill(0);
		}
	};

	/** A repeat is answered as the first was: whoever asks again has not heard that. */
	async function takeOnce(
		carrier: Carrier,
		queue: string,
		callback: CallbackRequest,
		authentic: Authentic,
	): Promise<void> {
		const { valid, replayKey, events, messages } = authentic;
		try {
			if (await deps.replays.isKnown(queue, replayKey)) return count(carrier, "replayed");
			for (const event of events) count(carrier, await receive(queue, event, !valid));
			for (const message of messages) count(carrier, `inbound_${await receiveInbound(queue, message, !valid)}`);
			if (valid) await confirm(carrier, callback);
			if (events.length + messages.length === 0) count(carrier, valid ? "other" : "other_stale");
			await deps.replays.remember(queue, replayKey);
		} finally {
			// Those too that were not come to, and whatever became of the others.
			for (const { from, text } of messages) for (const plaintext of [from, text]) plaintext.wipe();
		}
	}

	async function confirm(carrier: Carrier, callback: CallbackRequest): Promise<void> {
		if ((await carrier.confirm?.(callback, AbortSignal.timeout(limits.carrierTimeoutMs))) !== false) return;
		count(carrier, "unconfirmed");
		throw new LetheError("callback_unconfirmed");
	}

	// With that queue's callback secrets only.
	async function findCarrier({ carrier: name, queue }: Request["params"]): Promise<Carrier> {
		const carrier = await deps.carriers.verifier(queue);
		if (carrier?.name === name) return carrier;
		deps.metrics.countCallback("unknown", "unknown_queue");
		throw new LetheError("not_found");
	}

	function refuse(carrier: Carrier, reason: Refusal): LetheError {
		count(carrier, reason);
		const mayComeSigned = reason === "unsigned" && carrier.capabilities.unsignedCallbacks === "ask_again";
		// What is refused for good is lost: a queue without its secret may be given one.
		if (mayComeSigned || reason === "not_configured") return new LetheError("callback_unverifiable");
		const unauthenticated = reason === "unsigned" || reason === "bad_signature" || reason === "untrusted";
		return new LetheError(unauthenticated ? "callback_unauthenticated" : "callback_invalid");
	}

	function count(carrier: Carrier, result: string): void {
		deps.metrics.countCallback(carrier.name, result);
	}
}
