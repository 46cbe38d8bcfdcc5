// The records that laws ask for: the log of requests (11 CCR 7101, 7102) and the record of processing (GDPR Art. 30).

import { z } from "zod";
import type { TenantDocument } from "../../../adapters/mongo/models.ts";
import type { StoredRequest } from "../../../adapters/mongo/subjectRequests.ts";
import type { RetentionPlan } from "../../../domain/decision.ts";
import { LetheError } from "../../../domain/errors.ts";
import { formatTime } from "../../../domain/formatTime.ts";
import { limits } from "../../../domain/limits.ts";
import { categories } from "../../../domain/message.ts";
import { addDuration, keptFor } from "../../../policies/cohorts.ts";
import { retentionObjects } from "../../../policies/facts.ts";
import { factsAbout } from "../../../policies/subjectRetention.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { refuseReversed } from "../../refuseReversed.ts";
import { renderReport } from "../../report.ts";
import { fields, problems } from "../../schemas.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";

type Deps = Pick<ApiDeps, "clock" | "policies"> &
	TenantsDeps & {
		store: {
			sendQueues: Pick<ApiDeps["store"]["sendQueues"], "find">;
			subjectRequests: Pick<ApiDeps["store"]["subjectRequests"], "page">;
		};
	};

const tags = ["subject-requests"];
const format = z.enum(["json", "html"]).default("json");
const report = {
	description: "The record",
	content: { "application/json": { schema: z.looseObject({}) }, "text/html": { schema: z.string() } },
};
const logYears = "-P2Y";
const tooMany = {
	pointer: "/querystring/from",
	detail: `More than ${limits.requestLogItemsMax} came in that time: ask for a shorter one, and for the next.`,
};
const dataCategories = ["telephone number", "text of the message", "delivery receipts", "consents", "opt-outs"];
// What proves that sending was lawful, or has it end, goes when it must and not when it may.
const keptToTheEnd: readonly string[] = ["consent_evidence", "suppression"] satisfies (keyof RetentionPlan)[];

export function addRequestRecords(app: Instance, deps: Deps): void {
	const { readTenant } = createTenants(deps);

	app.get(
		"/subject-requests/log",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getRequestLog",
				summary: "All requests of a time and how they were answered; of the last 24 months unless told",
				description: "11 CCR 7101(b) and, in its figures, 7102(a)(1). It holds no number.",
				tags,
				querystring: z.strictObject({ from: fields.time.optional(), to: fields.time.optional(), format }),
				response: { 200: report, ...problems },
			},
		},
		async (request, reply) => {
			const { query, principal } = request;
			refuseReversed(query, "/querystring");
			const to = query.to === undefined ? deps.clock() : Date.parse(query.to);
			const from = query.from === undefined ? addDuration(to, logYears) : Date.parse(query.from);
			const rows = await readLog(deps, principal.tenantId, from, to);
			const document = {
				period: { from: formatTime(from), to: formatTime(to) },
				figures: figuresOf(rows),
				requests: rows.map(rowOf),
			};
			return answer(reply, "Log of subjects' requests", document, query.format);
		},
	);

	app.get(
		"/processing-record",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getProcessingRecord",
				summary: "The record of processing activities, as it stands now",
				description:
					"GDPR Art. 30(1)(a)-(g), as far as the engine knows it: contacts and representatives are the controller's to add.",
				tags,
				querystring: z.strictObject({ format }),
				response: { 200: report, ...problems },
			},
		},
		async (request, reply) => {
			const tenant = await readTenant(request.principal);
			return answer(
				reply,
				"Record of processing activities",
				await processingRecord(deps, tenant),
				request.query.format,
			);
		},
	);
}

type Reply = { type: (name: string) => { send: (text: never) => unknown } };

function answer(reply: Reply, title: string, document: object, as: "json" | "html"): never {
	const type = as === "html" ? "text/html; charset=utf-8" : "application/json; charset=utf-8";
	const text = as === "html" ? renderReport(title, document) : JSON.stringify(document);
	return reply.type(type).send(text as never) as never;
}

async function readLog(deps: Deps, tenantId: string, from: number, to: number): Promise<StoredRequest[]> {
	const rows: StoredRequest[] = [];
	for (let after: { at: number; id: string } | undefined; ; ) {
		const page = await deps.store.subjectRequests.page(tenantId, limits.pageItemsMax, after);
		const last = page.at(-1);
		for (const one of page) {
			if (one.state !== "erased" && one.receivedAt >= from && one.receivedAt <= to) rows.push(one);
		}
		// What is received before it is recorded is never received after: older records can't be of this time.
		if (!last || page.length < limits.pageItemsMax || last.recordedAt < from) return rows;
		if (rows.length > limits.requestLogItemsMax) throw new LetheError("too_many_records", { errors: [tooMany] });
		after = { at: last.recordedAt, id: last._id };
	}
}

function rowOf({
	_id,
	kind,
	channel,
	receivedAt,
	acknowledgedAt,
	closed,
	extendedTo,
	extensionToldAt,
	respondBy,
	decision,
	erasure,
}: StoredRequest) {
	const isDenied = closed?.outcome === "refused" || closed?.outcome === "partly_granted";
	const kept = (erasure?.kept ?? []).filter(({ object }) => ["content", "address", "receipt"].includes(object));
	return {
		id: _id,
		requestedAt: formatTime(receivedAt),
		nature: kind,
		manner: channel,
		acknowledgedAt: acknowledgedAt === undefined ? undefined : formatTime(acknowledgedAt),
		respondBy: extendedTo ?? respondBy,
		extensionToldAt: extensionToldAt === undefined ? undefined : formatTime(extensionToldAt),
		respondedAt: closed && formatTime(closed.at),
		response: closed?.outcome ?? "open",
		basisForDenial: isDenied ? [closed.ground, ...kept.map(({ reason }) => reason)].filter(Boolean) : undefined,
		laws: decision.packs.map(({ id, version }) => `${id} ${version}`),
	};
}

/** Of each kind: how many came, how they were answered, and how long that took, in days. */
function figuresOf(rows: StoredRequest[]) {
	return [...Map.groupBy(rows, ({ kind }) => kind)].map(([kind, of]) => {
		const days = of
			.flatMap(({ closed, receivedAt }) => (closed ? (closed.at - receivedAt) / 86_400_000 : []))
			.sort((a, b) => a - b);
		const with_ = (outcome: string) => of.filter(({ closed }) => closed?.outcome === outcome).length;
		return {
			kind,
			received: of.length,
			compliedWhole: with_("granted"),
			compliedInPart: with_("partly_granted"),
			denied: with_("refused"),
			open: of.filter(({ closed }) => !closed).length,
			medianDays:
				days.length === 0
					? undefined
					: round(((days[(days.length - 1) >> 1] ?? 0) + (days[days.length >> 1] ?? 0)) / 2),
			meanDays: days.length === 0 ? undefined : round(days.reduce((sum, one) => sum + one, 0) / days.length),
		};
	});
}

async function processingRecord(deps: Deps, tenant: TenantDocument) {
	const now = deps.clock();
	const queues = await Promise.all(tenant.sendQueues.map((id) => deps.store.sendQueues.find(id)));
	const activities = categories.map((category) => {
		const plan = deps.policies.retentionPlan({
			...factsAbout(tenant, { country: tenant.establishment as never }, now),
			category,
			dataClasses: category === "health" ? ["health"] : ["contact"],
		});
		return {
			purpose: category,
			dataSubjects: "recipients of messages",
			dataCategories: [...dataCategories, ...(category === "health" ? ["data concerning health"] : [])],
			recipients: [...new Set(queues.flatMap((queue) => queue?.carrier ?? []))],
			erasure: retentionObjects.map((object) => {
				const { min, max, citations } = plan[object];
				const stated = tenant.retention[object as keyof TenantDocument["retention"]];
				const atMost = max ?? "no limit";
				const kept = keptToTheEnd.includes(object) ? atMost : keptFor(plan[object], stated);
				return { object, atLeast: min, kept, atMost, citations };
			}),
		};
	});
	return {
		controller: {
			name: tenant.name,
			establishment: tenant.establishment,
			madeAt: formatTime(now),
			citation: "GDPR Art. 30(1)",
		},
		activities,
		transfers:
			"As each message's decision records: a route to a third country needs a mechanism of GDPR Art. 44 to 49.",
		security: [
			"Content and numbers are encrypted (AES-256-GCM) under keys of their own before anything stores them; the keys that wrap those never leave the key server, or end with their cohort.",
			"People are found by a keyed hash; no number is stored in clear.",
			"Each process has the rights that its role needs.",
			"Every act is in an evidence log that shows any change; every erasure has a signed certificate.",
		],
	};
}

function round(days: number): number {
	return Math.round(days * 10) / 10;
}
