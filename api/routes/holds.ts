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
import { createEndHold, type EndHoldDeps } from "../endHold.ts";
import type { Instance } from "../instance.ts";
import type { Principal } from "../plugins/auth.ts";
import { actOf } from "../plugins/evidence.ts";
import { findEarlier } from "../plugins/idempotency.ts";
import { readRecipient } from "../recipient.ts";
import { refusePast } from "../refusePast.ts";
import { refuseReversed } from "../refuseReversed.ts";
import { holdApprovers } from "../roles.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { type StandsBehindDeps, standsBehind } from "../standsBehind.ts";
import { createSubjects, type SubjectsDeps } from "../subjects.ts";
import { viewHold } from "../view.ts";

type Deps = SubjectsDeps &
	EndHoldDeps &
	StandsBehindDeps & {
		store: {
			messages: Pick<ApiDeps["store"]["messages"], "findForTenant">;
			subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "hold">;
			people: Pick<ApiDeps["store"]["people"], "find">;
			subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "approve" | "insert" | "page">;
		};
	};
type HoldInput = z.output<typeof schemas.holdInput>;

const tags = ["holds"];
const approverError = {
	pointer: "/approvedBy",
	detail: "Not a person of the tenant with the role approver, compliance or admin.",
};
const params = z.strictObject({ id: z.string() });
const holders: readonly Role[] = holdApprovers;

export function addHolds(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	addList(app, deps);
	addRelease(app, deps);
	addApproval(app, deps);

	async function concerned(
		{ tenantId }: Principal,
		input: HoldInput,
	): Promise<Pick<HoldRecord, "subjects" | "messageId" | "from" | "to">> {
		if (input.scope === "tenant") return { subjects: [tenantId] };
		if (input.scope === "period") {
			refuseReversed(input, "");
			const [from, to] = [Date.parse(input.from), Date.parse(input.to ?? "")];
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
					"either; a hold on a period or on all of the tenant permits that. It needs a date of review, and names who approves " +
					"it: it is in force at once, and waits for their yes or no.",
				tags,
				body: schemas.holdInput,
				response: { 201: schemas.hold.describe("Placed"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
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
		await refuseUnfit(deps, principal, body);
		const now = deps.clock();
		const record = withoutUndefined<HoldRecord>({
			_id,
			kind: "hold",
			tenantId: principal.tenantId,
			...(await concerned(principal, body)),
			scope: body.scope,
			ground: body.ground,
			reason: body.reason,
			...(body.approvedBy === undefined ? {} : { approvedBy: body.approvedBy, awaits: principal.tenantId }),
			...(body.reviewAt === undefined ? {} : { reviewAt: Date.parse(body.reviewAt) }),
			at: now,
			recordedAt: now,
			recordedBy: principal.id,
			// Applied again, soon and later, for messages that were being accepted meanwhile.
			nextCheckAt: now + limits.driverPatienceMs,
		});
		await deps.evidence.append([actOf(principal, "hold_placed", { about: _id, code: record.scope })]);
		// The record first: from then on every message that is about to be sent sees it.
		await deps.store.subjectRecords.insert(record);
		return record;
	}
}

/** A review is to come, and who approves it can. */
async function refuseUnfit(deps: Deps, principal: Principal, { reviewAt, approvedBy }: HoldInput): Promise<void> {
	refusePast(deps, "/reviewAt", reviewAt);
	if (approvedBy !== undefined) await requireApprover(deps, principal, approvedBy);
}

/** Somebody else of the tenant's, who may approve it: of anybody else it would wait for ever. */
async function requireApprover(deps: Deps, { id: placedBy, tenantId }: Principal, id: string): Promise<void> {
	if (await standsBehind(deps, id, placedBy)) throw new LetheError("self_approval");
	const person = await deps.store.people.find(id);
	const isTheirs = person?.tenantId === tenantId && person.endedAt === undefined;
	if (person && isTheirs && rolesInForce(person).some((role) => holders.includes(role))) return;
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
	const { read, end } = createEndHold(deps);
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
		async ({ principal, params: { id } }) => viewHold(await end(principal, await read(principal, id), "api")),
	);
}

/** What whoever placed it says of its approver is their word only: it is the approver's own act that counts. */
function addApproval(app: Instance, deps: Deps): void {
	const { read, end } = createEndHold(deps);

	/** The hold, where it waits for this person. @throws LetheError other_approver; self_approval; hold_settled */
	async function readAwaiting({ principal, params: { id } }: { principal: Principal; params: { id: string } }) {
		const record = await read(principal, id);
		if (record.approvedBy === undefined) throw new LetheError("hold_settled");
		if (record.approvedBy !== principal.id) throw new LetheError("other_approver");
		if (await standsBehind(deps, principal.id, record.recordedBy)) throw new LetheError("self_approval");
		return record;
	}

	app.post(
		"/holds/:id/approve",
		{
			schema: {
				operationId: "approveHold",
				summary: "Approve a hold that names you as its approver",
				description: "Needs a person who has just signed in with MFA: no key may approve, and nobody their own.",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: schemas.hold.describe("Approved, now or before"), ...problems },
			},
		},
		async (request) => {
			const { principal } = request;
			const record = await readAwaiting(request);
			if (record.approvedAt !== undefined && !record.ended) return viewHold(record);
			if (record.awaits === undefined) throw new LetheError("hold_settled");
			await deps.evidence.append([actOf(principal, "hold_approved", { about: record._id })]);
			if (!(await deps.store.subjectRecords.approve(record._id, deps.clock()))) throw new LetheError("hold_settled");
			return viewHold(await read(principal, record._id));
		},
	);
	app.post(
		"/holds/:id/reject",
		{
			schema: {
				operationId: "rejectHold",
				summary: "Reject a hold that names you as its approver: it ends as by a release",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: schemas.hold.describe("Rejected, now or before"), ...problems },
			},
		},
		async (request) => {
			const record = await readAwaiting(request);
			if (record.awaits === undefined && record.ended?.source !== "rejected") throw new LetheError("hold_settled");
			return viewHold(await end(request.principal, record, "rejected"));
		},
	);
}
