// `lethe api-keys`: a tenant's keys for machines, as its administrators and auditors see them.

import { Command } from "commander";
import type { ApiKey } from "../client/types.ts";
import { listOf } from "./records.ts";

export function apiKeysCommand(): Command {
	const made = "`lethe admin key` makes one, `lethe admin rotate` replaces it and `lethe admin revoke` ends it";
	const apiKeys = new Command("api-keys").description("see a tenant's API keys");
	apiKeys.addHelpText("after", ({ error }) => (error ? "" : `\n${made}.`));
	return apiKeys.addCommand(
		listOf<ApiKey>(new Command("list").description("list the keys, newest first: what each may do, and its last use"), {
			path: () => "/v1/api-keys",
			line: ({ id, state, roles, name, lastUsedAt, expiresAt }) => {
				const use = lastUsedAt ? `last used at ${lastUsedAt}` : "never used";
				return `${id}  ${state.padEnd(7)}  ${roles.join(" ")}  ${use}${expiresAt ? `, until ${expiresAt}` : ""}  ${name}`;
			},
			example: "lethe api-keys list --limit 100",
		}),
	);
}
