// `lethe keys rotate`: a new version of a key; older ones go on verifying, and opening, what they made, until `keys retire` ends them.

import { Argument, Command } from "commander";
import { hashingKeys, signingKeys } from "../../audit/keyAges.ts";
import type { Deps } from "../../deps.ts";
import { withDeps } from "../admin/withDeps.ts";
import { type NamedKey, nameOf } from "./nameOf.ts";

const rotated = [...signingKeys, ...hashingKeys, "subject", "cohort", "sender", "logs"] as const;

export function rotateCommand(): Command {
	return new Command("rotate")
		.description("Add a version to a key; it encrypts, hashes or signs from now on.")
		.addArgument(new Argument("<key>", "which").choices(rotated))
		.option("--of <id>", "the tenant of a subject's or a sender's key, the cohort of a cohort's")
		.option("--json", "print JSON, as it does anyway")
		.action((key: NamedKey | "sender" | "logs", { of }: { of?: string }) =>
			withDeps(async (deps) => {
				if (key === "logs") return renewLogKey(deps);
				return key === "sender" ? renewSenderKey(deps, of) : rotate(deps, key, of);
			}),
		);
}

async function rotate(deps: Deps, key: NamedKey, of: string | undefined) {
	const name = nameOf(key, of);
	const before = await deps.keyVersions.read(name);
	if (!before) throw new Error(`there is no key ${name}. See \`lethe keys list\`.`);
	await deps.evidence.append([{ type: "key_rotated", code: key, ...(await ownerOf(deps, key, of)), by: "admin" }]);
	await deps.keyVersions.rotate(name);
	return { key: name, version: (await deps.keyVersions.read(name))?.newest };
}

/** Whose it is, of one of many: no other tenant is told of that. */
async function ownerOf({ store }: Deps, key: NamedKey, of: string | undefined) {
	if (key === "subject") return { tenantId: of, about: of };
	return key === "cohort" && of ? { tenantId: (await store.cohorts.find(of))?.tenantId, about: of } : {};
}

// Processes see it with their next file, within a day; nothing that was written before is lost to whoever reads logs.
async function renewLogKey(deps: Deps) {
	await deps.evidence.append([{ type: "key_rotated", code: "logs", by: "admin" }]);
	return { key: "logs", recipient: await deps.logKeys.renew() };
}

// Within a minute texts are signed by it; apps need its public half before.
async function renewSenderKey(deps: Deps, tenantId: string | undefined) {
	if (!tenantId || !(await deps.store.tenants.find(tenantId))) throw new Error("say whose with --of: a tenant's id.");
	await deps.evidence.append([{ type: "key_rotated", code: "sender", tenantId, about: tenantId, by: "admin" }]);
	return { key: "sender", version: await deps.senderKeys.rotate(tenantId) };
}
