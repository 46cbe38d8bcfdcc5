// GET /v1/policies: every version of every pack, which are in force, and how far they have been applied to what is stored.

import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import { problems } from "../../schemas.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";
import { policySchemas } from "./schemas.ts";
import { viewRetiming, viewVersion } from "./view.ts";

type PoliciesDeps = TenantsDeps & {
	packs: Pick<ApiDeps["packs"], "versions" | "text" | "inForce">;
	store: { retimings: Pick<ApiDeps["store"]["retimings"], "latest"> };
};

const inForce = "in-force";

export function addPolicies(app: Instance, deps: PoliciesDeps): void {
	const { readTenant } = createTenants(deps);
	app.get(
		"/policies",
		{
			schema: {
				operationId: "listPolicies",
				summary: "List every version of every policy pack",
				tags: ["policies"],
				response: { 200: policySchemas.policyList.describe("All there are"), ...problems },
			},
		},
		async (request) => {
			const now = deps.clock();
			const { files } = deps.packs.inForce(now);
			// It counts every tenant's messages: the affair of those who govern.
			const { governsPolicies: governs = false } = await readTenant(request.principal);
			const retiming = governs ? await deps.store.retimings.latest() : undefined;
			return {
				items: deps.packs.versions().map((version) => viewVersion(version, { current: files, now, governs })),
				...(retiming ? { retiming: viewRetiming(retiming) } : {}),
			};
		},
	);
	app.get(
		"/policies/:pack/:version",
		{
			schema: {
				operationId: "getPolicy",
				summary: "Read the text of a policy pack",
				tags: ["policies"],
				description: `YAML. \`${inForce}\` stands for the version that is in force now.`,
				params: z.strictObject({ pack: z.string(), version: z.string() }),
				response: {
					// A schema speaks of what the text means, which is the pack's own schema's affair.
					200: { description: "The text", content: { "application/yaml": { schema: z.unknown() } } },
					...problems,
				},
			},
		},
		async (request, reply) => {
			const { pack, version } = request.params;
			const { files } = deps.packs.inForce(deps.clock());
			const wanted = version === inForce ? files.find(({ id }) => id === pack)?.version : version;
			const known = deps.packs.versions().some((one) => one.id === pack && one.version === wanted);
			const text = known && wanted ? deps.packs.text(pack, wanted) : undefined;
			if (text === undefined) throw new LetheError("not_found");
			return reply.type("application/yaml; charset=utf-8").send(text);
		},
	);
}
