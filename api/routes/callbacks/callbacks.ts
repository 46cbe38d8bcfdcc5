// What every carrier callback shares: the raw body, the queue's own verifier, and how a refusal is counted and told.

import { z } from "zod";
import type { CallbackRequest, Carrier } from "../../../adapters/carriers/carrier.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import type { Metrics } from "../../metrics.ts";

export type CallbacksDeps = Pick<ApiDeps, "carriers" | "publicUrl"> & { metrics: Pick<Metrics, "countCallback"> };

export const callbackParams = z.strictObject({ carrier: z.string(), queue: z.string() });

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

export function createCallbacks(deps: CallbacksDeps) {
	async function findCarrier({ carrier: name, queue }: Request["params"]): Promise<Carrier> {
		const carrier = await deps.carriers.verifier(queue);
		if (carrier?.name === name) return carrier;
		deps.metrics.countCallback("unknown", "unknown_queue");
		throw new LetheError("not_found");
	}

	return {
		/**
		 * Hands `use` the carrier that the address names, with that queue's callback secrets only, and the request as the
		 * carrier sent it; its bytes are wiped once that ended, whichever way.
		 * @throws LetheError not_found
		 */
		async take(request: Request, use: (carrier: Carrier, callback: CallbackRequest) => Promise<void>): Promise<void> {
			const { method, headers, raw } = request;
			const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
			try {
				const carrier = await findCarrier(request.params);
				await use(carrier, { method, url: `${deps.publicUrl}${raw.url}`, headers, body: body.toString("utf8") });
			} finally {
				body.fill(0);
			}
		},
		/** Counts a callback that can't be believed; the error to throw. */
		refuse(carrier: Carrier, reason: string): LetheError {
			deps.metrics.countCallback(carrier.name, reason);
			const unauthenticated = reason === "unsigned" || reason === "bad_signature";
			return new LetheError(unauthenticated ? "callback_unauthenticated" : "callback_invalid");
		},
	};
}
