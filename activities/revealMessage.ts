// Reads one message out for the process of the API that a person asked: sealed for it alone, and for no store to read.

import { Plaintext } from "../domain/plaintext.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { decryptObject } from "./decryptObject.ts";
import type { ActivityDeps } from "./deps.ts";

export type RevealMessageDeps = Pick<ActivityDeps, "clock" | "encryption" | "exportSeal"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "find">;
		subjectExports: Pick<ActivityDeps["store"]["subjectExports"], "find" | "putPage" | "end">;
	};
};

/** Makes what was asked for, unless nobody waits for it any more; again is the same again. */
export function createRevealMessage(deps: RevealMessageDeps) {
	const { messages, subjectExports } = deps.store;

	return {
		async revealMessage(exportId: string): Promise<void> {
			const job = await subjectExports.find(exportId);
			if (job?.report !== "message" || job.state !== "open" || job.eraseBy <= deps.clock()) return;
			const message = await messages.find(job.requestId);
			if (!message || message.tenantId !== job.tenantId) return subjectExports.end(exportId, "ready", 0);
			const [number, text] = await Promise.all([
				decryptObject(deps, message, "address"),
				decryptObject(deps, message, "content"),
			]);
			const place = `${exportId}/0`;
			const read = Plaintext.text(JSON.stringify([withoutUndefined({ number, text })]));
			const jwe = await deps.exportSeal.seal(job.publicKey, place, read);
			await subjectExports.putPage({ _id: place, exportId, jwe, eraseBy: job.eraseBy });
			await subjectExports.end(exportId, "ready", 1);
		},
	};
}
