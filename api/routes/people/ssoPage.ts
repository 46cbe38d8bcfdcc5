// What a browser shows at the end of single sign-on: a sentence for whoever reads no JSON.

import { errorCatalogue } from "../../../domain/errors.ts";
import type { Problem } from "../../plugins/problem.ts";

/** A page that loads nothing. @param problem why nobody was signed in, where nobody was */
export function ssoPage(problem?: Pick<Problem, "code" | "type" | "requestId">): string {
	const [title, ...paragraphs] = problem
		? [
				"Not signed in",
				errorCatalogue[problem.code].title,
				`<a href="${problem.type}">${problem.code}</a>, ${problem.requestId}`,
			]
		: ["Signed in", "You are signed in. This page may be closed."];
	return [
		'<!doctype html><html lang="en"><head><meta charset="utf-8">',
		'<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">',
		`<link rel="icon" href="data:,"><title>${title}</title></head><body><main><h1>${title}</h1>`,
		...paragraphs.map((paragraph) => `<p>${paragraph}</p>`),
		"</main></body></html>",
	].join("\n");
}
