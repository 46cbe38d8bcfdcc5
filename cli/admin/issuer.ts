// `lethe admin issuer`: outside issuers whose tokens are taken, each for one tenant and with the roles that it may give.

import { Command, InvalidArgumentError } from "commander";
import { machineRoles, type Role } from "../../domain/roles.ts";
import { trustIssuer } from "../administer.ts";
import { addExamples } from "../examples.ts";
import { withDeps } from "./withDeps.ts";

type Mapping = { value: string; roles: Role[] };

/** Exit 0: done; 1: there is none of that URL; 2: it can't be done as asked. */
export function issuerCommand(): Command {
	const issuer = new Command("issuer").description("Trust outside issuers of access tokens, list them, remove them.");
	const add = (name: string, description: string) =>
		issuer.command(name).description(description).option("--json", "print JSON, as it does anyway");
	add("trust", "Take an issuer's tokens for a tenant, or take them otherwise from now on.")
		.argument("<url>", "the issuer, as in its tokens' `iss`")
		.requiredOption("--tenant <id>", "the one tenant that its tokens act for")
		.requiredOption("--audience <name>", "what its tokens' `aud` has to name")
		.option("--claim <name>", "the claim that says what a token is for", "scope")
		.requiredOption("--map <value=role,role...>", "which roles a value of the claim gives", collectMapping)
		.option("--accept-jwt", "also tokens that do not say that they are access tokens (RFC 9068)")
		.action((url: string, { tenant: tenantId, audience, claim, map: mapping, acceptJwt }) =>
			withDeps((deps) =>
				trustIssuer(deps, { url, tenantId, audience, claim, mapping, ...(acceptJwt && { acceptsJwt: true }) }),
			),
		);
	add("list", "List the issuers that are trusted.").action(() =>
		withDeps(async (deps) => ({ issuers: await deps.store.issuers.all() })),
	);
	add("remove", "Take no token of an issuer any more, everywhere within a second.")
		.argument("<url>", "the issuer")
		.action((url: string) =>
			withDeps(async (deps) => {
				const found = await deps.store.issuers.find(deps.ids.derive("issuer", url));
				if (!found) process.exitCode = 1;
				if (!found) return { removed: false };
				const { _id: about, tenantId } = found;
				await deps.evidence.append([{ type: "issuer_removed", tenantId, about, by: "admin" }]);
				return { removed: await deps.store.issuers.remove(about) };
			}),
		);
	return addExamples(issuer, examples);
}

const examples = {
	trust:
		"lethe admin issuer trust https://login.example.com --tenant ten_… --audience https://lethe.example --map messages:send=sender",
	list: "lethe admin issuer list",
	remove: "lethe admin issuer remove https://login.example.com",
};

function collectMapping(text: string, before: Mapping[] = []): Mapping[] {
	const at = text.lastIndexOf("=");
	const named = text.slice(at + 1).split(",");
	const given = machineRoles.filter((role) => named.includes(role));
	if (at < 1 || given.length !== named.length) {
		throw new InvalidArgumentError(
			`Give value=role, the role one of ${machineRoles.join(", ")}: approver is people's.`,
		);
	}
	return [...before, { value: text.slice(0, at), roles: given }];
}
