// What nobody waits for goes out behind what somebody does: a write to a socket takes longer than much of a request's own work.

import { setTimeout as sleep } from "node:timers/promises";

// Longer than most requests take, and shorter than anybody counts on.
const momentMs = 20;

let moment: Promise<void> | undefined;

/** Calls it once what is at hand has gone out, together with what else was put off meanwhile: that shares a write. */
export async function aMomentLater<Answer>(call: () => Promise<Answer>): Promise<Answer> {
	moment ??= sleep(momentMs).then(() => {
		moment = undefined;
	});
	await moment;
	return call();
}
