// POST /v1/subject-requests/{id}/export: what is kept of a person, decrypted by a worker, sealed for this process, answered once.

import { z } from "zod";
import type { StoredRequest } from "../../../adapters/mongo/subjectRequests.ts";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { healthClasses } from "../../../domain/healthClasses.ts";
import { limits } from "../../../domain/limits.ts";
import type { SubjectRecord } from "../../../domain/subject.ts";
import { addDuration } from "../../../policies/cohorts.ts";
import { createCollectExport } from "../../collectExport.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { actOf } from "../../plugins/evidence.ts";
import { renderReport } from "../../report.ts";
import { problems } from "../../schemas.ts";
import { viewConsent, viewOptOut, viewRecipientKey } from "../../view.ts";
import { requestSchemas } from "./schemas.ts";

type Deps = Pick<ApiDeps, "clock" | "ids" | "evidence" | "exportSeal" | "runs"> & {
	store: Pick<ApiDeps["store"], "subjectRequests" | "subjectExports" | "subjectRecords" | "sendQueues">;
};
type Input = z.output<typeof requestSchemas.export>;

/** One message, as the worker reads it out. */
type Row = {
	dataClasses: string[];
	category: string;
	acceptedAt: string;
	/** Each handing over to a carrier: when, and by which send queue. */
	handedOver: { at: string; to: string }[];
} & Record<string, unknown>;

/** Of a report that is a page, the name under which it is saved. */
const titles = { data: "What is kept of you", disclosures: "Accounting of disclosures of health information" };

export function addExportRequest(app: Instance, deps: Deps): void {
	const collectExport = createCollectExport(deps);
	app.post(
		"/subject-requests/:id/export",
		{
			config: { secretAnswer: true, requestsPerMinuteMax: limits.exportsPerMinuteMax },
			schema: {
				operationId: "exportSubjectRequest",
				summary: "Export what is kept of the person, or the disclosures of their health data",
				description:
					"Refused before the identity check. It reaches back no further than the number was theirs. In the evidence log before it is answered; its answer is stored nowhere.",
				tags: ["subject-requests"],
				params: z.strictObject({ id: z.string() }),
				body: requestSchemas.export,
				response: {
					200: {
						description: "The report",
						content: { "application/json": { schema: z.looseObject({}) }, "text/html": { schema: z.string() } },
					},
					...problems,
				},
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const found = await deps.store.subjectRequests.findForTenant(principal.tenantId, request.params.id);
			if (!found) throw new LetheError("not_found");
			requireExportable(found, body);
			await deps.evidence.append([
				actOf(principal, "request_exported", { about: found._id, code: `${body.report}.${body.purpose}` }),
			]);
			const id = deps.ids.random("export");
			const { _id: requestId, tenantId } = found;
			const asked = { _id: id, tenantId, requestId, report: body.report };
			const rows = await collectExport<Row>(asked, () => deps.runs.wakeRequestSoon({ requestId, tenantId }));
			const report = await describe(deps, found, body, rows);
			await note(deps, found, { id, at: deps.clock(), by: principal.id, ...body });
			reply.header("cache-control", "no-store");
			const isPage = body.format === "html";
			const text = isPage ? renderReport(titles[body.report], report) : JSON.stringify(report);
			return reply.type(isPage ? "text/html; charset=utf-8" : "application/json; charset=utf-8").send(text as never);
		},
	);
}

function requireExportable({ identity, closed, state, kind, exports }: StoredRequest, { report }: Input): void {
	if (!identity?.confirmed) throw new LetheError("identity_unchecked");
	const isAsked = report === "disclosures" || kind === "access" || kind === "portability";
	if (closed) throw new LetheError("request_state", { extra: { state } });
	if (!isAsked) {
		const detail = "Only access and portability ask for it: record such a request of the person's.";
		throw new LetheError("request_state", { extra: { state }, errors: [{ pointer: "/report", detail }] });
	}
	if (exports.length >= limits.requestExportsMax) {
		const detail = `It was exported ${limits.requestExportsMax} times. Answer it, and record another where the person asks again.`;
		throw new LetheError("too_many_records", { errors: [{ pointer: "", detail }] });
	}
}

async function note(deps: Deps, request: StoredRequest, made: StoredRequest["exports"][number]): Promise<void> {
	const { id, at, by, format, report, purpose } = made;
	await deps.store.subjectRequests.change(request._id, (current) => ({
		...current,
		exports: [...current.exports, { id, at, by, format, report, purpose }],
		log: [...current.log, { at, type: "exported", by, code: report }],
	}));
}

async function describe(deps: Deps, request: StoredRequest, { report }: Input, rows: Row[]): Promise<object> {
	const carriers = new Map<string, string>();
	for (const queue of new Set(rows.flatMap(({ handedOver }) => handedOver.map(({ to }) => to)))) {
		carriers.set(queue, (await deps.store.sendQueues.find(queue))?.carrier ?? queue);
	}
	const messages = rows.map((row) => ({
		...row,
		handedOver: row.handedOver.map(({ at, to }) => ({ at, to: carriers.get(to) ?? to })),
	}));
	const { identity, _id: id, kind, receivedAt } = request;
	const common = { request: { id, kind, receivedAt: formatTime(receivedAt), madeAt: formatTime(deps.clock()) } };
	if (report === "disclosures") return { ...common, ...disclosures(messages, receivedAt) };
	const { ownedFrom = 0, ownedUntil } = identity ?? {};
	const records = await ownRecords(deps, request);
	return {
		...common,
		period: { from: formatTime(ownedFrom), until: ownedUntil === undefined ? "today" : formatTime(ownedUntil) },
		information: informationOf(messages),
		consents: records.flatMap((record) => (record.kind === "consent" ? viewConsent(record) : [])),
		optOuts: records.flatMap((record) => (record.kind === "opt_out" ? viewOptOut(record) : [])),
		recipientKeys: records.flatMap((record) => (record.kind === "recipient_key" ? viewRecipientKey(record) : [])),
		messages,
	};
}

// What was recorded while the number was another's is not theirs to see.
async function ownRecords(deps: Deps, request: StoredRequest): Promise<SubjectRecord[]> {
	const { ownedFrom = Number.POSITIVE_INFINITY, ownedUntil = Number.POSITIVE_INFINITY } = request.identity ?? {};
	const records = await deps.store.subjectRecords.findBySubjects(request.subjects);
	return records.filter(({ tenantId, at }) => tenantId === request.tenantId && at >= ownedFrom && at <= ownedUntil);
}

/** What GDPR Art. 15(1) has told beside the data itself. */
function informationOf(messages: Row[]) {
	const all = <T>(of: (row: Row) => T[]) => [...new Set(messages.flatMap(of))];
	return {
		purposes: all(({ category }) => [category]),
		categoriesOfData: all(({ dataClasses }) => dataClasses),
		recipients: all(({ handedOver }) => handedOver.map(({ to }) => to)),
		storage: "Each message says by when its text is erased (content erase by) and the record of it (record erase by).",
		source: "The sender's own records.",
		rights: ["correction", "erasure", "restriction", "objection", "complaint to a supervisory authority"],
		automatedDecisions: "Whether and when a message may be sent is decided by the sender's policies; nothing else is.",
	};
}

// Of a covered entity's patient these are health information too, 45 CFR 160.103; only one is asked for this accounting.
const accountedClasses = [...healthClasses, "biometric", "sex_life", "sexual_orientation", "special_category"];

/** 45 CFR 164.528: six years before the request, to whom, what and why. */
function disclosures(messages: Row[], receivedAt: number) {
	const from = addDuration(receivedAt, "-P6Y");
	const isHealth = ({ dataClasses, category }: Row) =>
		category === "health" || dataClasses.some((name) => accountedClasses.includes(name));
	const items = messages
		.filter(isHealth)
		.flatMap(({ handedOver, dataClasses, category }) =>
			handedOver
				.filter(({ at }) => Date.parse(at) >= from && Date.parse(at) <= receivedAt)
				.map(({ at, to }) => ({ date: at, to: [to], what: dataClasses, purpose: category })),
		);
	return {
		lookBack: { from: formatTime(from), until: formatTime(receivedAt), citation: "45 CFR 164.528(a)(1), (b)(2)" },
		note: "Each is a message to the individual, handed to a carrier. Disclosures to the individual need no accounting, 164.528(a)(1)(ii); they are listed all the same.",
		disclosures: items,
	};
}
