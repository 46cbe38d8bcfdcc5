// What a log line may say: fields of a list, each in its form. All else is left out before anything is written.

import { isAnyId } from "../../domain/ids.ts";

const redacted = "[redacted]";
const textCharactersMax = 200;
const countMax = 1e9;
// As many digits as a short phone number has, however they are divided.
const numberPattern = /\d(?:[\s._:+()/@-]{0,3}\d){6,}/g;
const wordPattern = /^[A-Za-z_/*][\w./:@*-]{0,127}$/;

const causeParts = ["name", "code", "at", "source", "operation", "path", "status", "reason", "missing"];
const causePartItemsMax = 6;

const forms = {
	/** An opaque id: letters behind a prefix. */
	id: (value: unknown) => (typeof value === "string" && isAnyId(value) ? value : redacted),
	/** A word of a vocabulary, or a route's pattern. */
	word: (value: unknown) =>
		typeof value === "string" && wordPattern.test(value) && cleanText(value) === value ? value : redacted,
	/** How many, how long. */
	count: (value: unknown) =>
		typeof value === "number" && Number.isFinite(value) && Math.abs(value) < countMax ? value : redacted,
	/** A sentence of ours or of a library's. */
	text: (value: unknown) => (typeof value === "string" ? cleanText(value) : redacted),
	/** A failure's cause, in one sentence or by its named parts. */
	cause: (value: unknown): unknown => {
		if (typeof value !== "object" || value === null) return forms.text(value);
		const parts: [string, unknown][] = [];
		for (const [name, part] of Object.entries(value)) {
			if (!causeParts.includes(name) || part === undefined) continue;
			if (Array.isArray(part)) parts.push([name, part.slice(0, causePartItemsMax).map(forms.text)]);
			else parts.push([name, typeof part === "number" ? forms.count(part) : forms.text(part)]);
		}
		return Object.fromEntries(parts);
	},
};

/** Field → its form. */
export const logFields: Readonly<Record<string, keyof typeof forms>> = {
	...{ requestId: "id", messageId: "id", submissionId: "id", tenantId: "id", about: "id" },
	...{
		code: "word",
		role: "word",
		route: "word",
		method: "word",
		standing: "word",
		kind: "word",
		from: "word",
		severity: "word",
	},
	...{ status: "count", ms: "count", size: "count", witnessed: "count", lostCount: "count" },
	...{ why: "text", cause: "cause" },
};

/** The listed fields of `given`, and how many others were left out; of an error its code alone. */
export function listedFields(given: Record<string, unknown>): Record<string, unknown> {
	const listed: Record<string, unknown> = {};
	let unlistedCount = 0;
	for (const [name, value] of Object.entries(given)) {
		const form = Object.hasOwn(logFields, name) ? logFields[name] : undefined;
		if (value === undefined) continue;
		if (form === undefined) unlistedCount++;
		else listed[name] = forms[form](value);
	}
	return unlistedCount > 0 ? { ...listed, unlistedCount } : listed;
}

/** A text with what could be a number taken out, on one line, cut to a bound. */
export function cleanText(text: string): string {
	const line = text.slice(0, textCharactersMax * 4).replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
	return line.replace(numberPattern, redacted).slice(0, textCharactersMax);
}
