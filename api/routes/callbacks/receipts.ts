// /v1/callbacks/{carrier}/{queue}/receipts: the raw body is verified before anything else looks at it.

import type { Instance } from "../../instance.ts";
import { addCallbackRoute, type CallbacksDeps } from "./callbacks.ts";

/** In a scope that takes raw bodies. */
export function addReceipts(app: Instance, deps: CallbacksDeps): void {
	addCallbackRoute(app, deps, {
		url: "/callbacks/:carrier/:queue/receipts",
		operationId: "receiveReceipt",
		summary: "A carrier's delivery receipts",
		description: "Signed as the carrier signs, with that send queue's secrets. Repeats change nothing.",
	});
}
