// Makes the exports that wait for a worker: only it may decrypt. Each page is sealed for whoever asked, and for nobody else.

import type { ExportJob } from "../adapters/mongo/subjectRequests.ts";
import { limits } from "../domain/limits.ts";
import { type Message, queueOf, type SealedObjectName, wasHandedOver } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import type { SubjectRequest } from "../domain/subjectRequest.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { decryptObject } from "./decryptObject.ts";
import type { ActivityDeps } from "./deps.ts";
import { createSubjectPages } from "./subjectPages.ts";

export type ExportSubjectDeps = Pick<ActivityDeps, "clock" | "encryption" | "exportSeal"> & {
	store: Pick<ActivityDeps["store"], "subjectMessages" | "subjectExports">;
};

/** Makes every export of a request that nobody has made. A page again is the same place again. */
export function createExportSubject(deps: ExportSubjectDeps) {
	const { subjectExports } = deps.store;
	const { eachPage } = createSubjectPages(deps);

	async function make(request: SubjectRequest, job: ExportJob): Promise<void> {
		let pageCount = 0;
		let messageCount = 0;
		await eachPage(request, deps.clock(), async (page) => {
			messageCount += page.length;
			if (messageCount > limits.exportMessagesMax) return false;
			const rows = await Promise.all(
				page.filter((message) => isOf(request, message)).map((message) => read(deps, message, job.report)),
			);
			const place = `${job._id}/${pageCount++}`;
			const jwe = await deps.exportSeal.seal(job.publicKey, place, Plaintext.text(JSON.stringify(rows)));
			await subjectExports.putPage({ _id: place, exportId: job._id, jwe });
			return true;
		});
		const isTooLarge = messageCount > limits.exportMessagesMax;
		await subjectExports.end(job._id, isTooLarge ? "too_large" : "ready", pageCount);
	}

	return async function exportSubject(request: SubjectRequest): Promise<void> {
		if (!request.identity?.confirmed) return;
		const now = deps.clock();
		for (const job of await subjectExports.open(request._id)) if (job.eraseBy > now) await make(request, job);
	};
}

// Portability is of what is processed by consent or contract, GDPR Art. 20(1)(a).
function isOf({ kind }: SubjectRequest, { facts }: Message): boolean {
	const basis = facts.context?.lawfulBasis;
	return kind !== "portability" || basis === undefined || basis === "consent" || basis === "contract";
}

async function read(deps: ExportSubjectDeps, message: Message, report: ExportJob["report"]) {
	const open = (object: SealedObjectName) => (report === "data" ? decryptObject(deps, message, object) : undefined);
	const [number, text] = await Promise.all([open("address"), open("content")]);
	const { facts, retention } = message;
	const handedOver = message.attempts
		.filter((attempt) => wasHandedOver([attempt]))
		.map((attempt) => ({ at: formatTime(attempt.startedAt), to: queueOf(attempt, message) }));
	return withoutUndefined({
		id: message._id,
		acceptedAt: formatTime(message.acceptedAt),
		category: message.category,
		dataClasses: message.dataClasses,
		purpose: message.category,
		lawfulBasis: facts.context?.lawfulBasis,
		consent: facts.consent?.evidence,
		state: message.state,
		stateAt: formatTime(message.stateAt),
		number,
		text,
		textReadableBy: message.deliveryMode !== "sms" && message.content ? "recipient" : undefined,
		sender: message.senderId,
		handedOver,
		contentEraseBy: retention.content && formatTime(retention.content.eraseBy),
		contentErasedAt: retention.content?.erasedAt && formatTime(retention.content.erasedAt),
		recordEraseBy: retention.decision_record && formatTime(retention.decision_record.eraseBy),
	});
}

function formatTime(at: number): string {
	return new Date(at).toISOString();
}
