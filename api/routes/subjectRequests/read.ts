// GET /v1/subject-requests and /{id}: what was asked, how far it is, what is due when.

import { z } from "zod";
import type { StoredRequest } from "../../../adapters/mongo/subjectRequests.ts";
import { LetheError } from "../../../domain/errors.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { pageQuery, problems } from "../../schemas.ts";
import { requestSchemas } from "./schemas.ts";
import { viewRequest } from "./view.ts";

type Deps = { store: { subjectRequests: Pick<ApiDeps["store"]["subjectRequests"], "findForTenant" | "page"> } };

const tags = ["subject-requests"];

export function addReadRequests(app: Instance, { store }: Deps): void {
	app.get(
		"/subject-requests",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listSubjectRequests",
				summary: "List subjects' requests, newest first, without numbers",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: requestSchemas.page.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("subjectRequest", cursor);
			const found = await store.subjectRequests.page(request.principal.tenantId, limit + 1, place);
			const page = toPage(found, limit, ({ recordedAt, _id }) => ({ at: recordedAt, id: _id }));
			const items = page.items.filter((one): one is StoredRequest => one.state !== "erased");
			return { ...page, items: items.map(viewRequest) };
		},
	);

	app.get(
		"/subject-requests/:id",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getSubjectRequest",
				summary: "One request: its clocks, tasks, what was erased and what is kept and why",
				tags,
				params: z.strictObject({ id: z.string() }),
				response: { 200: requestSchemas.request.describe("Found"), ...problems },
			},
		},
		async (request) => {
			const found = await store.subjectRequests.findForTenant(request.principal.tenantId, request.params.id);
			if (!found) throw new LetheError("not_found");
			return viewRequest(found);
		},
	);
}
