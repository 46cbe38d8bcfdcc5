// What a caller sees of a subject's request: no number, and no pseudonym either.

import type { z } from "zod";
import { formatTime } from "../../../domain/formatTime.ts";
import type { SubjectRequest } from "../../../domain/subjectRequest.ts";
import type { requestSchemas } from "./schemas.ts";

export function viewRequest(request: SubjectRequest) {
	const { kind, state, channel, reference, scope, decision, holdId, optOutId, certificates, identity, erasure } =
		request;
	const { ackBy, acknowledgedAt, respondBy, extendableTo, extendedTo, extensionToldAt, closed } = request;
	return {
		id: request._id,
		kind,
		state,
		channel,
		receivedAt: formatTime(request.receivedAt),
		recordedAt: formatTime(request.recordedAt),
		recordedBy: request.recordedBy,
		reference,
		scope,
		decision,
		clocks: {
			...{ ackBy, acknowledgedAt: formatTime(acknowledgedAt) },
			...{ respondBy, extendableTo, extendedTo, extensionToldAt: formatTime(extensionToldAt) },
		},
		identity: identity && {
			...identity,
			checkedAt: formatTime(identity.checkedAt),
			ownedFrom: formatTime(identity.ownedFrom),
			ownedUntil: formatTime(identity.ownedUntil),
		},
		tasks: request.tasks.map(({ raisedAt, decided, ...task }) => ({
			...task,
			raisedAt: formatTime(raisedAt),
			decided: decided && withTime(decided),
		})),
		alerts: request.alerts.map(withTime),
		erasure: erasure && {
			startedAt: formatTime(erasure.startedAt),
			step: erasure.step,
			erasedCount: erasure.erasedCount,
			keptCount: erasure.keptCount,
			kept: erasure.kept.map(({ until, ...kept }) => ({ ...kept, until: formatTime(until) })),
			recheckAt: formatTime(erasure.recheckAt),
		},
		holdId,
		optOutId,
		certificates,
		exports: request.exports.map(withTime),
		log: request.log.map(withTime),
		closed: closed && withTime(closed),
		eraseBy: formatTime(request.eraseBy),
		links: { self: `/v1/subject-requests/${request._id}` },
	} satisfies z.input<typeof requestSchemas.request>;
}

function withTime<T extends { at: number }>(event: T): Omit<T, "at"> & { at: string } {
	return { ...event, at: formatTime(event.at) };
}
