// The client's types, made from the OpenAPI document that the API serves: bodies, answers and routes by operation.

import { readFileSync } from "node:fs";
import { compile, type JSONSchema } from "json-schema-to-typescript";
import { createApp } from "../api/app.ts";
import type { ApiDeps } from "../api/deps.ts";
import { errorCatalogue } from "../domain/errors.ts";

type Media = { content?: Record<string, { schema?: object }> };
type Parameter = { name: string; in: string; required?: boolean; schema?: object };
type Operation = {
	operationId?: string;
	summary?: string;
	parameters?: Parameter[];
	requestBody?: Media & { required?: boolean };
	responses: Record<string, Media>;
};
export type OpenApiDocument = {
	paths: Record<string, Record<string, Operation>>;
	components: { schemas: Record<string, object> };
};

const banner =
	"// Made from the OpenAPI document by `npm run docs`; a test fails when it is out of date. Not edited by hand.";
const requestLimits: ApiDeps["requestLimits"] = {
	requestsInFlightMax: 1,
	keyRequestsPerSecond: 1,
	tenantRequestsPerSecond: 1,
	addressRequestsPerSecond: 1,
	failedAuthenticationsPerMinute: 1,
};

/** The document as `/openapi.json` answers it, without any server. */
export async function readOpenApi(publicUrl = "https://lethe.example"): Promise<OpenApiDocument> {
	const app = await createApp(createHollow({ publicUrl, trustedProxies: [], version: "0.0.0", requestLimits }));
	await app.ready();
	const document = app.swagger() as unknown as OpenApiDocument;
	await app.close();
	return document;
}

/** Path from the repository's root → the text of a file of the client. */
export async function renderClientTypes(): Promise<Record<string, string>> {
	const { paths, components } = await readOpenApi();
	const definitions: Record<string, object> = {};
	const rows: string[] = [];
	const routes: string[] = [];
	const keyless: string[] = [];
	for (const [path, methods] of Object.entries(paths)) {
		for (const [method, operation] of Object.entries(methods)) {
			const { operationId } = operation;
			// Carriers call back by their own ways.
			if (operationId === undefined || path.includes("/callbacks/")) continue;
			// Forms are OAuth's, which has clients of its own.
			if (operation.requestBody && !operation.requestBody.content?.["application/json"]) continue;
			const name = operationId.replace(/^./, (first) => first.toUpperCase());
			const kinds = Object.entries(shapesOf(operation)).map(([kind, { schema, optional }]) => {
				const [, referred] = /^\{"\$ref":"#\/components\/schemas\/(\w+)"\}$/.exec(JSON.stringify(schema)) ?? [];
				const type = referred ?? `${name}${kind}`;
				definitions[type] = referred === undefined ? schema : (components.schemas[referred] ?? {});
				return `${kind.toLowerCase()}${optional ? "?" : ""}: ${type}`;
			});
			rows.push(`\t/** ${operation.summary ?? operationId}. */\n\t${operationId}: { ${kinds.join("; ")} };`);
			const row = [method.toUpperCase(), path, ...textTypeOf(operation)];
			if (method === "post" && !takesKey(operation)) keyless.push(operationId);
			routes.push(`\t${operationId}: [${row.map((word) => `"${word}"`).join(", ")}],`);
		}
	}
	addReferenced(definitions, components.schemas);
	const schema = JSON.parse(
		JSON.stringify({ type: "object", additionalProperties: false, definitions }).replaceAll(
			"#/components/schemas/",
			"#/definitions/",
		),
	) as JSONSchema;
	const types = await compile(schema, "Nothing", {
		bannerComment: "",
		unreachableDefinitions: true,
		additionalProperties: true,
		format: false,
		// Bounds are the API's to check: as types they would be unions of tuples, which no ordinary array satisfies.
		ignoreMinAndMaxItems: true,
	});
	const codes = Object.keys(errorCatalogue).map((code) => `\t| "${code}"`);
	const text = [
		banner,
		types
			.replace(/export interface Nothing \{\}\n/, "")
			.replace(/^ \* This interface was referenced by .*\n \* via the .*\n(?: \* \n)?/gm, "")
			.replace(/^\/\*\*\n \*\/\n/gm, "")
			.trim(),
		`/** Every code that a problem may bear. */\nexport type ErrorCode =\n${codes.join("\n")};`,
		`/** What each operation takes and answers. */\nexport type Operations = {\n${rows.join("\n")}\n};`,
		"",
	].join("\n\n");
	return { "client/types.ts": text, "client/routes.ts": `${banner}\n\n${renderRoutes(routes, keyless)}` };
}

function renderRoutes(routes: string[], keyless: string[]): string {
	const rows = keyless.map((name) => `\t"${name}",`);
	return `/** Method and path of each operation, and the type of its answer where that is not JSON. */
export const routes = {
${routes.join("\n")}
} as const;

/** The POSTs that take no Idempotency-Key: each try does it anew. */
export const keyless: ReadonlySet<string> = new Set([
${rows.join("\n")}
]);
`;
}

function takesKey({ parameters = [] }: Operation): boolean {
	return parameters.some(({ name, in: where }) => where === "header" && name.toLowerCase() === "idempotency-key");
}

type Shape = { schema: object; optional: boolean };

function shapesOf({ parameters = [], requestBody, responses }: Operation): Record<string, Shape> {
	const place = (name: string, where: string): Record<string, Shape> => {
		const found = parameters.filter((parameter) => parameter.in === where);
		if (found.length === 0) return {};
		const required = found.filter((parameter) => parameter.required).map((parameter) => parameter.name);
		const properties = Object.fromEntries(found.map((parameter) => [parameter.name, parameter.schema ?? {}]));
		const schema = { type: "object", additionalProperties: false, properties, required };
		return { [name]: { schema, optional: required.length === 0 } };
	};
	const body = requestBody?.content?.["application/json"]?.schema;
	const answers = answersOf(responses).flatMap(({ content }) => content?.["application/json"]?.schema ?? []);
	const distinct = [...new Map(answers.map((answer) => [JSON.stringify(answer), answer])).values()];
	const [answer = {}] = distinct;
	return {
		...place("Params", "path"),
		...place("Query", "query"),
		...(body ? { Body: { schema: body, optional: requestBody?.required !== true } } : {}),
		Answer: { schema: distinct.length > 1 ? { anyOf: distinct } : answer, optional: false },
	};
}

function answersOf(responses: Operation["responses"]): Media[] {
	return Object.entries(responses).flatMap(([status, answer]) => (status.startsWith("2") ? answer : []));
}

/** The one type of its answers; none where they may be JSON. */
function textTypeOf({ responses }: Operation): string[] {
	const types = answersOf(responses).flatMap(({ content = {} }) => Object.keys(content));
	return types.includes("application/json") ? [] : types;
}

/** Adds what the definitions refer to, and what that refers to. */
function addReferenced(definitions: Record<string, object>, schemas: Record<string, object>): void {
	for (const definition of Object.values(definitions)) {
		for (const [, name = ""] of JSON.stringify(definition).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
			if (name in definitions) continue;
			definitions[name] = schemas[name] ?? {};
			addReferenced(definitions, schemas);
		}
	}
}

/** Dependencies that are asked for and never used: routes are added, and none is called. */
function createHollow(known: Partial<ApiDeps>): ApiDeps {
	const hollow: object = new Proxy(() => undefined, { get: () => hollow, apply: () => hollow });
	// What is spread must have its names, and types have none at run time.
	const names = readFileSync(new URL("../api/deps.ts", import.meta.url), "utf8").matchAll(/^\t(\w+)\??:/gm);
	return { ...Object.fromEntries([...names].map(([, name = ""]) => [name, hollow])), ...known } as ApiDeps;
}
