// `lethe keys rotate`: a new version of a key; older ones go on verifying, and opening, what they made, until `keys retire` ends them.

import { Argument, Command } from "commander";
import { hashingKeys, signingKeys } from "../../audit/keyAges.ts";
import type { Deps } from "../../deps.ts";
import { adminDeps } from "../target.ts";
import { type NamedKey, nameOf } from "./named.ts";

const rotated = [...signingKeys, ...hashingKeys, "subject", "cohort", "sender", "logs"] as const;

export function rotateCommand(): Command {
	return new Command("rotate")
		.description("Add a version to a key; it encrypts, hashes or signs from now on.")
		.addArgument(new Argument("<key>", "which").choices(rotated))
		.option("--of <id>", "the tenant of a subject's or a sender's key, the cohort of a cohort's")
		.option("--json", "print JSON, as it does anyway")
		.action(async (key: NamedKey | "sender" | "logs", options: { of?: string }) => {
			const deps = await adminDeps();
			try {
				if (key === "logs") return await renewLogKey(deps);
				if (key === "sender") return await renewSenderKey(deps, options.of);
				const name = nameOf(key, options.of);
				const before = await deps.keyVersions.read(name);
				if (!before) throw new Error(`there is no key ${name}. See \`lethe keys list\`.`);
				const about = options.of ? { about: options.of } : {};
				await deps.evidence.append([{ type: "key_rotated", code: key, ...about, by: "admin" }]);
				await deps.keyVersions.rotate(name);
				const version = (await deps.keyVersions.read(name))?.newest;
				process.stdout.write(`${JSON.stringify({ key: name, version })}\n`);
			} finally {
				await deps.close();
			}
		});
}

// Processes see it with their next file, within a day; nothing that was written before is lost to whoever reads logs.
async function renewLogKey(deps: Deps): Promise<void> {
	await deps.evidence.append([{ type: "key_rotated", code: "logs", by: "admin" }]);
	process.stdout.write(`${JSON.stringify({ key: "logs", recipient: await deps.logKeys.renew() })}\n`);
}

// Within a minute texts are signed by it; apps need its public half before.
async function renewSenderKey(deps: Deps, tenantId: string | undefined): Promise<void> {
	if (!tenantId || !(await deps.store.tenants.find(tenantId))) throw new Error("say whose with --of: a tenant's id.");
	await deps.evidence.append([{ type: "key_rotated", code: "sender", about: tenantId, by: "admin" }]);
	process.stdout.write(`${JSON.stringify({ key: "sender", version: await deps.senderKeys.rotate(tenantId) })}\n`);
}
