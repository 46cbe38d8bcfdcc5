// /v1/callbacks/{carrier}/{queue}/inbound: what recipients write, verified as receipts are; of what is stale a STOP alone counts.

import type { Instance } from "../../instance.ts";
import { addCallbackRoute, type CallbacksDeps } from "./callbacks.ts";

/** In a scope that takes raw bodies. */
export function addInbound(app: Instance, deps: CallbacksDeps): void {
	addCallbackRoute(app, deps, {
		url: "/callbacks/:carrier/:queue/inbound",
		operationId: "receiveInbound",
		summary: "What recipients write to a sender: STOP, START, HELP",
		description: "Signed as the carrier signs, with that send queue's secrets. The text is read and not kept.",
	});
}
