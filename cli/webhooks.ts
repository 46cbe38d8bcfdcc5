// `lethe webhooks`: where a tenant's servers are told of its messages, what they were told, and telling it again.

import { Command, Option } from "commander";
import type { WebhookDelivery, WebhookEndpoint, WebhookEndpointSecret } from "../client/types.ts";
import { webhookStates } from "../domain/webhook.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct } from "./policy/call.ts";
import { act, listOf, parseTime, show, stepOf, withExample } from "./records.ts";
import { Refusal } from "./run.ts";

type AddOptions = TargetOptions & { name?: string; default?: boolean; state?: string[] };
type ReplayOptions = TargetOptions & { from?: string; to?: string; all?: boolean; delivery?: string[] };

const base = "/v1/webhook-endpoints";
const pathOf = (id = "") => `${base}/${encodeURIComponent(id)}`;

export function webhooksCommand(): Command {
	const webhooks = new Command("webhooks").description("see and change where a tenant is told of its messages");
	webhooks.addCommand(
		listOf<WebhookEndpoint>(new Command("list").description("list the endpoints, newest first"), {
			path: () => base,
			line: lineOf,
			example: "lethe webhooks list",
		}),
	);
	webhooks.addCommand(
		listOf<WebhookDelivery>(
			new Command("deliveries").description("what an endpoint was told, newest first").argument("<id>", "its id"),
			{ path: (id) => `${pathOf(id)}/deliveries`, line: deliveryLine, example: "lethe webhooks deliveries whe_…" },
		),
	);
	for (const command of [addCommand(), removeCommand(), replayCommand(), rotateCommand()]) webhooks.addCommand(command);
	for (const [name, about] of Object.entries(steps)) {
		const [command, example] = [new Command(name).description(about), `lethe webhooks ${name} whe_…`];
		webhooks.addCommand(stepOf<WebhookEndpoint>(command, { base, of: "endpoint", lines: linesOf, example }));
	}
	return webhooks;
}

const steps = {
	verify: "send an endpoint a challenge once more",
	enable: "tell an endpoint of messages again; what it missed is told by a replay",
	disable: "tell an endpoint of nothing until it is enabled",
};

function addCommand(): Command {
	const command = new Command("add").description("register an endpoint; its secret is shown this once");
	return addExample(withAct(command), "lethe webhooks add https://hooks.example.com/lethe --default")
		.argument("<endpoint>", "its URL: https, at a public address")
		.option("--name <word>", "what people call it")
		.option("--default", "tell it of messages that name no endpoint")
		.addOption(new Option("--state <state...>", "states that it is told of (default: all)").choices(webhookStates))
		.action((url: string, options: AddOptions) =>
			act("webhooks add", async () => {
				const { name, state: states } = options;
				const made = await call<WebhookEndpointSecret>(options, base, {
					url,
					name,
					states,
					default: options.default ?? false,
				});
				show(options, made, linesOf);
			}),
		);
}

function removeCommand(): Command {
	const command = new Command("remove").description("delete an endpoint, its secrets and its log");
	return withExample(command, "lethe webhooks remove whe_…")
		.argument("<id>", "the endpoint's id")
		.action((id: string, options: TargetOptions) =>
			act("webhooks remove", async () => {
				show(options, await call<WebhookEndpoint>(options, pathOf(id), undefined, "DELETE"), ({ id }) => [
					`${id} is deleted`,
				]);
			}),
		);
}

function replayCommand(): Command {
	const command = new Command("replay").description("tell an endpoint again what failed, or all, of a time");
	return addExample(withAct(command), "lethe webhooks replay whe_… --from 2026-11-26T00:00:00Z --all")
		.argument("<id>", "the endpoint's id")
		.addOption(new Option("--from <time>", "events from then on, RFC 3339").argParser(parseTime).conflicts("delivery"))
		.option("--to <time>", "and until then (default: now)", parseTime)
		.option("--all", "also what it was told already and what waits for its next try, not only what failed")
		.option("--delivery <id...>", "these deliveries, by id, instead of a time")
		.action((id: string, options: ReplayOptions) =>
			act("webhooks replay", async () => {
				const { from, to, all, delivery: deliveries } = options;
				if (from === undefined && deliveries === undefined)
					throw new Refusal("give a time with --from, or --delivery.");
				const states = all ? ["waiting", "delivered", "failed"] : ["failed"];
				const body = deliveries ? { deliveries } : { from, to, states };
				const answer = await call<{ count: number; next?: string }>(options, `${pathOf(id)}/replay`, body);
				show(options, answer, ({ count, next }) => [
					`${count} delivery(ies) wait to be told again`,
					...(next ? [`there are more: ask again with --from ${next}`] : []),
				]);
			}),
		);
}

function rotateCommand(): Command {
	const command = new Command("rotate-secret").description("make a new secret, shown this once");
	return addExample(withAct(command), "lethe webhooks rotate-secret whe_… --keep-for PT0S")
		.argument("<id>", "the endpoint's id")
		.option("--keep-for <duration>", "how long those of before go on signing (P1D); PT0S for one that leaked")
		.action((id: string, options: TargetOptions & { keepFor?: string }) =>
			act("webhooks rotate-secret", async () => {
				const { keepFor } = options;
				show(options, await call<WebhookEndpointSecret>(options, `${pathOf(id)}/rotate-secret`, { keepFor }), linesOf);
			}),
		);
}

function linesOf(endpoint: WebhookEndpoint | WebhookEndpointSecret): string[] {
	return [lineOf(endpoint), ...("secret" in endpoint ? [`secret, shown this once: ${endpoint.secret}`] : [])];
}

function lineOf({ id, url, state, disabledFor, default: isDefault }: WebhookEndpoint | WebhookEndpointSecret): string {
	const why = disabledFor ? `${state} (${disabledFor})` : state;
	return `${id}  ${why.padEnd(10)}  ${url}${isDefault ? "  default" : ""}`;
}

function deliveryLine({ id, type, message, at, state, code, tries }: WebhookDelivery): string {
	const last = tries.at(-1);
	const why = code ?? last?.code ?? last?.status;
	return [id, at, type, message, `${state}${why === undefined ? "" : ` (${why})`}`].filter(Boolean).join("  ");
}
