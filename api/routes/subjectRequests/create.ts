// POST /v1/subject-requests: a request is recorded under pseudonyms, its clocks start, and what may be honoured at once is.

import type { z } from "zod";
import type { TenantDocument } from "../../../adapters/mongo/models.ts";
import type { Facts, PolicyEvent } from "../../../domain/decision.ts";
import type { RequestKind, SubjectRequest } from "../../../domain/subjectRequest.ts";
import { withoutUndefined } from "../../../domain/withoutUndefined.ts";
import { factsAbout } from "../../../policies/subjectRetention.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { createOptOuts, type OptOutsDeps } from "../../optOuts.ts";
import { actOf } from "../../plugins/evidence.ts";
import { findEarlier } from "../../plugins/idempotency.ts";
import { readPast } from "../../readPast.ts";
import { type Recipient, readRecipient } from "../../recipient.ts";
import { refuseRegion } from "../../refuseRegion.ts";
import { problems } from "../../schemas.ts";
import { createSubjects } from "../../subjects.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";
import { requestSchemas } from "./schemas.ts";
import { viewRequest } from "./view.ts";

type Deps = OptOutsDeps &
	TenantsDeps &
	Pick<ApiDeps, "policies" | "runs"> & {
		store: { subjectRequests: Pick<ApiDeps["store"]["subjectRequests"], "find" | "insert"> };
	};
type Input = z.output<typeof requestSchemas.create>;

export function addCreateRequest(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	const { readTenant } = createTenants(deps);
	const { place } = createOptOuts(deps);

	app.post(
		"/subject-requests",
		{
			schema: {
				operationId: "recordSubjectRequest",
				summary: "Record what a person asks for; the law's clocks start",
				description:
					"The number is kept as keyed hashes only. An objection is honoured at once; everything else begins once the requester's identity is confirmed. What no law grants is recorded too: the refusal has its deadline.",
				tags: ["subject-requests"],
				body: requestSchemas.create,
				response: { 201: requestSchemas.request.describe("Recorded"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const _id = request.newId("subjectRequest");
			const standing = await findEarlier(request, () => deps.store.subjectRequests.find(_id));
			if (standing) return reply.code(201).send(viewRequest(standing));
			const recipient = readRecipient(body.number, "/number");
			refuseRegion(body.recipientRegion, recipient);
			const now = deps.clock();
			const receivedAt = readPast(body.receivedAt, now, "/receivedAt");
			const tenant = await readTenant(principal);
			const subject = await subjects.identify(tenant._id, recipient.number);
			const facts = toFacts(body, tenant, recipient, { now, receivedAt });
			const recorded = toRequest(deps, body, facts, { now, receivedAt });
			await deps.evidence.append([actOf(principal, "request_recorded", { about: _id, code: body.kind })]);
			const { scope } = recorded;
			// Nobody's identity is asked for an objection, 11 CCR 7026(d): it is not acted on too late either.
			const optOut =
				body.kind === "objection" && scope
					? await place({ tenant, recipient, subject, scope, source: "api", at: receivedAt, recordedBy: principal.id })
					: undefined;
			const document: SubjectRequest = {
				...recorded,
				_id,
				tenantId: tenant._id,
				subjects: subject.macs,
				recordedBy: principal.id,
				...(optOut ? { optOutId: optOut.record._id } : {}),
				log: [{ at: now, type: "recorded", by: principal.id }],
			};
			await deps.store.subjectRequests.insert(document);
			deps.runs.wakeRequestSoon({ requestId: _id, tenantId: tenant._id });
			return reply.code(201).send(viewRequest(document));
		},
	);
}

function toRequest(deps: Deps, body: Input, facts: Facts, { now, receivedAt }: { now: number; receivedAt: number }) {
	const decision = deps.policies.evaluate(facts);
	const scopes: Partial<Record<RequestKind, Input["scope"]>> = { objection: "marketing", erasure: "all" };
	const asked = scopes[body.kind];
	return withoutUndefined({
		kind: body.kind,
		state: body.kind === "objection" ? ("ready" as const) : ("received" as const),
		receivedAt,
		recordedAt: now,
		channel: body.channel,
		reference: body.reference,
		scope: asked && (body.scope ?? asked),
		facts,
		decision,
		ackBy: decision.ackBy,
		respondBy: decision.respondBy,
		extendableTo: deps.policies.extendableTo(facts),
		tasks: [],
		alerts: [],
		certificates: [],
		exports: [],
		// Should the run that is started beside the answer be lost.
		nextCheckAt: now,
	});
}

// What is received and what is taken along are one right to the packs, with one clock.
const eventOf = {
	access: "access_request",
	portability: "access_request",
	correction: "correction_request",
	erasure: "erasure_request",
	restriction: "restriction_request",
	objection: "objection_request",
} as const satisfies Record<RequestKind, PolicyEvent>;

function toFacts(
	body: Input,
	tenant: TenantDocument,
	recipient: Recipient,
	{ now, receivedAt }: { now: number; receivedAt: number },
): Facts {
	const about = factsAbout(tenant, recipient, now);
	return withoutUndefined<Facts>({
		...about,
		recipientRegion: body.recipientRegion ?? about.recipientRegion,
		subjectResidence: body.subjectResidence,
		dataClasses: body.dataClasses,
		context: withoutUndefined({
			event: eventOf[body.kind],
			evaluatedAt: new Date(now).toISOString(),
			receivedAt: new Date(receivedAt).toISOString(),
			ground: body.ground,
			hipaaCoveredEntity: body.hipaaCoveredEntity,
		}),
	});
}
