// GET /errors/{code}: the page that a problem's `type` links to.

import { z } from "zod";
import { type ErrorCode, errorCatalogue, LetheError } from "../../domain/errors.ts";
import type { Instance } from "../instance.ts";

export function addErrorPages(app: Instance): void {
	app.get(
		"/errors/:code",
		{ schema: { hide: true, params: z.strictObject({ code: z.string() }) } },
		async (request, reply) => {
			const { code } = request.params;
			if (!Object.hasOwn(errorCatalogue, code)) throw new LetheError("not_found");
			const { status, title, retryable } = errorCatalogue[code as ErrorCode];
			const again = retryable ? "The same request may succeed later." : "Do not repeat the same request unchanged.";
			const page = `<!doctype html><html lang="en"><title>${code}</title><h1>${code}</h1><p>${title}</p>`;
			return reply.type("text/html; charset=utf-8").send(`${page}<p>HTTP ${status}. ${again}</p></html>`);
		},
	);
}
