// One step of a subject's request: exports that wait, reminders that are due, the next page or certificate of an erasure.

import { limits } from "../domain/limits.ts";
import { beginErasure, dueAlerts, isGivenUp, restingState, type SubjectRequest } from "../domain/subjectRequest.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import type { RequestStepped } from "../workflows/contract.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createEraseSubject } from "./eraseSubject.ts";
import type { createExportSubject } from "./exportSubject.ts";
import { guarded } from "./guarded.ts";
import type { Cursor } from "./subjectPages.ts";

export type StepRequestDeps = Pick<ActivityDeps, "clock" | "log" | "evidence"> & {
	store: Pick<ActivityDeps["store"], "subjectRequests">;
	eraseSubject: ReturnType<typeof createEraseSubject>;
	exportSubject: ReturnType<typeof createExportSubject>;
};

/** The document is the truth: a step that is repeated finds what the one before it has done. */
export function createStepRequest(deps: StepRequestDeps) {
	const { subjectRequests } = deps.store;

	async function stepRequest(requestId: string): Promise<RequestStepped> {
		const request = await subjectRequests.find(requestId);
		if (!request) return { outcome: "erased", moreDue: false, erasedCount: 0, keptCount: 0 };
		// An export that can't be made keeps no erasure from going on.
		const isExporting = (await guarded(deps, () => deps.exportSubject(request))) ?? false;
		try {
			await progress(deps, request);
		} catch (error) {
			// Its run tries again by itself, for however long: the sweep need not wake it meanwhile, and reminders come all the same.
			await look(requestId, limits.requestCheckMs);
			throw error;
		}
		const stepped = await look(requestId, limits.driverPatienceMs);
		const told = describe(stepped ?? request, deps.clock());
		return { ...told, moreDue: told.moreDue || isExporting };
	}

	/** @param busyMs after what time its run is taken for lost while there is work */
	function look(requestId: string, busyMs: number) {
		const now = deps.clock();
		return subjectRequests.change(requestId, (current) => rest(deps, current, now, busyMs));
	}

	return { stepRequest };
}

/** The next piece of an erasure, if one is under way or due again. */
async function progress(deps: StepRequestDeps, request: SubjectRequest): Promise<void> {
	const { erasure, _id } = request;
	const now = deps.clock();
	if (!erasure) return;
	const settledAt = erasure.startedAt + limits.orphanPatienceMs;
	const again = (step: "settle" | "done", due: boolean) =>
		erasure.step === step && due
			? deps.store.subjectRequests.change(_id, (current) => beginErasure(current, now))
			: undefined;
	switch (erasure.step) {
		case "settle":
			return void (await again("settle", now >= settledAt));
		case "done":
			return void (await again("done", (erasure.recheckAt ?? Number.POSITIVE_INFINITY) <= now));
		case "erase":
			if (isGivenUp(request)) return giveUpPage(deps, request);
			return erasePage(deps, request, now < settledAt ? "settle" : "certify");
		case "certify":
			return certify(deps, request);
	}
}

async function erasePage(deps: StepRequestDeps, request: SubjectRequest, then: "settle" | "certify"): Promise<void> {
	const { erasure, tenantId, _id } = request;
	if (!erasure) return;
	if (erasure.cursor.index === 0 && erasure.cursor.acceptedAt === undefined) {
		// Once: what is held is gone through again and again, and nothing more is executed by that.
		if (erasure.pass === 1) {
			await deps.evidence.append([
				{ type: "request_executed", code: request.kind, tenantId, about: _id, by: "engine" },
			]);
		}
		await deps.eraseSubject.endConsents(request);
	}
	await goOn(deps, request, await deps.eraseSubject.eraseOnePage(request, erasure.cursor), then);
}

// What it has erased the sweep certifies, message by message.
async function giveUpPage(deps: StepRequestDeps, request: SubjectRequest): Promise<void> {
	if (!request.erasure) return;
	await goOn(deps, request, await deps.eraseSubject.giveUpOnePage(request, request.erasure.cursor), "done");
}

async function goOn(
	deps: StepRequestDeps,
	{ _id, erasure }: SubjectRequest,
	next: Cursor | undefined,
	then: "settle" | "certify" | "done",
): Promise<void> {
	if (!erasure) return;
	const { pass, cursor } = erasure;
	await deps.store.subjectRequests.change(_id, (current) => {
		// Begun anew by a person's decision meanwhile, or another worker was faster.
		const now = current.erasure;
		if (now?.pass !== pass || now.step !== "erase" || !isSame(now.cursor, cursor)) return undefined;
		return { ...current, erasure: { ...now, ...(next ? { cursor: next } : { step: then }) } };
	});
}

async function certify(deps: StepRequestDeps, request: SubjectRequest): Promise<void> {
	const now = deps.clock();
	const { certificates, erasedCount, kept, tasks, recheckAt } = await deps.eraseSubject.certify(request);
	await deps.store.subjectRequests.change(request._id, (current) => {
		if (current.erasure?.step !== "certify" || current.erasure.pass !== request.erasure?.pass) return undefined;
		const raised = tasks.filter(({ name }) => !current.tasks.some((task) => task.name === name));
		const keptCount = kept.reduce((sum, { count }) => sum + count, 0);
		const { startedAt, pass, cursor } = current.erasure;
		const next: SubjectRequest = {
			...current,
			erasure: withoutUndefined({
				startedAt,
				pass,
				cursor,
				step: "done" as const,
				erasedCount,
				keptCount,
				kept,
				recheckAt,
			}),
			tasks: [...current.tasks, ...raised.map((task) => ({ ...task, raisedAt: now }))],
			certificates: [...new Set([...current.certificates, ...certificates])],
		};
		// A pass that changed nothing is not told: there is one after the other for as long as a hold lasts.
		const isFirst = current.log.every(({ type }) => type !== "executed");
		if (isFirst || resultOf(next) !== resultOf(current)) {
			next.log = [...current.log, { at: now, type: "executed", by: "engine" }];
		}
		return { ...next, state: restingState(next) };
	});
}

function resultOf({ certificates, erasure }: SubjectRequest): string {
	return [...certificates, erasure?.erasedCount, erasure?.keptCount].join();
}

function isSame(one: Cursor, other: Cursor): boolean {
	return one.index === other.index && one.acceptedAt === other.acceptedAt;
}

/** Raises the reminders that are due, and sets when the request is looked at next; undefined when both stand. */
function rest(deps: StepRequestDeps, request: SubjectRequest, now: number, busyMs: number): SubjectRequest | undefined {
	const { due, nextAt } = dueAlerts(request, now);
	for (const code of due) deps.log.warn({ requestId: request._id, code }, "a subject's request needs attention");
	const alerts = [...request.alerts, ...due.map((code) => ({ code, at: now }))];
	const nextCheckAt = isBusy(request) ? now + busyMs : earliest(nextAt, waitsUntil(request), request);
	if (due.length === 0 && nextCheckAt === request.nextCheckAt) return undefined;
	const { nextCheckAt: _, ...kept } = request;
	return { ...kept, alerts, ...(nextCheckAt === undefined ? {} : { nextCheckAt }) };
}

function describe(request: SubjectRequest, now: number): RequestStepped {
	const { erasure, state } = request;
	const count = (value = 0) => Math.min(value, limits.toldCountMax);
	const wakeAt = earliest(dueAlerts(request, now).nextAt, waitsUntil(request));
	return {
		outcome: state,
		moreDue: isBusy(request),
		erasedCount: count(erasure?.erasedCount),
		keptCount: count(erasure?.keptCount),
		...(wakeAt === undefined ? {} : { wakeAt }),
	};
}

function isBusy({ erasure }: SubjectRequest): boolean {
	return erasure?.step === "erase" || erasure?.step === "certify";
}

function waitsUntil({ erasure }: SubjectRequest): number | undefined {
	return erasure?.step === "settle" ? erasure.startedAt + limits.orphanPatienceMs : erasure?.recheckAt;
}

// Of a closed one the end of its own record comes last.
function earliest(one: number | undefined, other: number | undefined, request?: SubjectRequest): number | undefined {
	const times = [one, other].filter((at) => at !== undefined);
	return times.length > 0 ? Math.min(...times) : request?.eraseBy;
}
