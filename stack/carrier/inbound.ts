// What recipients write: for tests, a message to a sender is signed and brought to the customer's inbound URL.

import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { Callbacks } from "./callbacks.ts";
import { isLoopbackUrl, parse, refusal, reply } from "./reply.ts";

const inboundRequest = z.strictObject({
	from: z.string().regex(/^\+[1-9]\d{6,14}$/),
	to: z.string().regex(/^(\+?\d{3,15}|[A-Za-z0-9 ]{1,11})$/),
	text: z.string().max(1600),
	/** The same one again is the same message. */
	eventId: z
		.string()
		.regex(/^[\w.-]{1,128}$/)
		.optional(),
	signature: z.enum(["good", "forged", "stale"]).default("good"),
	callbackUrl: z.string().refine(isLoopbackUrl).optional(),
});

/** @param deps see `createCarrierApp` */
export function createInbound(deps: {
	callbacks: Callbacks;
	clock: () => number;
	randomBytes: (size: number) => Buffer;
	inboundUrl?: string | undefined;
}) {
	const { deliver, counts } = deps.callbacks;

	/** Takes a recipient's message and answers its id; it is on its way then. @throws a refusal */
	return function receive(request: unknown, response: ServerResponse): void {
		const { callbackUrl = deps.inboundUrl, signature, ...message } = parse(inboundRequest, request);
		if (callbackUrl === undefined) throw refusal(400, "invalid_callbackUrl", "No inbound URL is known.");
		const eventId = message.eventId ?? deps.randomBytes(16).toString("hex");
		reply(response, 202, { eventId });
		const body = JSON.stringify({ ...message, eventId, at: new Date(deps.clock()).toISOString() });
		counts.pending++;
		void deliver(callbackUrl, signature, () => body).finally(() => counts.pending--);
	};
}
