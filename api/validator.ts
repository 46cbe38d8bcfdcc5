// Checks requests against their schemas; what is wrong is told in our own sentences, which say what would be right.

import type { FastifySchemaCompiler } from "fastify";
import type { z } from "zod";

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

const noForm = "None of the forms that this may have: see the route in the API's documentation.";

/** One fault: where it is, the validator's word for it, and what would be right. Never holds what was sent. */
export type Fault = { keyword: string; instancePath: string; message: string; params: { keys?: string[] } };

/** The validator of every route's schemas. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
	({ schema }) =>
	(data) => {
		const result = schema.safeParse(data, { error: sayWhy });
		if (result.success) return { value: result.data };
		return { error: result.error.issues.flatMap((issue) => toFaults(issue)) as never };
	};

function toFaults(issue: Issue, under: PropertyKey[] = []): Fault[] {
	const path = [...under, ...issue.path];
	if (issue.code === "invalid_union" && issue.message === noForm) {
		const [nearest, next] = issue.errors.toSorted((one, other) => one.length - other.length);
		// Of several forms the one that was meant is the one that is nearest, if there is one.
		const isClear = nearest && nearest.length > 0 && nearest.length < (next?.length ?? Number.POSITIVE_INFINITY);
		if (isClear) return nearest.flatMap((one) => toFaults(one, path));
	}
	const params = issue.code === "unrecognized_keys" ? { keys: issue.keys } : {};
	return [{ keyword: issue.code, instancePath: `/${path.join("/")}`, message: issue.message, params }];
}

/** What would be right, where a schema does not say so itself. */
function sayWhy(issue: RawIssue): string {
	switch (issue.code) {
		case "invalid_type":
			return issue.input === undefined ? "It is missing." : `It must be ${nameOf(issue.expected)}.`;
		case "invalid_value":
			return issue.values.length === 1
				? `It must be ${String(issue.values[0])}.`
				: `One of ${issue.values.map(String).join(", ")}.`;
		case "too_small":
			return `At least ${amountOf(issue.minimum, issue.origin)}.`;
		case "too_big":
			return `At most ${amountOf(issue.maximum, issue.origin)}.`;
		case "invalid_format":
			return formats[issue.format] ?? "It is not of the form that the API's documentation shows.";
		case "not_multiple_of":
			return `A multiple of ${issue.divisor}.`;
		case "invalid_union":
			return noForm;
		default:
			return "It is not what the API's documentation shows.";
	}
}

const types: Record<string, string> = {
	array: "a list",
	boolean: "true or false",
	int: "a whole number",
	null: "null",
	number: "a number",
	object: "an object",
	record: "an object",
	string: "a text",
};

function nameOf(type: string): string {
	return types[type] ?? "of another type";
}

const formats: Record<string, string> = {
	base64: "Base64.",
	base64url: "Base64url, without padding.",
	cidrv4: "A network in CIDR notation such as 192.0.2.0/24.",
	cidrv6: "A network in CIDR notation such as 2001:db8::/32.",
	date: "A day, such as 2027-02-28.",
	datetime: "A time of RFC 3339 such as 2026-11-26T09:00:00Z.",
	url: "A URL.",
};

const units: Record<string, [one: string, more: string]> = {
	array: ["item", "items"],
	record: ["entry", "entries"],
	string: ["character", "characters"],
};

function amountOf(count: number | bigint, origin: string): string {
	const unit = units[origin]?.[count === 1 ? 0 : 1];
	return unit === undefined ? `${count}` : `${count} ${unit}`;
}
