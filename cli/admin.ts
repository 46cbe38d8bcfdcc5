// `lethe admin`: tenants, send queues and API keys, for whoever holds the admin role.

import { Command, Option } from "commander";
import type { TenantDocument } from "../adapters/mongo/models.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { createApiKey, createTenant, putSendQueue, roles } from "./administer.ts";
import { adminDeps } from "./target.ts";

export function adminCommand(): Command {
	const admin = new Command("admin").description("Create tenants, send queues and API keys (needs the admin role).");
	admin
		.command("tenant")
		.description("Create a tenant; prints its id.")
		.requiredOption("--name <name>", "what people call it")
		.requiredOption("--establishment <country>", "ISO 3166-1 country of its establishment")
		.requiredOption("--send-queue <id...>", "send queues it may use")
		.option("--keep-content <duration>", "a stated need to keep content, ISO 8601, within what the packs permit")
		.addOption(
			new Option("--stop-scope <scope>", "what a recipient's STOP blocks; everything unless told").choices([
				"marketing",
				"all",
			]),
		)
		.option("--stop-reply <text>", "the one confirmation of a STOP")
		.option("--help-reply <text>", "the answer to HELP; without it there is none")
		.action((options) =>
			withDeps(async (deps) => {
				const { stopScope, stopReply, helpReply } = options;
				const inbound = withoutUndefined<NonNullable<TenantDocument["inbound"]>>({ stopScope, stopReply, helpReply });
				const retention = options.keepContent ? { content: options.keepContent } : {};
				const { name, establishment, sendQueue: sendQueues } = options;
				return { tenantId: await createTenant(deps, { name, establishment, sendQueues, retention, inbound }) };
			}),
		);
	admin
		.command("key")
		.description("Create an API key; it is shown once.")
		.requiredOption("--tenant <id>", "tenant it acts for")
		.requiredOption("--name <name>", "what people call it")
		.addOption(new Option("--role <role...>", "what it may do").choices(roles).default(["sender"]))
		.action((options) =>
			withDeps((deps) => createApiKey(deps, { tenantId: options.tenant, name: options.name, roles: options.role })),
		);
	admin
		.command("revoke")
		.description("Revoke an API key at once.")
		.argument("<id>", "id of the key")
		.action((id: string) => withDeps(async (deps) => ({ revoked: await deps.store.apiKeys.revoke(id, deps.clock()) })));
	admin
		.command("queue")
		.description(
			"Create or replace a send queue; its secrets, a JSON object {send, callback} on standard input, go to Vault only.",
		)
		.requiredOption("--id <id>", "its id, as in callback URLs")
		.requiredOption("--carrier <name>", "name of the carrier")
		.requiredOption("--sender <name>", "sender that recipients see")
		.option("--setting <key=value...>", "settings of the carrier", [])
		.option("--rate <number>", "messages a second")
		.action((options) =>
			withDeps(async (deps) => {
				const secrets = JSON.parse(await readInput());
				const settings = Object.fromEntries(options.setting.map(splitSetting));
				const rate = options.rate ? { ratePerSecond: Number(options.rate) } : {};
				const queue = {
					_id: options.id,
					carrier: options.carrier,
					sender: options.sender,
					settings,
					...rate,
					paused: false,
				};
				await putSendQueue(deps, queue, secrets);
				return { sendQueue: options.id };
			}),
		);
	return admin;
}

async function withDeps(act: (deps: Awaited<ReturnType<typeof adminDeps>>) => Promise<unknown>): Promise<void> {
	const deps = await adminDeps();
	try {
		process.stdout.write(`${JSON.stringify(await act(deps))}\n`);
	} finally {
		await deps.close();
	}
}

function splitSetting(text: string): [string, string] {
	const at = text.indexOf("=");
	if (at < 1) throw new Error(`--setting takes key=value, not ${text}`);
	return [text.slice(0, at), text.slice(at + 1)];
}

async function readInput(): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString("utf8");
}
