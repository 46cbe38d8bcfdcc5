// The headers that routes read, as schemas that validate them, and those that they answer with, for the OpenAPI document.

import { z } from "zod";
import { limits } from "../domain/limits.ts";

const keyPattern = new RegExp(`^[\\x21-\\x7e]{1,${limits.idempotencyKeyCharactersMax}}$`);

/** Of every POST that acts for a principal; names in lower case, as Node gives them. */
export const idempotencyHeaders = {
	"idempotency-key": z
		.string()
		.regex(keyPattern, { error: `1 to ${limits.idempotencyKeyCharactersMax} visible ASCII characters.` })
		.optional()
		.meta({ description: "The same key and body again, by the same caller, is answered as it was first." }),
};

/** Of routes that may wait. */
export const waitHeaders = {
	prefer: z.string().optional().meta({ description: "`wait=N`, in seconds (RFC 7240, 4.3)." }),
};

type Described = { type: "string"; description: string; enum?: string[] };

const onEvery: Record<string, Described> = {
	"x-request-id": { type: "string", description: "Finds this request in the logs." },
};
const onAuthenticated: Record<string, Described> = {
	"ratelimit-limit": { type: "string", description: "Requests in each window, of the limit that is nearest." },
	"ratelimit-remaining": { type: "string", description: "Requests left in this window." },
	"ratelimit-reset": { type: "string", description: "Seconds until the window ends." },
	"ratelimit-policy": { type: "string", description: "That limit, and its window in seconds." },
};
const onProblem: Record<string, Described> = {
	"retry-after": { type: "string", description: "Seconds to wait, where a repeat may succeed." },
};
/** What a header that was read may be answered with. */
const inReturn: Record<string, Record<string, Described>> = {
	"idempotency-key": {
		"idempotency-replayed": { type: "string", enum: ["true"], description: "The answer is an earlier request's." },
	},
	prefer: { "preference-applied": { type: "string", description: "The wait that was granted." } },
};

type RouteSchema = {
	headers?: { properties?: Record<string, unknown> };
	response?: Record<string, object>;
};

/** A route's schema for the document: its headers by their usual names, and those of its answers. */
export function describeHeaders<Schema extends object | undefined>(schema: Schema, secured: boolean): Schema {
	if (schema === undefined) return schema;
	const { headers, response } = schema as RouteSchema;
	const read = headers?.properties ?? {};
	const returned = Object.assign({}, ...Object.keys(read).map((name) => inReturn[name])) as Record<string, Described>;
	const answers = Object.entries(response ?? {}).map(([status, answer]) => {
		const isProblem = /^[45]/.test(status);
		return [
			status,
			{
				...answer,
				headers: named({
					...onEvery,
					...(secured ? onAuthenticated : {}),
					...returned,
					...(isProblem ? onProblem : {}),
				}),
			},
		];
	});
	return {
		...schema,
		...(headers ? { headers: { ...headers, properties: named(read) } } : {}),
		...(response ? { response: Object.fromEntries(answers) } : {}),
	};
}

function named<Value>(headers: Record<string, Value>): Record<string, Value> {
	const nameOf = (name: string) => name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [nameOf(name), value]));
}
