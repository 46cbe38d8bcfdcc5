// /v1/templates: texts with declared variables, so that a sender can put nothing into a message but what was declared.

import { z } from "zod";
import type { TemplateDocument } from "../../adapters/mongo/templates.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { categories } from "../../domain/message.ts";
import { templateFaults, variableNamePattern } from "../../domain/template.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { contentFacts } from "../../policies/contentFacts.ts";
import { dataClasses } from "../../policies/facts.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import type { Principal } from "../plugins/auth.ts";
import { findEarlier } from "../plugins/idempotency.ts";
import { pageQuery, problems } from "../schemas.ts";

type Deps = Pick<ApiDeps, "clock"> & { store: Pick<ApiDeps["store"], "templates"> };

const tags = ["templates"];
const params = z.strictObject({ id: z.string().max(64) });

const variable = z.strictObject({
	dataClass: z
		.enum(dataClasses)
		.meta({ description: "What kind of data it is; the policies judge the message by it." }),
	charactersMax: z.int().min(1).max(limits.textCharactersMax),
});
const fields = {
	name: z.string().regex(/^[A-Za-z][\w.-]{0,63}$/, { error: "Letters, digits, dots and dashes." }),
	text: z
		.string()
		.min(1)
		.max(limits.textCharactersMax)
		.refine((text) => text.isWellFormed(), { error: "Not well-formed Unicode." })
		.meta({ description: "With `{{name}}` where a variable goes. It is configuration: nothing of a recipient in it." }),
	category: z.enum(categories).optional().meta({ description: "The only one that it may be used for." }),
	variables: z.record(z.string().regex(variableNamePattern, { error: "A name of letters." }), variable).default({}),
};
const input = z
	.strictObject(fields)
	.refine(({ variables }) => Object.keys(variables).length <= limits.templateVariablesMax, {
		error: `At most ${limits.templateVariablesMax}.`,
		path: ["variables"],
	})
	.meta({
		id: "TemplateRequest",
		example: {
			name: "reminder",
			text: "At {{clinic}} on {{day}}.",
			variables: {
				clinic: { dataClass: "contact", charactersMax: 20 },
				day: { dataClass: "contact", charactersMax: 10 },
			},
		},
	});
const template = z
	.object({ id: z.string(), ...fields, createdAt: z.string(), createdBy: z.string(), retiredAt: z.string().optional() })
	.meta({ id: "Template" });
const templatePage = z.object({ items: z.array(template), next: z.string().optional() }).meta({ id: "TemplatePage" });

export function addTemplates(app: Instance, deps: Deps): void {
	addMaking(app, deps);
	addReading(app, deps);
}

function addMaking(app: Instance, deps: Deps): void {
	const { templates } = deps.store;
	const refuseTaken = async ({ _id, tenantId, name }: TemplateDocument) => {
		const named = await templates.findByName(tenantId, name);
		if (!named.some((other) => other._id !== _id && other.retiredAt === undefined)) return;
		throw new LetheError("template_name_taken", { errors: [{ pointer: "/name", detail: "It is another's." }] });
	};

	app.post(
		"/templates",
		{
			config: { act: "template_changed" },
			schema: {
				operationId: "createTemplate",
				summary: "Store a template; it never changes, a new wording is a new template",
				tags,
				body: input,
				response: { 201: template.describe("Stored"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const faults = templateFaults(body);
			if (faults.length > 0) throw new LetheError("invalid_request", { errors: faults });
			// PCI DSS 3.5.1: a card number is not stored readable, and a template is.
			if (contentFacts(body.text).cardNumber) {
				throw new LetheError("card_number", { errors: [{ pointer: "/text", detail: "It holds a card number." }] });
			}
			const _id = request.newId("template");
			const standing = await findEarlier(request, () => templates.find(_id));
			if (standing) return reply.code(201).send(view(standing));
			if ((await templates.countLive(principal.tenantId)) >= limits.templatesPerTenantMax) {
				const detail = `The tenant has ${limits.templatesPerTenantMax} templates in force: retire those that nobody uses.`;
				throw new LetheError("too_many_records", { errors: [{ pointer: "", detail }] });
			}
			const document = withoutUndefined<TemplateDocument>({
				_id,
				tenantId: principal.tenantId,
				...body,
				createdAt: deps.clock(),
				createdBy: principal.id,
			});
			await refuseTaken(document);
			await templates.insert(document);
			// Of two at once at least one sees the other, and goes: two live ones of a name there are never.
			await refuseTaken(document).catch(async (error: unknown) => {
				await templates.delete(_id);
				throw error;
			});
			return reply.code(201).send(view(await read(deps, principal, _id)));
		},
	);

	app.post(
		"/templates/:id/retire",
		{
			config: { act: "template_changed" },
			schema: {
				operationId: "retireTemplate",
				summary: "Let a template fill no new message; within five seconds everywhere",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: template.describe("Retired"), ...problems },
			},
		},
		async (request) => {
			const { _id } = await read(deps, request.principal, request.params.id);
			await templates.retire(_id, deps.clock());
			return view(await read(deps, request.principal, _id));
		},
	);
}

function addReading(app: Instance, deps: Deps): void {
	app.get(
		"/templates",
		{
			schema: {
				operationId: "listTemplates",
				summary: "List templates, newest first",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: templatePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit } = request.query;
			const place = readCursor("template", cursor);
			const found = await deps.store.templates.page(request.principal.tenantId, limit + 1, place);
			const page = toPage(found, limit, ({ createdAt, _id }) => ({ at: createdAt, id: _id }));
			return { ...page, items: page.items.map(view) };
		},
	);

	app.get(
		"/templates/:id",
		{
			schema: {
				operationId: "getTemplate",
				summary: "One template",
				tags,
				params,
				response: { 200: template.describe("Found"), ...problems },
			},
		},
		async (request) => view(await read(deps, request.principal, request.params.id)),
	);
}

async function read(deps: Deps, principal: Principal, id: string): Promise<TemplateDocument> {
	const found = await deps.store.templates.find(id);
	if (found?.tenantId !== principal.tenantId) throw new LetheError("not_found");
	return found;
}

function view({ _id, tenantId: _tenant, createdAt, retiredAt, ...kept }: TemplateDocument) {
	return {
		id: _id,
		...kept,
		createdAt: new Date(createdAt).toISOString(),
		...(retiredAt === undefined ? {} : { retiredAt: new Date(retiredAt).toISOString() }),
	} as z.output<typeof template>;
}
