// Erases what is kept of one subject's messages as far as nothing goes before it, reads it back, and certifies what went and what stays.

import type { Kept } from "../audit/certificate.ts";
import { type CarrierCopy, carrierCopyOf } from "../domain/carrierCopy.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import {
	type ErasableObject,
	erasableObjects,
	type Message,
	type RetentionRecord,
	type SealedObjectName,
} from "../domain/message.ts";
import { type HoldRecord, isRecordHeld, keepsOf, type SubjectRecord, standingOf } from "../domain/subject.ts";
import type { KeptGroup, SubjectRequest, Task } from "../domain/subjectRequest.ts";
import { keptWhy } from "../policies/precedence.ts";
import { endOfProof } from "../policies/subjectRetention.ts";
import { type Erased, nameCertificate } from "./certify.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { issueCertificate } from "./issueCertificate.ts";
import { readKeyDates } from "./keyDates.ts";
import { clearMarks, isPresent, planErasure } from "./planErasure.ts";
import { type ErasureVerdict, settleErasure } from "./settleErasure.ts";
import { type Cursor, createSubjectPages, spanOf } from "./subjectPages.ts";

export type EraseSubjectDeps = Pick<
	ActivityDeps,
	"clock" | "ids" | "certificates" | "evidence" | "policies" | "ledger"
> & {
	store: Pick<ActivityDeps["store"], "messages" | "subjectMessages" | "subjectRecords" | "cohorts" | "certificates">;
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

type KeptOfSubject = Kept & Pick<KeptGroup, "object">;

/** What a reading back has found. Times epoch ms. */
type Found = {
	erased: (Omit<Erased, "object" | "stored"> & { object: ErasableObject; formerCohorts?: string[] })[];
	kept: KeptOfSubject[];
	tasks: Omit<Task, "raisedAt">[];
	/** By message. */
	carrierCopies: Map<string, CarrierCopy>;
	/** Something that goes by itself, or once it is released: look again. */
	recheckAt?: number;
};

export type CertifiedErasure = {
	certificates: string[];
	erasedCount: number;
	kept: KeptGroup[];
	tasks: Found["tasks"];
	recheckAt?: number;
};

// One change ends a message that is unsent, the next erases it; others may race for it in between.
const roundsMax = 4;

/** Every step may be repeated, by two workers at once and after a kill at any point. */
export function createEraseSubject(deps: EraseSubjectDeps) {
	const { messages } = deps.store;
	const pages = createSubjectPages(deps);
	// What came after the erasure began is not a part of it.
	const readPage = (request: SubjectRequest, cursor: Cursor) =>
		pages.readPage(request, cursor, request.erasure?.startedAt ?? 0);

	async function eraseOne(request: SubjectRequest, message: Message, records: Records): Promise<void> {
		const { eraseAt } = settleErasure(deps, request, message, records.holdsOn(message), deps.clock());
		// Before it is done: a copy of the store from before must not undo it.
		if (eraseAt !== undefined) await enterErasure(deps, message, eraseAt);
		for (let round = 0; round < roundsMax; round++) {
			const done = await change(messages, message._id, (current) => {
				// As of now: the ledger may have been slow, and from then on every copy is dated.
				const now = deps.clock();
				const verdict = settleErasure(deps, request, current, records.holdsOn(current), now);
				if (verdict.eraseAt === undefined) return undefined;
				return planErasure(current, request._id, verdict.eraseAt, verdict.held, now);
			});
			if (!done) return;
			if (done.applied.to && isFinal(done.applied.to)) deps.runs.settleSoon(done.before);
		}
	}

	return {
		/** Ends the subject's consents: whoever wants to be forgotten consents to nothing. */
		async endConsents(request: SubjectRequest): Promise<void> {
			const now = deps.clock();
			const { identity } = request;
			const records = await ownRecords(deps, request);
			for (const record of records) {
				// A later owner's, or an opt-in of after the request, is not what was asked to be forgotten.
				if (record.kind !== "consent" || record.ended || !isOfRequest(request, record)) continue;
				const by = identity?.checkedBy ?? request.recordedBy;
				const { _id: about, tenantId } = record;
				await deps.evidence.append([{ type: "consent_withdrawn", code: "erasure", tenantId, about, by: "engine" }]);
				const ended = { at: now, recordedAt: now, recordedBy: by, source: "erasure" as const, evidence: request._id };
				const eraseBy = endOfProof(ended, record);
				await deps.store.subjectRecords.end(record._id, ended, { eraseBy, nextCheckAt: eraseBy });
			}
		},

		/** Erases one page; answers where the next begins, or undefined when all were seen. */
		async eraseOnePage(request: SubjectRequest, cursor: Cursor): Promise<Cursor | undefined> {
			const records = await readRecords(deps, request);
			if (cursor.index === 0 && cursor.acceptedAt === undefined) await eraseKeys(deps, request, records.own);
			const { messages: page, unreadable, next } = await readPage(request, cursor);
			await records.know(page);
			await Promise.all(page.map((message) => eraseOne(request, message, records)));
			// The sweep finds it, and has it be an alert; until it is mended nothing is certified of the request.
			const set = { nextCheckAt: deps.clock() };
			await Promise.all(unreadable.map(({ _id: id }) => messages.transition({ id, set })));
			return next;
		},

		/** Takes the request's marks from one page, and what the ledger was told of it; answers as `eraseOnePage` does. */
		async giveUpOnePage(request: SubjectRequest, cursor: Cursor): Promise<Cursor | undefined> {
			const { messages: page, unreadable, next } = await readPage(request, cursor);
			// A mark is never packed while what it is on is there.
			await Promise.all([...page, ...unreadable].map((message) => giveUpOne(deps, request, message)));
			return next;
		},

		/** Reads all back, issues the certificate, and names it on each message. Answers what is to be told of the request. */
		async certify(request: SubjectRequest): Promise<CertifiedErasure> {
			const found = await readBack(deps, request, pages);
			const certificates = await issue(deps, request, found);
			const erased = Map.groupBy(found.erased, ({ messageId }) => messageId);
			await pages.eachPage(request, request.erasure?.startedAt ?? 0, async (page) => {
				await Promise.all(page.map((message) => nameOn(deps, message, erased.get(message._id) ?? [], certificates)));
			});
			return {
				certificates: certificates.map(({ id }) => id),
				erasedCount: found.erased.filter(({ verified }) => verified).length,
				kept: groupKept(found.kept),
				tasks: found.tasks,
				...(found.recheckAt === undefined ? {} : { recheckAt: found.recheckAt }),
			};
		},
	};
}

function erasableOf({ retention }: Message): RetentionRecord[] {
	return erasableObjects.flatMap((object) => retention[object] ?? []);
}

async function enterErasure({ ledger }: EraseSubjectDeps, message: Message, at: number): Promise<void> {
	const { _id: messageId, tenantId } = message;
	const isLater = erasableOf(message).some(
		({ request, erasedAt, eraseBy }) => request && erasedAt === undefined && eraseBy > at,
	);
	// The first of a message stands there: one of a later day makes way.
	if (isLater) await ledger.forget("erasure", messageId);
	await ledger.put({ _id: messageId, kind: "erasure", tenantId, messageId, at });
}

async function giveUpOne(deps: EraseSubjectDeps, { _id: requestId }: SubjectRequest, message: Message): Promise<void> {
	const marked = erasableOf(message).filter(({ request }) => request === requestId);
	if (marked.every(({ erasedAt }) => erasedAt !== undefined)) return;
	// Before the marks: while they are there, whoever comes next does it again.
	if (marked.every(({ erasedAt }) => erasedAt === undefined)) await deps.ledger.forget("erasure", message._id);
	await change(deps.store.messages, message._id, (current) => clearMarks(current, requestId, deps.clock()), message);
}

type Records = {
	own: SubjectRecord[];
	/** Whether a hold keeps what is on record of the subject. */
	isHeld: boolean;
	know: (page: readonly Message[]) => Promise<void>;
	holdsOn: (message: Message) => HoldRecord[];
};

async function ownRecords(deps: EraseSubjectDeps, request: SubjectRequest): Promise<SubjectRecord[]> {
	const records = await deps.store.subjectRecords.findBySubjects(request.subjects);
	return records.filter(({ tenantId }) => tenantId === request.tenantId);
}

/** The subject's records, and the holds on single messages, read once each. */
async function readRecords(deps: EraseSubjectDeps, request: SubjectRequest): Promise<Records> {
	const [own, ofTenant] = await Promise.all([
		ownRecords(deps, request),
		deps.store.subjectRecords.findBySubjects([request.tenantId]),
	]);
	const onSubject = own.filter((record): record is HoldRecord => record.kind === "hold" && !record.ended);
	const { keeps } = standingOf(ofTenant, request.tenantId);
	const known = new Map(onSubject.map((record) => [record._id, record]));
	return {
		own,
		isHeld: isRecordHeld([...own, ...ofTenant], request.tenantId),
		async know(page) {
			const ids = new Set(page.flatMap(({ holds }) => holds).filter((id) => !known.has(id)));
			for (const id of ids) {
				const record = await deps.store.subjectRecords.find(id);
				if (record?.kind === "hold") known.set(id, record);
			}
		},
		// A hold on a period or on all of the tenant counts before the message bears it.
		holdsOn: ({ holds, acceptedAt }) => {
			const wide = keepsOf({ keeps }, acceptedAt);
			const ids = new Set([...onSubject.map(({ _id }) => _id), ...wide, ...holds]);
			return [...ids].flatMap((id) => known.get(id) ?? keeps.find(({ _id }) => _id === id) ?? []);
		},
	};
}

async function readBack(
	deps: EraseSubjectDeps,
	request: SubjectRequest,
	pages: ReturnType<typeof createSubjectPages>,
): Promise<Found> {
	const now = deps.clock();
	const records = await readRecords(deps, request);
	const found: Found = {
		erased: [],
		kept: records.own.flatMap((record) => keptRecord(request, record, records.isHeld)),
		tasks: [],
		carrierCopies: new Map(),
	};
	await pages.eachPage(request, request.erasure?.startedAt ?? 0, async (page) => {
		await records.know(page);
		for (const message of page) {
			const verdict = settleErasure(deps, request, message, records.holdsOn(message), now);
			tell(found, request, message, verdict, now);
		}
	});
	const dates = await readKeyDates(deps.store, found.erased);
	found.erased.forEach((entry, index) => {
		Object.assign(entry, dates[index]);
	});
	return found;
}

/** Adds what one message shows. */
function tell(found: Found, request: SubjectRequest, message: Message, verdict: ErasureVerdict, now: number): void {
	const { _id: messageId } = message;
	let isErased = false;
	for (const object of erasableObjects) {
		const record = message.retention[object];
		const isOfRequest = record?.request === request._id && record.erasedAt !== undefined;
		if (isOfRequest) {
			const { cohortId, formerCohorts, erasedAt = now } = record;
			const verified = !isPresent(message, object);
			found.erased.push({ messageId, object, erasedAt, verified, cohortId, ...(formerCohorts && { formerCohorts }) });
			isErased = true;
			// It came back, or never went: the pages are gone through again.
			if (!verified) soon(found, now + limits.driverPatienceMs);
		} else if (isPresent(message, object)) keep(found, message, object, verdict, now);
	}
	if (isErased) found.carrierCopies.set(messageId, carrierCopyOf(message));
	const until = message.retention.decision_record?.eraseBy;
	const why = keptWhy("decision_record", verdict.packs);
	found.kept.push({ object: "decision_record", messageId, ...why, ...(until ? { until } : {}) });
}

function keep(found: Found, message: Message, object: ErasableObject, verdict: ErasureVerdict, now: number): void {
	const { _id: messageId } = message;
	// Granted, and there all the same: it is with the carrier, or was missed and is done again.
	const isGranted = verdict.verdict === "erase";
	const reason = isGranted ? keptWhy("in_delivery", []).reason : verdict.reason;
	const until = isGranted ? message.closeAt : untilOf(message, object, verdict);
	found.kept.push({ object, messageId, reason, citations: verdict.citations, ...(until ? { until } : {}) });
	if (isGranted) soon(found, now + limits.driverPatienceMs);
	else if (verdict.held || verdict.until === "release") soon(found, now + limits.requestCheckMs);
	else if (verdict.until === "minimum" && until) soon(found, Math.max(until, now) + limits.driverPatienceMs);
	if (verdict.verdict !== "review") return;
	const task = found.tasks.find(({ name }) => name === verdict.reason);
	if (!task) {
		found.tasks.push({
			name: verdict.reason,
			reasons: verdict.codes,
			citations: verdict.citations,
			messageIds: [messageId],
		});
	} else if (!task.messageIds.includes(messageId) && task.messageIds.length < limits.requestTaskMessagesMax) {
		task.messageIds.push(messageId);
	}
}

function untilOf(message: Message, object: ErasableObject, { until, eraseAt }: ErasureVerdict): number | undefined {
	if (until === "minimum") return eraseAt;
	return until === "retention" || until === "never" ? message.retention[object]?.eraseBy : undefined;
}

function soon(found: Found, at: number): void {
	found.recheckAt = Math.min(at, found.recheckAt ?? at);
}

/**
 * Ends what texts were encrypted to while the number was theirs; the record goes with its next turn, and is certified
 * then, holds permitting.
 */
async function eraseKeys(
	deps: EraseSubjectDeps,
	request: SubjectRequest,
	own: readonly SubjectRecord[],
): Promise<void> {
	const now = deps.clock();
	for (const record of own) {
		if (record.kind !== "recipient_key" || !isOfRequest(request, record)) continue;
		if (!record.ended) {
			const { _id: about, tenantId } = record;
			const act = { type: "recipient_key_revoked", code: "erasure", tenantId, about, by: "engine" } as const;
			await deps.evidence.append([act]);
			const ended = { at: now, recordedAt: now, recordedBy: "engine", source: "erasure" } as const;
			await deps.store.subjectRecords.end(record._id, ended);
		}
		if ((record.eraseBy ?? now + 1) > now) await deps.store.subjectRecords.eraseFrom(record._id, now);
	}
}

function isOfRequest(request: SubjectRequest, { at }: SubjectRecord): boolean {
	const { from, to } = spanOf(request, request.erasure?.startedAt ?? 0);
	return at >= from && at <= to;
}

function keptRecord(request: SubjectRequest, record: SubjectRecord, isHeld: boolean): KeptOfSubject[] {
	const { _id: recordId, kind, eraseBy } = record;
	if (kind === "hold" && record.ended) return [];
	// A hold keeps whenever it was placed, and the request's own opt-out may be of after the number was theirs.
	const isTheirs = kind === "hold" || recordId === request.optOutId || isOfRequest(request, record);
	if (!isTheirs) return [];
	// Keys go, unless a hold keeps all that is on record.
	if (kind === "recipient_key" && !isHeld) return [];
	return [{ object: kind, recordId, ...keptWhy(kind, request.decision.packs), ...(eraseBy ? { until: eraseBy } : {}) }];
}

type Issued = { id: string; issuedAt: number; messageIds: Set<string> };

/**
 * Certificates of all that the request has erased so far, of so much each that any tool reads it; the same again has the same
 * id. None where nothing went.
 */
async function issue(deps: EraseSubjectDeps, request: SubjectRequest, found: Found): Promise<Issued[]> {
	const { tenantId, _id: about } = request;
	const [objectPages, keptPages] = [pagesOf(found.erased), pagesOf(found.kept)];
	const last = objectPages.at(-1);
	if (last === undefined) return [];
	const issued: Issued[] = [];
	for (let page = 0; page < Math.max(objectPages.length, keptPages.length); page++) {
		// What stays is told once. Where that is more than what went, the last of this is told again: none is of nothing.
		const [objects, kept] = [objectPages[page] ?? last, keptPages[page] ?? []];
		const messageIds = new Set(objects.map(({ messageId }) => messageId));
		const carrierCopies = [...messageIds].flatMap((messageId) => found.carrierCopies.get(messageId) ?? []);
		const said = objects.map(({ messageId, object, erasedAt, verified }) => [messageId, object, erasedAt, verified]);
		const redacted = carrierCopies.filter(({ kind }) => kind === "redacted").length;
		const place = page === 0 ? [] : [page];
		const text = JSON.stringify([about, said.map(String).sort(), groupKept(kept), redacted, ...place]);
		const id = deps.ids.derive("certificate", text);
		const certificate = { id, tenantId, about, objects, carrierCopies, request: { id: about, kept } };
		const known = request.certificates.includes(id) ? await deps.store.certificates.find(id) : undefined;
		const issuedAt = known?.issuedAt ?? (await issueCertificate(deps, { kind: "request", ...certificate }));
		issued.push({ id, issuedAt, messageIds });
	}
	return issued;
}

function pagesOf<Item>(items: readonly Item[]): Item[][] {
	const itemsMax = limits.requestCertificateItemsMax;
	const pageCount = Math.ceil(items.length / itemsMax);
	return Array.from({ length: pageCount }, (_, page) => items.slice(page * itemsMax, (page + 1) * itemsMax));
}

/** `erased`: what was found to be erased of this message. */
async function nameOn(
	deps: EraseSubjectDeps,
	message: Message,
	erased: Found["erased"],
	issued: Issued[],
): Promise<void> {
	const certificate = issued.find(({ messageIds }) => messageIds.has(message._id));
	if (certificate === undefined) return;
	const of = erased
		.filter(({ object }) => object !== "receipt" && message.retention[object]?.verifiedAt === undefined)
		.map((entry): Erased => ({ ...entry, object: entry.object as SealedObjectName, stored: message }));
	let stored = message;
	for (const group of Map.groupBy(of, ({ verified }) => verified).values()) {
		stored = await nameCertificate(deps, stored, group, certificate);
	}
}

/** By object, reason and citations; how many, and when the last of them goes. */
function groupKept(kept: readonly KeptOfSubject[]): KeptGroup[] {
	const groups = Map.groupBy(kept, ({ object, reason, citations }) => JSON.stringify([object, reason, citations]));
	return [...groups.values()].map((group) => {
		const [{ object, reason, citations }] = group as [KeptOfSubject];
		const ends = group.map(({ until }) => until ?? Number.POSITIVE_INFINITY);
		const until = Math.max(...ends);
		const end = Number.isFinite(until) ? { until } : {};
		return { object, reason, citations: [...citations], count: group.length, ...end };
	});
}
