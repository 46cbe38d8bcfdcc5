// /v1/holds: what must not be erased: a message, all that concerns a recipient, a period, all of a tenant.

import { z } from "zod";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { rolesInForce } from "../../domain/person.ts";
import type { Role } from "../../domain/roles.ts";
import { type HoldRecord, isWide } from "../../domain/subject.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import type { Principal } from "../plugins/auth.ts";
import { actOf } from "../plugins/evidence.ts";
import { findEarlier } from "../plugins/idempotency.ts";
import { readRecipient } from "../recipient.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { createSubjectRetention, factsAbout } from "../subjectRetention.ts";
import { createSubjects, type SubjectsDeps } from "../subjects.ts";
import { createTenants, type TenantsDeps } from "../tenants.ts";
import { viewHold } from "../view.ts";

type Deps = Pick<ApiDeps, "clock" | "policies" | "evidence"> &
	SubjectsDeps &
	TenantsDeps & {
		store: {
			messages: Pick<ApiDeps["store"]["messages"], "findForTenant">;
			subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "hold" | "release">;
			wideHolds: Pick<ApiDeps["store"]["wideHolds"], "apply">;
			cohorts: Pick<ApiDeps["store"]["cohorts"], "endHold">;
			people: Pick<ApiDeps["store"]["people"], "find">;
			subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "end" | "find" | "insert" | "page">;
		};
	};
type HoldInput = z.output<typeof schemas.holdInput>;

const tags = ["holds"];
const periodError = { pointer: "/to", detail: "Before the period begins." };
const approving: readonly Role[] = ["approver", "compliance", "admin"];
const approverError = {
	pointer: "/approvedBy",
	detail: "Not a person of the tenant with the role approver, compliance or admin.",
};
const params = z.strictObject({ id: z.string() });

export function addHolds(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	addList(app, deps);
	addRelease(app, deps);

	async function concerned(
		{ tenantId }: Principal,
		input: HoldInput,
	): Promise<Pick<HoldRecord, "subjects" | "messageId" | "from" | "to">> {
		if (input.scope === "tenant") return { subjects: [tenantId] };
		if (input.scope === "period") {
			const [from, to] = [Date.parse(input.from), Date.parse(input.to ?? "")];
			if (to < from) throw new LetheError("invalid_request", { errors: [periodError] });
			return { subjects: [tenantId], from, ...(input.to === undefined ? {} : { to }) };
		}
		if (input.scope === "message") {
			const message = await deps.store.messages.findForTenant(tenantId, input.messageId);
			if (!message) throw new LetheError("not_found");
			if (message.holds.length >= limits.holdsPerMessageMax) throw new LetheError("too_many_records");
			return { subjects: [], messageId: message._id };
		}
		const subject = await subjects.identify(tenantId, readRecipient(input.number, "/number").number);
		// However much is on record of them: what a court wants kept is not refused for lack of room.
		return { subjects: subject.macs };
	}

	app.post(
		"/holds",
		{
			schema: {
				operationId: "placeHold",
				summary: "Place a legal hold on a message, a recipient, a period or all of the tenant",
				description:
					"What is held is not erased. A held message, and all to a held recipient, those to come included, is not sent " +
					"either; a hold on a period or on all of the tenant permits that. It needs an approver and a date of review.",
				tags,
				body: schemas.holdInput,
				response: { 201: schemas.hold.describe("Placed"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			if (body.approvedBy === principal.id) throw new LetheError("self_approval");
			const _id = request.newId("hold");
			const standing = await findEarlier(request, () => deps.store.subjectRecords.find(_id));
			const record = standing?.kind === "hold" ? standing : await place(principal, body, _id);
			// Released meanwhile, it is put on nothing more.
			if (record.ended) return reply.code(201).send(viewHold(record));
			if (isWide(record)) await deps.store.wideHolds.apply(record, deps.clock());
			else await deps.store.subjectMessages.hold(record);
			return reply.code(201).send(viewHold(record));
		},
	);

	async function place(principal: Principal, body: HoldInput, _id: string): Promise<HoldRecord> {
		if (body.approvedBy !== undefined) await requirePerson(deps, principal, body.approvedBy);
		const now = deps.clock();
		const record = withoutUndefined<HoldRecord>({
			_id,
			kind: "hold",
			tenantId: principal.tenantId,
			...(await concerned(principal, body)),
			scope: body.scope,
			ground: body.ground,
			reason: body.reason,
			approvedBy: body.approvedBy,
			...(body.reviewAt === undefined ? {} : { reviewAt: Date.parse(body.reviewAt) }),
			at: now,
			recordedAt: now,
			recordedBy: principal.id,
			// Applied once more, for messages that were being accepted meanwhile.
			nextCheckAt: now + limits.driverPatienceMs,
		});
		await deps.evidence.append([actOf(principal, "hold_placed", { about: _id, code: record.scope })]);
		// The record first: from then on every message that is about to be sent sees it.
		await deps.store.subjectRecords.insert(record);
		return record;
	}
}

/** That somebody of the tenant's could have approved it: another name proves nothing later. */
async function requirePerson({ store }: Deps, { tenantId }: Principal, id: string): Promise<void> {
	const person = await store.people.find(id);
	const isTheirs = person?.tenantId === tenantId && person.endedAt === undefined;
	if (person && isTheirs && rolesInForce(person).some((role) => approving.includes(role))) return;
	throw new LetheError("invalid_request", { errors: [approverError] });
}

function addList(app: Instance, deps: Deps): void {
	app.get(
		"/holds",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listHolds",
				summary: "List holds, newest first, without numbers",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: schemas.holdPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("hold", cursor);
			const found = await deps.store.subjectRecords.page(request.principal.tenantId, "hold", limit + 1, place);
			const page = toPage(found, limit, ({ recordedAt, _id }) => ({ at: recordedAt, id: _id }));
			return { ...page, items: page.items.map(viewHold) };
		},
	);
}

function addRelease(app: Instance, deps: Deps): void {
	const { readTenant } = createTenants(deps);
	const retention = createSubjectRetention(deps);
	const read = async (principal: Principal, id: string): Promise<HoldRecord> => {
		const record = await deps.store.subjectRecords.find(id);
		if (record?.kind !== "hold" || record.tenantId !== principal.tenantId) throw new LetheError("not_found");
		return record;
	};
	app.post(
		"/holds/:id/release",
		{
			schema: {
				operationId: "releaseHold",
				summary: "Release a hold; what it kept beyond its time is erased soon",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: schemas.hold.describe("Released, now or before"), ...problems },
			},
		},
		async (request) => {
			const { principal } = request;
			const record = await read(principal, request.params.id);
			const tenant = await readTenant(principal);
			const now = deps.clock();
			const eraseBy = retention.eraseBy("decision_record", factsAbout(tenant, {}, now), now);
			const ended = { at: now, recordedAt: now, recordedBy: principal.id, source: "api" as const };
			const nextCheckAt = now + limits.driverPatienceMs;
			await deps.evidence.append([actOf(principal, "hold_released", { about: record._id })]);
			await deps.store.subjectRecords.end(record._id, ended, {
				nextCheckAt,
				...(eraseBy === undefined ? {} : { eraseBy }),
				// What is accepted from now on does not bear it any more.
				...(isWide(record) ? { subjects: [] } : {}),
			});
			const released = await read(principal, record._id);
			// What is not taken off now the sweep takes off soon.
			if (isWide(record)) await deps.store.wideHolds.apply(released, now);
			else await deps.store.subjectMessages.release(record, now);
			await deps.store.cohorts.endHold(record._id, now);
			return viewHold(await read(principal, record._id));
		},
	);
}
