// The steps of a subject's request: acknowledge, identity, decide, extend, close. Each is in the evidence log before it counts.

import { z } from "zod";
import type { StoredRequest } from "../../../adapters/mongo/subjectRequests.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { ActType } from "../../../domain/evidence.ts";
import { limits } from "../../../domain/limits.ts";
import { type By, requestSteps } from "../../../domain/requestSteps.ts";
import type { HoldRecord } from "../../../domain/subject.ts";
import type { SubjectRequest } from "../../../domain/subjectRequest.ts";
import { addDuration } from "../../../policies/cohorts.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { createOptOuts, type OptOutsDeps } from "../../optOuts.ts";
import type { Principal } from "../../plugins/auth.ts";
import { actOf } from "../../plugins/evidence.ts";
import { problems } from "../../schemas.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";
import { requestSchemas } from "./schemas.ts";
import { viewRequest } from "./view.ts";

export type StepsDeps = OptOutsDeps &
	TenantsDeps &
	Pick<ApiDeps, "policies" | "runs"> & {
		store: {
			subjectRequests: Pick<ApiDeps["store"]["subjectRequests"], "findForTenant" | "change">;
			subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "hold">;
		};
	};

type Step<Body> = {
	name: string;
	act: ActType;
	summary: string;
	description: string;
	body: z.ZodType<Body>;
	/** The request as the step leaves it; called again after a lost race. */
	apply: (request: SubjectRequest, body: Body, by: By) => SubjectRequest;
	/** What else the step does, once it is known to be possible and before it counts. */
	before?: (request: StoredRequest, body: Body, principal: Principal) => Promise<Partial<SubjectRequest>>;
};

export function addRequestSteps(app: Instance, deps: StepsDeps): void {
	const honour = createHonour(deps);
	addStep(app, deps, {
		name: "acknowledge",
		act: "request_acknowledged",
		summary: "The requester was told that the request has come",
		description: "Once; a repeat changes nothing.",
		body: z.strictObject({}).nullish() as z.ZodType<object | null | undefined>,
		apply: (request, _body, by) => requestSteps.acknowledge(request, by),
	});
	addStep(app, deps, {
		name: "identity",
		act: "request_identified",
		summary: "Who asks was checked, and for which time the number was theirs",
		description:
			"Control of a number is not identity: numbers are recycled. Only messages accepted within that time are exported or erased. Confirmed, an erasure or restriction begins at once.",
		body: requestSchemas.identity,
		apply: (request, { ownedFrom, ownedUntil, ...body }, by) => {
			const until = ownedUntil === undefined ? {} : { ownedUntil: Date.parse(ownedUntil) };
			return requestSteps.identify(request, { ...body, ownedFrom: Date.parse(ownedFrom), ...until }, by);
		},
		before: async (request, body, principal) => (body.confirmed ? honour(request, principal) : {}),
	});
	addStep(app, deps, {
		name: "decide",
		act: "request_decided",
		summary: "Decide a task that only a person can",
		description:
			"A conflict or what no law grants: erase or keep. A correction: done or refuse. A hold is not decided, but released.",
		body: requestSchemas.decide,
		apply: (request, { task, verdict, ground }, by) => requestSteps.decide(request, task, verdict, ground, by),
	});
	addStep(app, deps, {
		name: "extend",
		act: "request_extended",
		summary: "Extend the time to answer, within what the law permits",
		description:
			"Once. Of no effect unless the person was told, and why, before the first time was over (GDPR Art. 12(3): within a month): tell them first, then say when.",
		body: requestSchemas.extend,
		apply: (request, { toldAt, ...body }, by) =>
			requestSteps.extend(request, { ...body, toldAt: Date.parse(toldAt) }, by),
	});
	addStep(app, deps, {
		name: "close",
		act: "request_closed",
		summary: "The request was answered, or withdrawn",
		description:
			"Granted or partly granted, it goes on with what a hold keeps: that is erased when it is released, and certified then. Refused or withdrawn, it erases nothing more.",
		body: requestSchemas.close,
		apply: (request, body, by) => requestSteps.close(request, { ...body, eraseBy: eraseBy(deps, request, by.at) }, by),
	});
}

function addStep<Body>(app: Instance, deps: StepsDeps, step: Step<Body>): void {
	app.post(
		`/subject-requests/:id/${step.name}`,
		{
			schema: {
				operationId: `${step.name}SubjectRequest`,
				summary: step.summary,
				description: step.description,
				tags: ["subject-requests"],
				params: z.strictObject({ id: z.string() }),
				body: step.body,
				response: { 200: requestSchemas.request.describe("As it is now"), ...problems },
			},
		},
		async (request) => {
			const { principal } = request;
			const body = request.body as Body;
			const { subjectRequests } = deps.store;
			const found = await subjectRequests.findForTenant(principal.tenantId, request.params.id);
			if (!found) throw new LetheError("not_found");
			const by = { id: principal.id, at: deps.clock() };
			// Refused here, nothing was done and nothing is entered.
			step.apply(found, body, by);
			await deps.evidence.append([actOf(principal, step.act, { about: found._id })]);
			const done = (await step.before?.(found, body, principal)) ?? {};
			const changed = await subjectRequests.change(found._id, (current) => ({
				...step.apply(current, body, by),
				...done,
			}));
			if (!changed) throw new LetheError("not_found");
			deps.runs.wakeRequestSoon({ requestId: changed._id, tenantId: changed.tenantId });
			return viewRequest(changed);
		},
	);
}

/** What a confirmed request has done before anything else: an erasure blocks sending, and a restriction suspends it. */
function createHonour(deps: StepsDeps) {
	const { readTenant } = createTenants(deps);
	const { place } = createOptOuts(deps);

	async function block(request: StoredRequest, principal: Principal): Promise<Partial<SubjectRequest>> {
		const { scope, subjects, facts, receivedAt: at } = request;
		const [mac] = subjects;
		if (!scope || mac === undefined) return {};
		const tenant = await readTenant(principal);
		const subject = { tenantId: tenant._id, pseudonym: { version: 0, mac }, macs: subjects };
		const { recipientCountry, recipientRegion: region, timezone } = facts;
		const recipient = { country: recipientCountry, region, timezone } as Parameters<typeof place>[0]["recipient"];
		const { record } = await place({ tenant, recipient, subject, scope, source: "api", at, recordedBy: principal.id });
		return { optOutId: record._id };
	}

	/** A restriction is a hold: it keeps, and permits no use, GDPR Art. 18(2). Its id is the request's: once. */
	async function restrict(request: StoredRequest, principal: Principal): Promise<Partial<SubjectRequest>> {
		const now = deps.clock();
		const record: HoldRecord = {
			_id: deps.ids.derive("hold", request._id),
			kind: "hold",
			tenantId: request.tenantId,
			subjects: request.subjects,
			scope: "subject",
			ground: "restriction",
			at: now,
			recordedAt: now,
			recordedBy: principal.id,
			nextCheckAt: now + limits.driverPatienceMs,
		};
		await deps.evidence.append([actOf(principal, "hold_placed", { about: record._id, code: record.ground })]);
		await deps.store.subjectRecords.insert(record);
		await deps.store.subjectMessages.hold(record);
		return { holdId: record._id };
	}

	return async (request: StoredRequest, principal: Principal): Promise<Partial<SubjectRequest>> => {
		if (request.kind === "erasure") return block(request, principal);
		return request.kind === "restriction" ? restrict(request, principal) : {};
	};
}

/** When the record of a request must go: after what the packs keep it for, and never after their maximum. */
function eraseBy(deps: Pick<StepsDeps, "policies">, { facts }: SubjectRequest, now: number): number {
	const { min, max, keep } = deps.policies.retentionPlan({
		...facts,
		context: { ...facts.context, evaluatedAt: new Date(now).toISOString() },
	}).subject_request;
	const wanted = Math.max(addDuration(now, min), addDuration(now, keep ?? min));
	return max === null ? wanted : Math.min(wanted, addDuration(now, max));
}
