// Makes the exports that wait for a worker: only it may decrypt. Each page is sealed for whoever asked, and for nobody else.

import type { ExportJob } from "../adapters/mongo/subjectRequests.ts";
import { formatTime } from "../domain/formatTime.ts";
import { limits } from "../domain/limits.ts";
import { type Message, queueOf, type SealedObjectName, wasHandedOver } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import type { SubjectRequest } from "../domain/subjectRequest.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { restsOnConsent, restsOnContract } from "../policies/lawfulBasis.ts";
import { decryptObject } from "./decryptObject.ts";
import type { ActivityDeps } from "./deps.ts";
import { createSubjectPages } from "./subjectPages.ts";

export type ExportSubjectDeps = Pick<ActivityDeps, "clock" | "encryption" | "exportSeal"> & {
	store: Pick<ActivityDeps["store"], "subjectMessages" | "subjectExports">;
};

/**
 * Makes every export of a request that nobody has made, the oldest first, for the time of one step. Answers whether there
 * is more to make. What a step before it has put stands; a page again is the same place again.
 */
export function createExportSubject(deps: ExportSubjectDeps) {
	const { subjectExports } = deps.store;
	const { readWhole } = createSubjectPages(deps);

	/** True once nothing is left to do of it: it is made, is gone, or somebody else makes it. */
	async function make(request: SubjectRequest, job: ExportJob, until: number): Promise<boolean> {
		let { pageCount, messageCount = 0, cursor = { index: 0 } } = job;
		for (;;) {
			const { messages, next } = await readWhole(request, cursor, deps.clock());
			if (!next) return end(job, "ready", pageCount);
			messageCount += messages.length;
			if (messageCount > limits.exportMessagesMax) return end(job, "too_large", 0);
			if (messages.length > 0) {
				await putPage(request, job, `${job._id}/${pageCount}`, messages);
				// Of an export that its asker has left, or that is erased, no further page is read.
				if (!(await subjectExports.advance({ ...job, pageCount }, messageCount, next))) return true;
				pageCount++;
			}
			cursor = next;
			if (deps.clock() >= until) return false;
		}
	}

	async function putPage(request: SubjectRequest, job: ExportJob, place: string, messages: Message[]): Promise<void> {
		const own = messages.filter((message) => isOf(request, message));
		const rows = await Promise.all(own.map((message) => read(deps, message, job.report)));
		const jwe = await deps.exportSeal.seal(job.publicKey, place, Plaintext.text(JSON.stringify(rows)));
		await subjectExports.putPage({ _id: place, exportId: job._id, jwe, eraseBy: job.eraseBy });
	}

	async function end({ _id }: ExportJob, state: ExportJob["state"], pageCount: number): Promise<true> {
		await subjectExports.end(_id, state, pageCount);
		return true;
	}

	return async function exportSubject(request: SubjectRequest): Promise<boolean> {
		if (!request.identity?.confirmed) return false;
		const until = deps.clock() + limits.exportStepMs;
		for (const job of await subjectExports.open(request._id)) {
			if (job.eraseBy > deps.clock() && !(await make(request, job, until))) return true;
		}
		return false;
	};
}

// Portability is of what is processed by consent or contract, GDPR Art. 20(1)(a); what says no basis may be.
function isOf({ kind }: SubjectRequest, { facts: { context = {} } }: Message): boolean {
	const isPortable = context.lawfulBasis === undefined || restsOnConsent(context) || restsOnContract(context);
	return kind !== "portability" || isPortable;
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
