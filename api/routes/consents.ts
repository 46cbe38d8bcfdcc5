// /v1/consents: who agreed to what, when, to which wording, and where the proof is. Nothing of it is ever overwritten.

import { z } from "zod";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import type { Facts } from "../../domain/decision.ts";
import { LetheError } from "../../domain/errors.ts";
import { formatTime } from "../../domain/formatTime.ts";
import { limits } from "../../domain/limits.ts";
import { categories } from "../../domain/message.ts";
import { blockOf, type ConsentRecord } from "../../domain/subject.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { optedInAt, purposesInEffect, withStanding } from "../../policies/standing.ts";
import { createSubjectRetention, endOfProof, factsAbout, whereaboutsOf } from "../../policies/subjectRetention.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import type { Principal } from "../plugins/auth.ts";
import { actOf } from "../plugins/evidence.ts";
import { findEarlier } from "../plugins/idempotency.ts";
import { readPast } from "../readPast.ts";
import { type Recipient, readRecipient } from "../recipient.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { createSubjects, type SubjectsDeps } from "../subjects.ts";
import { createTenants, type TenantsDeps } from "../tenants.ts";
import { viewConsent } from "../view.ts";

type Deps = Pick<ApiDeps, "clock" | "policies" | "evidence"> &
	SubjectsDeps &
	TenantsDeps & {
		store: {
			subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "end" | "find" | "findBySubjects" | "insert" | "page">;
		};
	};

const tags = ["consents"];
const params = z.strictObject({ id: z.string() });

export function addConsents(app: Instance, deps: Deps): void {
	const subjects = createSubjects(deps);
	const { readTenant } = createTenants(deps);
	addSearch(app, deps, subjects);
	addList(app, deps);
	addWithdrawal(app, deps);

	app.post(
		"/consents",
		{
			schema: {
				operationId: "recordConsent",
				summary: "Record a recipient's consent with its proof",
				description: "It serves every message to the number that states no consent of its own.",
				tags,
				body: schemas.consentInput,
				response: { 201: schemas.consent.describe("Recorded"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const _id = request.newId("consent");
			const standing = await findEarlier(request, () => deps.store.subjectRecords.find(_id));
			if (standing?.kind === "consent") return reply.code(201).send(viewConsent(standing));
			const recipient = readRecipient(body.number, "/number");
			const at = readPast(body.obtainedAt, deps.clock(), "/obtainedAt");
			const tenant = await readTenant(principal);
			const subject = await subjects.identify(tenant._id, recipient.number);
			const records = await subjects.records(subject);
			if (records.length >= limits.recordsPerSubjectMax) throw new LetheError("too_many_records");
			const { number: _, obtainedAt: __, ...stated } = body;
			const record = withoutUndefined<ConsentRecord>({
				_id,
				kind: "consent",
				tenantId: tenant._id,
				subjects: subject.macs,
				at,
				recordedBy: principal.id,
				...stated,
				...keeping(deps, tenant, recipient),
			});
			await deps.evidence.append([actOf(principal, "consent_recorded", { about: record._id })]);
			await deps.store.subjectRecords.insert(record);
			return reply.code(201).send(viewConsent(record));
		},
	);
}

function keeping(deps: Deps, tenant: TenantDocument, recipient: Recipient) {
	const now = deps.clock();
	const retention = createSubjectRetention(deps);
	const facts = factsAbout(tenant, recipient, now);
	const { eraseBy, keptAfterEnd } = retention.ofConsent(facts, now);
	const kept = { recipient: whereaboutsOf(recipient), recordedAt: now, keptAfterEnd };
	return { ...kept, ...(eraseBy === undefined ? {} : { eraseBy, nextCheckAt: eraseBy }) };
}

function addWithdrawal(app: Instance, deps: Deps): void {
	const read = async (principal: Principal, id: string): Promise<ConsentRecord> => {
		const record = await deps.store.subjectRecords.find(id);
		if (record?.kind !== "consent" || record.tenantId !== principal.tenantId) throw new LetheError("not_found");
		return record;
	};
	app.get(
		"/consents/:id",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getConsent",
				summary: "Read a consent",
				tags,
				params,
				response: { 200: schemas.consent.describe("The consent"), ...problems },
			},
		},
		async (request) => viewConsent(await read(request.principal, request.params.id)),
	);
	app.post(
		"/consents/:id/withdraw",
		{
			schema: {
				operationId: "withdrawConsent",
				summary: "Record that a consent was withdrawn; it reaches messages that wait",
				description: "It reaches every consent to the same purposes that was given before. The record stays.",
				tags,
				params,
				body: schemas.withdrawalInput.nullish(),
				response: { 200: schemas.consent.describe("Withdrawn, now or before"), ...problems },
			},
		},
		async (request) => {
			const { principal } = request;
			const body = request.body ?? {};
			const record = await read(principal, request.params.id);
			const now = deps.clock();
			const at = readPast(body.withdrawnAt, now, "/withdrawnAt");
			const ended = withoutUndefined({
				at: Math.max(at, record.at),
				recordedAt: now,
				recordedBy: principal.id,
				source: "api" as const,
				evidence: body.evidence,
			});
			const eraseBy = endOfProof(ended, record);
			await deps.evidence.append([actOf(principal, "consent_withdrawn", { about: record._id })]);
			await deps.store.subjectRecords.end(record._id, ended, { eraseBy, nextCheckAt: eraseBy });
			// Whoever may end it need not know more of its recipient.
			const { country: _, region: __, ...view } = viewConsent(await read(principal, record._id));
			return view;
		},
	);
}

function addSearch(app: Instance, deps: Deps, subjects: ReturnType<typeof createSubjects>): void {
	const { readTenant } = createTenants(deps);

	/** Whether a pack where the recipient is has it end some time after it was given, and that time is over. */
	function isOver(about: Facts, record: ConsentRecord, purpose: string): boolean {
		const category = categories.find((one) => one === purpose);
		if (category === undefined) return false;
		const alone = { consents: [record], holds: [], keys: [], keeps: [] };
		return deps.policies.evaluate(withStanding({ ...about, category }, alone)).reasons.includes("CONSENT_EXPIRED");
	}

	app.post(
		"/consents/search",
		{
			config: { secretAnswer: true, act: "searched", requestsPerMinuteMax: limits.searchesPerMinuteMax },
			schema: {
				operationId: "searchConsents",
				summary: "All consents on record of a number, and what each still counts for",
				tags,
				body: schemas.numberSearch,
				response: { 200: schemas.consentsFound.describe("All there are"), ...problems },
			},
		},
		async (request) => {
			const recipient = readRecipient(request.body.number, "/number");
			const tenant = await readTenant(request.principal);
			const about = factsAbout(tenant, recipient, deps.clock());
			const standing = await subjects.standing(await subjects.identify(tenant._id, recipient.number));
			const items = standing.consents
				.toSorted((a, b) => b.at - a.at)
				.map((record) => ({
					...viewConsent(record),
					inEffectFor: purposesInEffect(record, standing).filter((purpose) => !isOver(about, record, purpose)),
				}));
			return { items, optedInAt: formatTime(optedInAt(standing)), optedOut: blockOf(standing) };
		},
	);
}

function addList(app: Instance, deps: Pick<Deps, "store">): void {
	app.get(
		"/consents",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listConsents",
				summary: "List consents, newest first, without numbers",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: schemas.consentPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("consent", cursor);
			const found = await deps.store.subjectRecords.page(request.principal.tenantId, "consent", limit + 1, place);
			const page = toPage(found, limit, ({ recordedAt, _id }) => ({ at: recordedAt, id: _id }));
			return { ...page, items: page.items.map(viewConsent) };
		},
	);
}
