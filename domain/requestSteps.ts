// What people do to a subject's request, each as one change of it: who asks is checked, a task is decided, the answer is given.

import { LetheError } from "./errors.ts";
import {
	beginErasure,
	endOfDay,
	type Identity,
	isGivenUp,
	type RequestOutcome,
	restingState,
	type SubjectRequest,
	type TaskVerdict,
} from "./subjectRequest.ts";

/** Who acts, and when, epoch ms. */
export type By = { id: string; at: number };

/** To which last day, ISO 8601; why, in a word; and when the person was told of it, epoch ms. */
export type Extension = { to: string; reason: string; toldAt: number };

/** What each kind of task may be decided to be. */
const verdictsOf: Record<string, readonly TaskVerdict[]> = {
	correction: ["done", "refuse"],
	conflict: ["erase", "keep"],
	no_law: ["erase", "keep"],
};

/** @throws LetheError request_state when it cannot be done now; invalid_request when what is said of it can't be right */
export const requestSteps = {
	/** The requester was told that it has come; no other step says so, and the reminder stands until this one or the answer. */
	acknowledge(request: SubjectRequest, by: By): SubjectRequest {
		requireOpen(request);
		if (request.acknowledgedAt !== undefined) return request;
		return logged({ ...request, acknowledgedAt: by.at }, by, "acknowledged");
	},

	/** Who asks was checked. Confirmed, what the request asks for begins; failed, it may be checked once more. */
	identify(request: SubjectRequest, identity: Omit<Identity, "checkedBy" | "checkedAt">, by: By): SubjectRequest {
		requireOpen(request);
		if (request.identity?.confirmed) throw new LetheError("request_state", { extra: { state: request.state } });
		const { ownedFrom, ownedUntil = by.at } = identity;
		if (ownedFrom >= by.at) throw invalid("/ownedFrom", "Not in the future.");
		if (ownedFrom >= ownedUntil || ownedUntil > by.at)
			throw invalid("/ownedUntil", "After ownedFrom and not in the future.");
		const checked = { ...identity, checkedBy: by.id, checkedAt: by.at };
		const said = identity.confirmed ? "confirmed" : "failed";
		const next = logged({ ...request, identity: checked }, by, "identity", said);
		if (!identity.confirmed) return { ...next, state: request.kind === "objection" ? request.state : "received" };
		if (request.kind === "erasure") return beginErasure(next, by.at);
		const tasks =
			request.kind === "correction"
				? [{ name: "correction", reasons: [], citations: [], messageIds: [], raisedAt: by.at }]
				: [];
		const tasked = { ...next, tasks: [...request.tasks, ...tasks] };
		return { ...tasked, state: restingState(tasked) };
	},

	decide(request: SubjectRequest, task: string, verdict: TaskVerdict, ground: string, by: By): SubjectRequest {
		requireOpen(request);
		const open = request.tasks.find(({ name, decided }) => name === task && decided === undefined);
		if (!open) throw new LetheError("request_state", { extra: { state: request.state } });
		if (!(verdictsOf[task] ?? []).includes(verdict)) {
			throw invalid("/verdict", `Of this task one of ${(verdictsOf[task] ?? []).join(", ")}.`);
		}
		const decided = { at: by.at, by: by.id, verdict, ground };
		const tasks = request.tasks.map((one) => (one === open ? { ...one, decided } : one));
		const next = logged({ ...request, tasks }, by, "decided", `${task}.${verdict}`);
		if (tasks.some((one) => one.decided === undefined)) return next;
		return request.kind === "erasure" ? beginErasure(next, by.at) : { ...next, state: restingState(next) };
	},

	/**
	 * The person was told that it takes longer, and why. It counts from when they were told, which may be entered later.
	 * @throws LetheError extension_refused
	 */
	extend(request: SubjectRequest, extension: Extension, by: By): SubjectRequest {
		requireOpen(request);
		const { to, reason, toldAt } = extension;
		const { respondBy, extendableTo, extendedTo, receivedAt } = request;
		if (extendedTo === to && request.extensionToldAt === toldAt) return request;
		if (toldAt < receivedAt || toldAt > by.at)
			throw invalid("/toldAt", "After the request came, and not in the future.");
		const refused = { extra: { respondBy, extendableTo, extendedTo } };
		if (respondBy === undefined || extendableTo === undefined || extendedTo !== undefined) {
			throw new LetheError("extension_refused", refused);
		}
		if (to <= respondBy || to > extendableTo) {
			const outside = { pointer: "/to", detail: `A day after ${respondBy}, and ${extendableTo} at the latest.` };
			throw new LetheError("extension_refused", { ...refused, errors: [outside] });
		}
		// GDPR Art. 12(3), 45 CFR 164.524(b)(2)(iii)(A), Cal. Civ. Code 1798.130(a)(2)(A).
		if (toldAt >= endOfDay(respondBy)) {
			const late = { pointer: "/toldAt", detail: "The person has to be told within the first time, and was not." };
			throw new LetheError("extension_refused", { ...refused, errors: [late] });
		}
		return logged({ ...request, extendedTo: to, extensionToldAt: toldAt }, by, "extended", reason);
	},

	close(
		request: SubjectRequest,
		answer: { outcome: RequestOutcome; ground?: string | undefined; eraseBy?: number | undefined },
		by: By,
	): SubjectRequest {
		requireOpen(request);
		const { outcome, ground, eraseBy } = answer;
		if (outcome === "refused" && ground === undefined) throw invalid("/ground", "A refusal says why.");
		if (outcome === "granted" || outcome === "partly_granted") requireDone(request, outcome);
		const closed = { at: by.at, by: by.id, outcome, ...(ground === undefined ? {} : { ground }) };
		const ended = { ...request, state: "closed" as const, closed, nextCheckAt: by.at };
		// Gone through once more: what was to go, and is there still, goes by its own dates again.
		const next = request.erasure && isGivenUp(ended) ? beginErasure(ended, by.at) : ended;
		return logged(eraseBy === undefined ? next : { ...next, eraseBy }, by, "closed", outcome);
	},
};

// What was asked for is done, as far as it may be; and is called no more than it is.
function requireDone(request: SubjectRequest, outcome: "granted" | "partly_granted"): void {
	const { state, kind, identity, exports, erasure } = request;
	if (state !== "ready") throw new LetheError("request_state", { extra: { state } });
	if (kind !== "objection" && !identity?.confirmed) throw new LetheError("identity_unchecked");
	const isExport = kind === "access" || kind === "portability";
	if (isExport && !exports.some(({ report }) => report === "data")) {
		throw invalid("/outcome", "Nothing was exported yet.");
	}
	const isKept = (erasure?.kept ?? []).some(({ object }) => ["content", "address", "receipt"].includes(object));
	if (outcome === "granted" && isKept) throw invalid("/outcome", "Something is kept: it is partly_granted.");
}

function requireOpen({ closed, state }: SubjectRequest): void {
	if (closed) throw new LetheError("request_state", { extra: { state } });
}

function logged(request: SubjectRequest, by: By, type: string, code?: string): SubjectRequest {
	const event = { at: by.at, type, by: by.id, ...(code === undefined ? {} : { code }) };
	return { ...request, log: [...request.log, event], nextCheckAt: by.at };
}

function invalid(pointer: string, detail: string): LetheError {
	return new LetheError("invalid_request", { errors: [{ pointer, detail }] });
}
