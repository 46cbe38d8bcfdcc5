// GET /v1/alerts: what needs a person now, with what to do about it.

import { z } from "zod";
import { type AlertsDeps, alertCodes, findAlerts, severities } from "../../audit/alerts.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { problems } from "../schemas.ts";

type Deps = AlertsDeps & { store: { tenants: Pick<ApiDeps["store"]["tenants"], "find"> } };

const alerts = z
	.object({
		items: z.array(
			z
				.object({
					code: z.enum(alertCodes),
					severity: z.enum(severities),
					about: z.string().optional().meta({ description: "A name, or an opaque id." }),
					reason: z.string().optional().meta({ description: "Why, a code of ours, where there is more than one." }),
					since: z.iso.datetime().optional().meta({ description: "Absent where that is not known." }),
					mend: z.string(),
				})
				.meta({ id: "Alert" }),
		),
	})
	.meta({ id: "Alerts" });

export function addAlerts(app: Instance, deps: Deps): void {
	app.get(
		"/alerts",
		{
			config: {
				requestsPerMinuteMax: limits.alertLooksPerMinuteMax,
				inFlightMax: limits.alertLooksInFlightMax,
			},
			schema: {
				operationId: "listAlerts",
				summary: "What needs a person now, the worst first",
				description:
					"Derived from what is stored, at each call: an alert ends with its cause. Keys, queues, endpoints, holds, requests and messages are the tenant's own, everything else is the deployment's.",
				tags: ["operations"],
				response: { 200: alerts.describe("What stands; nothing where all is well"), ...problems },
			},
		},
		async ({ principal: { tenantId } }) => {
			const sendQueues = (await deps.store.tenants.find(tenantId))?.sendQueues ?? [];
			const found = await findAlerts(deps, { tenantId, sendQueues });
			return {
				items: found.map(({ since, ...alert }) => ({
					...alert,
					...(since === undefined ? {} : { since: new Date(since).toISOString() }),
				})),
			};
		},
	);
}
