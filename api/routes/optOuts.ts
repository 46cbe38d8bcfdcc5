// /v1/opt-outs: what recipients no longer want. Numbers come in bodies only; no answer holds one.

import { z } from "zod";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { blockOf, type OptOutRecord, standingOf } from "../../domain/subject.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { createOptOuts, type OptOutsDeps } from "../optOuts.ts";
import type { Principal } from "../plugins/auth.ts";
import { readPast } from "../readPast.ts";
import { readRecipient } from "../recipient.ts";
import { routeAccess } from "../roles.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { createSubjects, type Subject } from "../subjects.ts";
import { createTenants, type TenantsDeps } from "../tenants.ts";
import { viewOptOut } from "../view.ts";

type Deps = OptOutsDeps &
	TenantsDeps & { store: { subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "page" | "findBySubjects"> } };

const tags = ["opt-outs"];
const params = z.strictObject({ id: z.string() });
const searchers: readonly string[] = routeAccess["POST /v1/opt-outs/search"]?.roles ?? [];

export function addOptOuts(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	addRecording(app, deps, subjects);
	addLifting(app, deps);

	app.post(
		"/opt-outs/search",
		{
			config: { secretAnswer: true, act: "searched", requestsPerMinuteMax: limits.searchesPerMinuteMax },
			schema: {
				operationId: "searchOptOuts",
				summary: "What opt-outs block of a number, and all that are on record of it",
				tags,
				body: schemas.numberSearch,
				response: { 200: schemas.optedOut.describe("What there is"), ...problems },
			},
		},
		async (request) => {
			const { number } = readRecipient(request.body.number, "/number");
			return viewOptedOut(subjects, await subjects.identify(request.principal.tenantId, number));
		},
	);

	app.get(
		"/opt-outs",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listOptOuts",
				summary: "List opt-outs, newest first, without numbers",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: schemas.optOutPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("optOut", cursor);
			const found = await deps.store.subjectRecords.page(request.principal.tenantId, "opt_out", limit + 1, place);
			const page = toPage(found, limit, ({ recordedAt, _id }) => ({ at: recordedAt, id: _id }));
			return { ...page, items: page.items.map(viewOptOut) };
		},
	);
}

function addRecording(app: Instance, deps: Deps, subjects: ReturnType<typeof createSubjects>): void {
	const { readTenant } = createTenants(deps);
	const { place } = createOptOuts(deps);
	app.post(
		"/opt-outs",
		{
			schema: {
				operationId: "recordOptOut",
				summary: "Record that a recipient has opted out; in force at once",
				description:
					"A repeat, a narrower scope and `none` change nothing: only a fresh opt-in lifts an opt-out. Whoever may not " +
					"search is answered 200 and what they said, whatever was on record of the number.",
				tags,
				body: schemas.optOutInput,
				response: {
					200: schemas.recordedOptOut.describe("In force"),
					201: schemas.recordedOptOut.describe("Recorded, and new: told to those who may search"),
					...problems,
				},
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const recipient = readRecipient(body.number, "/number");
			const at = readPast(body.at, deps.clock(), "/at");
			const tenant = await readTenant(principal);
			const { scope, source } = body;
			if (scope === "none") return reply.code(200).send({ items: [] });
			const subject = await subjects.identify(tenant._id, recipient.number);
			const recordedBy = principal.id;
			const { record, placed } = await place({ tenant, recipient, subject, scope, source, at, recordedBy });
			// Not even whether there was one, by status or by record: a search is limited, entered, and for other roles.
			if (!principal.roles.some((role) => searchers.includes(role))) {
				return reply.code(200).send({ optedOut: scope, items: [] });
			}
			// Nor to those who may, what another recorded: they search for that.
			const told =
				record.recordedBy === recordedBy
					? { optedOut: record.scope, items: [viewOptOut(record)] }
					: { optedOut: scope, items: [] };
			return reply.code(placed ? 201 : 200).send(told);
		},
	);
}

function addLifting(app: Instance, deps: Deps): void {
	const { lift } = createOptOuts(deps);
	const read = async (principal: Principal, id: string): Promise<OptOutRecord> => {
		const record = await deps.store.subjectRecords.find(id);
		if (record?.kind !== "opt_out" || record.tenantId !== principal.tenantId) throw new LetheError("not_found");
		return record;
	};
	app.post(
		"/opt-outs/:id/lift",
		{
			schema: {
				operationId: "liftOptOut",
				summary: "Lift an opt-out for an opt-in that the recipient gave after it",
				tags,
				params,
				body: schemas.liftInput,
				response: { 200: schemas.optOut.describe("Lifted; what was lifted before stays as it was"), ...problems },
			},
		},
		async (request) => {
			const { principal, body } = request;
			const record = await read(principal, request.params.id);
			const at = Date.parse(body.obtainedAt);
			await lift(record, { at, recordedBy: principal.id, source: "api", evidence: body.evidence });
			return viewOptOut(await read(principal, record._id));
		},
	);
}

async function viewOptedOut(subjects: ReturnType<typeof createSubjects>, subject: Subject) {
	const records = await subjects.records(subject);
	const own = records.filter((record) => record.kind === "opt_out" && record.tenantId === subject.tenantId);
	return {
		optedOut: blockOf(standingOf(records, subject.tenantId)),
		items: (own as OptOutRecord[]).sort((a, b) => b.recordedAt - a.recordedAt).map(viewOptOut),
	};
}
