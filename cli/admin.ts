// `lethe admin`: the stores made ready, tenants from first to last, send queues and API keys, for whoever holds the admin role.

import { text } from "node:stream/consumers";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import type { SendQueueDocument } from "../adapters/mongo/models.ts";
import { isWord } from "../domain/evidence.ts";
import { limits } from "../domain/limits.ts";
import type { LinkSettings } from "../domain/linkRecord.ts";
import { categories } from "../domain/message.ts";
import { machineRoles } from "../domain/roles.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { issuerCommand } from "./admin/issuer.ts";
import { personCommand } from "./admin/person.ts";
import { ssoCommand } from "./admin/sso.ts";
import { tenantCommand } from "./admin/tenant.ts";
import { withDeps } from "./admin/withDeps.ts";
import {
	checkSettings,
	createApiKey,
	prepare,
	putSecrets,
	putSendQueue,
	removeSendQueue,
	requireSignatures,
	setGovernance,
	setLinkHost,
} from "./administer.ts";
import { parseCountry } from "./byCountry.ts";
import { addExamples } from "./examples.ts";

const secret = z.record(z.string(), z.string());
const bothSchema = z.strictObject({ send: secret, callback: secret });
const eitherSchema = bothSchema.partial().refine((given) => Object.keys(given).length > 0);

const dayMs = 24 * 3600_000;

/** Each prints one JSON object. Exit 0: done; 1: there was nothing to do it to; 2: it can't be done as asked. */
export function adminCommand(): Command {
	const admin = new Command("admin").description(
		"Prepare the stores; create tenants, send queues and API keys (needs the admin role).",
	);
	const add = (name: string, description: string) =>
		admin.command(name).description(description).option("--json", "print JSON, as it does anyway");
	add("prepare", "Make the collections, indexes and keys that this version needs; safe to repeat.").action(() =>
		withDeps(async (deps) => {
			const made = await deps.store.missing();
			await prepare(deps);
			return { made };
		}),
	);
	admin.addCommand(tenantCommand());
	admin.addCommand(issuerCommand());
	admin.addCommand(ssoCommand());
	addLinkHost(add);
	addSignatures(add);
	admin.addCommand(personCommand());
	add("govern", "Let a tenant's people propose, approve and publish policies, which hold for every tenant.")
		.argument("<tenant>", "id of the tenant")
		.option("--no-more", "take it back")
		.action((tenantId: string, { more: governsPolicies }: { more: boolean }) =>
			withDeps(async (deps) => {
				await setGovernance(deps, tenantId, governsPolicies);
				return { tenantId, governsPolicies };
			}),
		);
	add("key", "Create an API key; it is shown once.")
		.requiredOption("--tenant <id>", "tenant it acts for")
		.requiredOption("--name <name>", "what people call it")
		.addOption(new Option("--role <role...>", "what it may do").choices(machineRoles).default(["sender"]))
		.addOption(new Option("--category <name...>", "the only categories that it may send").choices(categories))
		.option("--address <range...>", "the only networks that it may be used from, CIDR", collectRange)
		.option("--days <number>", "how long it lives", parseDays)
		.action(({ tenant: tenantId, name, role: roles, category, address: addresses, days }) =>
			withDeps((deps) => {
				const expiresAt = days === undefined ? undefined : deps.clock() + days * dayMs;
				const given = withoutUndefined<Parameters<typeof createApiKey>[1]>({
					...{ tenantId, name, roles, categories: category, addresses, expiresAt },
				});
				return createApiKey(deps, given);
			}),
		);
	addKeyCommands(add);
	addQueue(add);
	addSecrets(add);
	addRemoveQueue(add);
	return addExamples(admin, examples);
}

const examples = {
	prepare: "lethe admin prepare",
	"link-host": "lethe admin link-host ten_… https://m.clinic.example",
	signatures: "lethe admin signatures ten_… step-up",
	govern: "lethe admin govern ten_…",
	key: 'lethe admin key --tenant ten_… --name "Data protection" --role compliance',
	rotate: "lethe admin rotate key_… --overlap-hours 24",
	revoke: "lethe admin revoke key_…",
	queue: "lethe admin queue --id main --carrier twilio --sender +12025550100 --country US CA --rate 10 < secrets.json",
	secrets: "lethe admin secrets main < secrets.json",
	"remove-queue": "lethe admin remove-queue main",
};

function addLinkHost(add: (name: string, description: string) => Command): void {
	add("link-host", "Set where a tenant's secure links lead, and what its text says before one.")
		.argument("<tenant>", "id of the tenant")
		.argument(
			"<url>",
			"the tenant's own host, such as https://m.clinic.example, which leads to this API's /l/",
			parseHost,
		)
		.option("--notice <text>", "put before the link; a sentence in English unless told", parseNotice)
		.action((tenantId: string, host: string, { notice }: { notice?: string }) =>
			withDeps(async (deps) => {
				const link = withoutUndefined<LinkSettings>({ host, notice });
				await setLinkHost(deps, tenantId, link);
				return { tenantId, link };
			}),
		);
}

function addSignatures(add: (name: string, description: string) => Command): void {
	add(
		"signatures",
		"Set what a tenant's machines must sign (RFC 9421): all that they ask, or what asks of people for a fresh second factor; people are not concerned.",
	)
		.argument("<tenant>", "id of the tenant")
		.addArgument(new Argument("<requirement>").choices(["required", "step-up", "optional"]))
		.action((tenantId: string, requirement: string) =>
			withDeps(async (deps) => {
				const requiresSignatures = requirement === "step-up" ? ("step_up" as const) : requirement === "required";
				await requireSignatures(deps, tenantId, requiresSignatures);
				return { tenantId, requiresSignatures };
			}),
		);
}

/** Scheme, host and port. @throws InvalidArgumentError */
function parseHost(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	const isLocal = url?.protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
	const isBare = url !== undefined && `${url.pathname}${url.search}${url.hash}${url.username}` === "/";
	if (!isBare || !(url.protocol === "https:" || isLocal) || url.origin.length > limits.linkHostCharactersMax) {
		throw new InvalidArgumentError("Give https:// and a host, nothing after it; http on loopback only.");
	}
	return url.origin;
}

function parseNotice(text: string): string {
	const notice = text.trim();
	if (notice === "" || notice.length > limits.linkNoticeCharactersMax || /[\p{Cc}]|https?:/u.test(notice)) {
		throw new InvalidArgumentError(
			`Give a line of up to ${limits.linkNoticeCharactersMax} characters, without a link.`,
		);
	}
	return notice;
}

const subprocessors = ["approved", "refused"];

function addQueue(add: (name: string, description: string) => Command): void {
	add(
		"queue",
		"Create or replace a send queue; its secrets, a JSON object {send, callback} on standard input, go to Vault only.",
	)
		.requiredOption("--id <id>", "its id, as in callback URLs", parseId)
		.requiredOption("--carrier <name>", "name of the carrier")
		.requiredOption("--sender <name>", "sender that recipients see")
		.option("--setting <key=value...>", "settings of the carrier", collectSetting, {})
		.option("--rate <number>", "segments a second", parseRate)
		.option("--country <code...>", "the only countries that it reaches, ISO 3166-1", collectCountry)
		.addOption(new Option("--category <name...>", "the only categories that it takes").choices(categories))
		.option("--region <name>", "where its carrier processes", parseId)
		.option("--baa-ref <reference>", "the business associate agreement with its carrier: it may take PHI", parseId)
		.addOption(
			new Option(
				"--subprocessor <verdict>",
				"whether its carrier is an approved sub-processor; unstated, nothing is refused for it",
			).choices(subprocessors),
		)
		.option(
			"--processing-country <code>",
			"where its carrier processes, ISO 3166-1; unstated, no transfer is refused",
			parseCountry,
		)
		.option("--transfer-mechanism <name>", "what makes the transfer there lawful, such as SCC", parseId)
		.addOption(
			new Option(
				"--carrier-copy <fate>",
				"what of a message that is final: have the carrier forget it, or keep it (the simulated carrier keeps it unless told)",
			).choices(["redact", "keep"]),
		)
		.action(
			async ({ id: _id, carrier, sender, setting: settings, rate, country, category, region, baaRef, ...more }) => {
				// Told before secrets are asked for, and before credentials are used that serve once.
				await checkSettings(carrier, settings, sender);
				const secrets = parseSecrets(bothSchema, await text(process.stdin));
				return withDeps(async (deps) => {
					const { subprocessor, processingCountry, transferMechanism } = more;
					const approvedSubprocessor = subprocessor === undefined ? undefined : subprocessor === "approved";
					const routing = {
						...{ ratePerSecond: rate, countries: country, categories: category, region, baaRef },
						...{ approvedSubprocessor, processingCountry, transferMechanism },
					};
					const queue = withoutUndefined<SendQueueDocument>({
						_id,
						carrier,
						sender,
						settings,
						// Its ledger is there to be looked at.
						carrierCopy: more.carrierCopy ?? (carrier === "simulator" ? "keep" : "redact"),
						...routing,
						paused: false,
					});
					await putSendQueue(deps, queue, secrets);
					warnOfUnstated(queue);
					return { sendQueue: _id };
				});
			},
		);
}

// Packs refuse a sub-processor that was refused and a third country without a mechanism; what nobody states refuses nothing.
function warnOfUnstated({ _id, approvedSubprocessor, processingCountry }: SendQueueDocument): void {
	const unstated = [
		...(approvedSubprocessor === undefined ? ["--subprocessor"] : []),
		...(processingCountry === undefined ? ["--processing-country"] : []),
	];
	if (unstated.length === 0) return;
	console.error(
		`lethe admin queue: warning: of ${_id} nobody states ${unstated.join(", ")}: no policy refuses a message over it for that, as if it were in order (GDPR Art. 28, 44). Make the queue again with what is true.`,
	);
}

function addSecrets(add: (name: string, description: string) => Command): void {
	add(
		"secrets",
		"Replace a send queue's secrets: {send}, {callback} or both, a JSON object on standard input; what is left out stays. In force within five seconds.",
	)
		.argument("<queue>", "its id")
		.action((id: string) =>
			withDeps(async (deps) => {
				const queue = await deps.store.sendQueues.find(id);
				if (!queue) throw new Error(`there is no send queue ${id}: make it with \`lethe admin queue\`.`);
				const given = withoutUndefined(parseSecrets(eitherSchema, await text(process.stdin)));
				await putSecrets(deps, queue, given);
				return { replaced: Object.keys(given) };
			}),
		);
}

function addRemoveQueue(add: (name: string, description: string) => Command): void {
	add(
		"remove-queue",
		"Remove a send queue that was drained and that nothing needs any more; its secrets are destroyed.",
	)
		.argument("<queue>", "its id")
		.option("--leave-copies", "though its carrier has yet to forget messages that are final")
		.action((id: string, { leaveCopies = false }: { leaveCopies?: boolean }) =>
			withDeps(async (deps) => {
				await removeSendQueue(deps, id, { leaveCopies });
				return { removed: true };
			}),
		);
}

/** What becomes of a key that there is. */
function addKeyCommands(add: (name: string, description: string) => Command): void {
	add("rotate", "Give an API key a new text, shown once; the one before goes on for a while.")
		.argument("<id>", "id of the key")
		.option("--overlap-hours <number>", "how long the text before goes on; 0 ends it now", parseHours, 24)
		.action((id: string, { overlapHours }: { overlapHours: number }) =>
			withDeps(async (deps) => {
				const found = await deps.store.apiKeys.find(id);
				if (!found) process.exitCode = 1;
				if (!found) return { rotated: false };
				const { apiKey } = await deps.apiKeys.rotate("admin", found, overlapHours * 3600_000);
				return { id, apiKey };
			}),
		);
	add("revoke", "Revoke an API key at once.")
		.argument("<id>", "id of the key")
		.action((id: string) =>
			withDeps(async (deps) => {
				const found = await deps.store.apiKeys.find(id);
				const revoked = found !== undefined && (await deps.apiKeys.revoke("admin", found));
				if (!revoked) process.exitCode = 1;
				return { revoked };
			}),
		);
}

function collectRange(range: string, before: string[] = []): string[] {
	if (!ipaddr.isValidCIDR(range))
		throw new InvalidArgumentError("Give a network such as 192.0.2.0/24 or 2001:db8::/32.");
	return [...before, range];
}

function parseDays(text: string): number {
	const days = Number(text);
	if (!Number.isInteger(days) || days < 1 || days > 3650) throw new InvalidArgumentError("Give 1 to 3650.");
	return days;
}

function parseHours(text: string): number {
	const hours = Number(text);
	if (!Number.isInteger(hours) || hours < 0 || hours > limits.rotationOverlapMsMax / 3600_000) {
		throw new InvalidArgumentError("Give 0 to 720.");
	}
	return hours;
}

// The text may be half a secret: nothing of it is repeated.
function parseSecrets<Secrets>(schema: z.ZodType<Secrets>, input: string): Secrets {
	const give = "give {send: {…}, callback: {…}}, each value a text, as JSON.";
	const given = readJson(input);
	if (given === undefined) throw new Error(`standard input is ${input.trim() === "" ? "empty" : "not JSON"}: ${give}`);
	const { success, data } = schema.safeParse(given.json);
	if (success) return data;
	const missing = ["send", "callback"].filter((half) => !Object.hasOwn(Object(given.json), half));
	const isHalf = missing.length === 1 && schema.safeParse({ ...Object(given.json), [missing.join()]: {} }).success;
	throw new Error(`standard input ${isHalf ? `lacks ${missing.join()}` : "holds no secrets of this form"}: ${give}`);
}

function readJson(input: string): { json: unknown } | undefined {
	try {
		return { json: JSON.parse(input) };
	} catch {
		return undefined;
	}
}

function collectCountry(code: string, before: string[] = []): string[] {
	return [...before, parseCountry(code)];
}

function parseId(id: string): string {
	// It stands in the evidence log, where nothing may look like a number.
	if (!/^[A-Za-z0-9_-]{1,64}$/.test(id) || !isWord(id)) {
		throw new InvalidArgumentError("Give a letter, then up to 63 of A–Z a–z 0–9 _ -, and no seven digits in a row.");
	}
	return id;
}

function parseRate(number: string): number {
	const rate = Number(number);
	if (!Number.isInteger(rate) || rate < 1 || rate > 100_000) throw new InvalidArgumentError("Give 1 to 100000.");
	return rate;
}

function collectSetting(pair: string, before: Record<string, string>): Record<string, string> {
	const at = pair.indexOf("=");
	if (at < 1) throw new InvalidArgumentError("Give key=value.");
	return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
}
