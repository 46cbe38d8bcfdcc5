// GET /v1/messages/{id}/decision: why a message was decided as it was, and whether its record still says so.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import { explain } from "../../../policies/explain.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { problems } from "../../schemas.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";
import { policySchemas } from "../policies/schemas.ts";
import { viewExplanation } from "../policies/view.ts";

type DecisionDeps = TenantsDeps & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "findForTenant"> };
	packs: Pick<ApiDeps["packs"], "pinned" | "file" | "versions" | "inForce">;
};

export function addDecision(app: Instance, deps: DecisionDeps): void {
	const { readTenant } = createTenants(deps);
	app.get(
		"/messages/:id/decision",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "explainDecision",
				summary: "Say why a message was decided as it was",
				tags: ["messages", "policies"],
				params: z.strictObject({ id: z.string() }),
				response: { 200: policySchemas.explanation.describe("Rules in words, with their sources"), ...problems },
			},
		},
		async (request) => {
			const message = await deps.store.messages.findForTenant(request.principal.tenantId, request.params.id);
			if (!message) throw new LetheError("not_found");
			const { governsPolicies: governs = false } = await readTenant(request.principal);
			return viewExplanation(explain(message, deps.packs), { governs });
		},
	);
}
