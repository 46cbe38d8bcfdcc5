// Whether a message would be refused, before anything is counted or stored: asked where a refusal would come too late.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import { type AssessDeps, createPlan, requireCategory, type Sender } from "./assess.ts";
import { createCompose } from "./compose.ts";
import { createFindRoutes } from "./findRoutes.ts";
import { createJudge } from "./judge.ts";
import type { MessageInput } from "./schemas.ts";
import { createWebhooks } from "./webhooks.ts";

export function createForesee(deps: AssessDeps) {
	const judge = createJudge(deps);
	const plan = createPlan(deps, judge);
	const compose = createCompose(deps);
	const notifiedOf = createWebhooks(deps);
	const { findRoutes, refuseRoute } = createFindRoutes(deps);

	/**
	 * @throws LetheError for whatever would refuse it, but for the tenant's own limits, which count as they are asked, and for
	 * what is on record of the recipient, which a discreet request does not tell
	 */
	return async function foresee(asked: MessageInput, principal: Sender, tenant: TenantDocument): Promise<void> {
		const input = requireCategory(principal, await compose(tenant._id, asked));
		await notifiedOf(tenant._id, input.webhook);
		const now = deps.clock();
		const judgement = await judge.judge(input, tenant, now, {
			discreet: true,
			findRoutes: (country, macs) => findRoutes(tenant, { ...input, country }, macs),
		});
		judge.requireAllowed(judgement);
		plan(judgement, input, tenant, now);
		if (!judgement.queue) await refuseRoute(tenant, input);
	};
}
