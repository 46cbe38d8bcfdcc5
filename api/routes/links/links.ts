// /l/{path id}: the page of a secure link, and what it asks. Looking changes nothing; only what a person does there does.

import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { errorCatalogue } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { createLinks, type LinkAnswer, type LinksDeps } from "../../links.ts";
import { createProblem } from "../../plugins/problem.ts";
import { createAddressLimit } from "../../plugins/requestLimits.ts";
import { chooseLanguage, contentPolicy, renderNotice, renderPage } from "./page.ts";

type Deps = LinksDeps & Pick<ApiDeps, "requestCounts" | "log" | "publicUrl">;

const params = z.strictObject({ id: z.string() });
const base64url = z.string().regex(/^[\w-]+$/);
const statuses: Record<LinkAnswer["state"], number> = {
	opened: 200,
	read: 200,
	wrong_pin: 403,
	unreadable: 400,
	unknown: 404,
	claimed: 409,
	withheld: 409,
	closed: 410,
	expired: 410,
	erased: 410,
};
const pageStatuses: Partial<typeof statuses> = { claimed: 200, read: 410 };

/** A link's own routes, outside /v1: recipients have no key of ours. */
export function addLinks(app: Instance, deps: Deps): void {
	const { look, ask } = createLinks(deps);
	const perAddress = { name: "links", requests: limits.linkRequestsPerMinuteMax, seconds: 60 };
	const limit = createAddressLimit(deps, perAddress);
	const problem = createProblem(deps);

	app.get(
		"/l/:id",
		{
			schema: {
				hide: true,
				params,
				// Whatever else a link was decorated with on its way is not our business.
				querystring: z.looseObject({ lang: z.string().max(8).optional().catch(undefined) }),
			},
			onRequest: limit,
			// Who waits for a message reads no JSON.
			errorHandler(error, request, reply) {
				const { code } = problem.begin(error, request, reply);
				const language = beginPage(request, reply);
				const { status } = errorCatalogue[code];
				return reply.send(renderNotice(status === 429 ? "slower" : status < 500 ? "unknown" : "away", language));
			},
		},
		async (request, reply) => {
			const found = await look(request.params.id);
			const standing = found?.standing ?? "unknown";
			const language = beginPage(
				request,
				reply.code(standing === "open" ? 200 : (pageStatuses[standing] ?? statuses[standing])),
			);
			return reply.send(found ? renderPage(found, language) : renderNotice("unknown", language));
		},
	);

	app.post(
		"/l/:id",
		{
			bodyLimit: limits.linkRequestBytesMax,
			schema: {
				hide: true,
				params,
				querystring: z.looseObject({}),
				body: z.strictObject({ key: base64url.max(128), sealed: base64url.max(1024) }),
			},
			onRequest: limit,
		},
		async (request, reply) => {
			const answer = await ask(request.params.id, request.body);
			return reply.code(statuses[answer.state]).type("application/json").send(JSON.stringify(answer));
		},
	);
}

/** The headers of a page, whatever it says; answers the language that it is to be in. */
function beginPage({ query, headers }: Pick<FastifyRequest, "query" | "headers">, reply: FastifyReply): string {
	// What was not checked yet may be anything.
	const { lang } = query as { lang?: unknown };
	const language = chooseLanguage(typeof lang === "string" ? lang : undefined, headers["accept-language"]);
	reply
		.type("text/html; charset=utf-8")
		.header("content-security-policy", contentPolicy)
		.header("referrer-policy", "no-referrer")
		.header("x-robots-tag", "noindex")
		.header("content-language", language)
		.header("vary", "accept-language");
	return language;
}
