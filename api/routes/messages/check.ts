// POST /v1/messages/check: whether a text that somebody got is one of the tenant's, by the tag under it. Nothing of it is kept.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { countOrRefuse } from "../../countOrRefuse.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { readRecipient } from "../../recipient.ts";
import { problems, schemas } from "../../schemas.ts";
import { createTextTags, type TextTagsDeps } from "../../textTags.ts";

const hourSeconds = 3600;

export function addCheckText(app: Instance, deps: TextTagsDeps & Pick<ApiDeps, "requestCounts">): void {
	const { isOurs } = createTextTags(deps);

	app.post(
		"/messages/check",
		{
			config: { secretAnswer: true, requestsPerMinuteMax: limits.searchesPerMinuteMax },
			schema: {
				operationId: "checkText",
				summary: "Whether a text that a number got is this tenant's, by the tag in its last line",
				description:
					"Of messages that were sent with `tag`, as long as the key of tags has the version of then. Nothing of the text is kept, or was.",
				tags: ["messages"],
				body: schemas.textCheck,
				response: {
					200: z.object({ authentic: z.boolean() }).meta({ id: "TextVerdict" }).describe("It is, or not"),
					...problems,
				},
			},
		},
		async ({ principal: { tenantId }, body }) => {
			// Of the whole tenant: whoever guesses may come as many people.
			const limit = { name: "text-checks", requests: limits.textChecksPerHourMax, seconds: hourSeconds };
			await countOrRefuse(deps, limit, tenantId);
			const { number } = readRecipient(body.number, "/number");
			return { authentic: await isOurs(tenantId, number, body.text) };
		},
	);
}
