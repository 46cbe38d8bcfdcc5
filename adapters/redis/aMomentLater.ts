// What nobody waits for goes out behind what somebody does: a write to a socket takes longer than much of a request's own work.

import { setTimeout as sleep } from "node:timers/promises";

/** Calls it in a later turn, once what is at hand has gone out. */
export async function aMomentLater<Answer>(call: () => Promise<Answer>): Promise<Answer> {
	await sleep(1);
	return call();
}
