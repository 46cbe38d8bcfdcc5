// Who asks in `npm run test:api`: a key and people for whom no route is shut, and people who may be signed out meanwhile.

import { createApiKey, setGovernance } from "../cli/administer.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { machineRoles, roles } from "../domain/roles.ts";
import { enrolPerson } from "./enrolPerson.ts";

/** Bearer tokens. `key`: of a machine with every role that one can have; `person`: of somebody with every role. */
export type ApiCallers = { key: string; adminKey: string; person: string; leaving: string[] };

// As many as may be signed out: what ends a session is asked with the next one's.
const leavingCount = 12;

/** Makes them for a tenant, which governs the policies from then on. */
export async function createApiCallers(
	environment: Record<string, string | undefined>,
	{ apiUrl, tenantId }: { apiUrl: string; tenantId: string },
): Promise<ApiCallers> {
	const deps = await createDeps({ ...loadConfig(environment), logLevel: "silent" }, "admin");
	try {
		await setGovernance(deps, tenantId, true);
		const enrol = async (login: string) => {
			const invitation = { tenantId, login, name: "", roles: [...roles] };
			return enrolPerson(apiUrl, (await deps.people.invite("admin", invitation)).enrolmentToken);
		};
		const key = async (name: string) => (await createApiKey(deps, { tenantId, name, roles: [...machineRoles] })).apiKey;
		const leaving: string[] = [];
		for (let count = 0; count < leavingCount; count++) leaving.push(await enrol(`leaving-${count}`));
		return { key: await key("all"), adminKey: await key("administration"), person: await enrol("everything"), leaving };
	} finally {
		await deps.close();
	}
}
