// `lethe admin tenant`: a tenant's whole life here, from its creation to the proof that nothing of it is left.

import { Command, InvalidArgumentError, Option } from "commander";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import type { Deps } from "../../deps.ts";
import { limits } from "../../domain/limits.ts";
import { type OpenFate, openFates } from "../../domain/tenancy.ts";
import { hostPattern } from "../../domain/verification.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { isDuration } from "../../policies/durations.ts";
import { createTenant, setEstablishment, setReplies, setRoutes } from "../administer.ts";
import { confirm } from "../ask.ts";
import { parseCountry, parseCountryOrAll } from "../byCountry.ts";
import { addExamples } from "../examples.ts";
import { leave } from "./leave.ts";
import { withDeps } from "./withDeps.ts";

/** Exit 0: done; 1: it is not in a state from which this is possible; 2: it can't be done as asked. */
export function tenantCommand(): Command {
	const tenant = new Command("tenant").description(
		"Create, suspend and resume tenants; hand one its data and forget it.",
	);
	const add = (name: string, description: string) =>
		tenant.command(name).description(description).option("--json", "print JSON, as it does anyway");
	addCreate(add("create", "Create a tenant; prints its id."));
	addCodes(
		add("codes", "Set what a tenant's one-time codes say, and how many may be sent; what is left out is unset."),
	);
	addReplies(
		add("replies", "Set what a tenant answers to STOP and HELP, and what a STOP blocks; what is left out is unset."),
	);
	add(
		"routes",
		"Set the send queues that a tenant may use, all of them, in the order in which they stand among equals.",
	)
		.argument("<tenant>", "id of the tenant")
		.requiredOption("--send-queue <id...>", "those that it has, and more")
		.action((tenantId: string, { sendQueue: sendQueues }: { sendQueue: string[] }) =>
			withDeps(async (deps) => {
				await setRoutes(deps, tenantId, sendQueues);
				return { tenantId, sendQueues };
			}),
		);
	add(
		"establishment",
		"Set the country of a tenant's establishment, whose laws are asked of what it sends from then on; in force within five seconds.",
	)
		.argument("<tenant>", "id of the tenant")
		.argument("<country>", "ISO 3166-1", parseCountry)
		.action((tenantId: string, establishment: string) =>
			withDeps(async (deps) => {
				await setEstablishment(deps, tenantId, establishment);
				return { tenantId, establishment };
			}),
		);
	add("suspend", "Accept nothing new of a tenant, and send nothing for it, until it is resumed.")
		.argument("<tenant>", "id of the tenant")
		.addOption(
			new Option("--open <fate>", "what becomes of its open messages: they wait, each to its deadline, or end now")
				.choices(openFates)
				.default("wait"),
		)
		.action((id: string, { open }: { open: OpenFate }) => withDeps((deps) => suspend(deps, id, open)));
	add("resume", "Let a suspended tenant go on, or one that leaves and whose keys still stand.")
		.argument("<tenant>", "id of the tenant")
		.action((id: string) => withDeps((deps) => resume(deps, id)));
	add("leave", "Hand a tenant its data, then destroy its keys and records; run again, it goes on where it stopped.")
		.argument("<tenant>", "id of the tenant")
		.requiredOption("--to <folder>", "where its data is written; needs room for all of it, in clear")
		.option("--yes", "do so without asking")
		.action(async (id: string, { to, yes }: { to: string; yes?: true }) => {
			if (!yes) await confirm(`The keys and records of ${id} are destroyed, which nobody can take back.`, id);
			return withDeps((deps) => leave(deps, id, to), "exporter");
		});
	return addExamples(tenant, examples);
}

const examples = {
	create: 'lethe admin tenant create --name "Example Bank" --establishment DE --send-queue main',
	codes: 'lethe admin tenant codes ten_… --host login.example.com --called "Example Bank"',
	replies: 'lethe admin tenant replies ten_… --help-reply "Example Bank: call +1 202 555 0100" --stop-scope all',
	routes: "lethe admin tenant routes ten_… --send-queue main reserve",
	establishment: "lethe admin tenant establishment ten_… DE",
	suspend: "lethe admin tenant suspend ten_… --open wait",
	resume: "lethe admin tenant resume ten_…",
	leave: "lethe admin tenant leave ten_… --to data",
};

/** Its senders stop within the second after `inForceFrom`; a carrier may still be at work on what it has by then. */
async function suspend(deps: Deps, tenantId: string, open: OpenFate) {
	const { standing } = await readTenant(deps, tenantId);
	const now = deps.clock();
	const suspended = { state: "suspended", since: now, open } as const;
	const mayBe = standing === undefined || standing.state === "suspended";
	if (mayBe)
		await deps.evidence.append([{ type: "tenant_suspended", code: open, tenantId, about: tenantId, by: "admin" }]);
	if (!mayBe || !(await deps.store.tenants.setStanding(tenantId, standing, suspended, now))) {
		process.exitCode = 1;
		return { tenantId, standing: standing?.state ?? "changed meanwhile" };
	}
	return { tenantId, standing: "suspended", open, inForceFrom: new Date(now + limits.tenantSeenMs).toISOString() };
}

async function resume(deps: Deps, tenantId: string) {
	const { standing } = await readTenant(deps, tenantId);
	const mayBe = standing?.state === "suspended" || (standing?.state === "leaving" && standing.step !== "destroying");
	if (mayBe) await deps.evidence.append([{ type: "tenant_resumed", tenantId, about: tenantId, by: "admin" }]);
	if (!mayBe || !(await deps.store.tenants.setStanding(tenantId, standing, undefined))) {
		process.exitCode = 1;
		return { tenantId, standing: standing?.state ?? "active" };
	}
	return { tenantId, standing: "active", wokenCount: await wake(deps, tenantId) };
}

/** Has the sweep look at once at what waited. */
async function wake(deps: Deps, tenantId: string): Promise<number> {
	const { messages } = deps.store;
	const now = deps.clock();
	let count = 0;
	for await (const page of messages.openPages(tenantId, now)) {
		const waiting = page.filter(({ state }) => state === "accepted" || state === "queued");
		count += waiting.length;
		await Promise.all(
			waiting.map(({ _id, state }) => messages.transition({ id: _id, from: [state], set: { nextCheckAt: now } })),
		);
	}
	return count;
}

async function readTenant(deps: Deps, tenantId: string): Promise<TenantDocument> {
	const tenant = await deps.store.tenants.find(tenantId);
	if (!tenant) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	return tenant;
}

function addCreate(command: Command): void {
	addReplyOptions(command)
		.requiredOption("--name <name>", "what people call it")
		.requiredOption("--establishment <country>", "ISO 3166-1 country of its establishment", parseCountry)
		.requiredOption("--send-queue <id...>", "send queues it may use")
		.option(
			"--destination <code...>",
			"the only countries that it sends to, ISO 3166-1, or `*`; that of its establishment unless told",
			collectDestination,
		)
		.option("--governs-policies", "its people may propose, approve and publish policies, which hold for every tenant")
		.option(
			"--keep-content <duration>",
			"a stated need to keep content, ISO 8601, within what the packs permit",
			parseDuration,
		)
		.action(({ name, establishment, sendQueue: sendQueues, keepContent, governsPolicies, ...options }) =>
			withDeps(async (deps) => {
				const { destination: destinations = [establishment] } = options;
				const inbound = readInbound(options);
				const retention = keepContent ? { content: keepContent } : {};
				const governs = governsPolicies ? { governsPolicies: true } : {};
				const tenant = { name, establishment, sendQueues, destinations, retention, inbound, ...governs };
				return { tenantId: await createTenant(deps, tenant) };
			}),
		);
}

type ReplyOptions = NonNullable<TenantDocument["inbound"]>;

function addReplyOptions(command: Command): Command {
	return command
		.addOption(
			new Option(
				"--stop-scope <scope>",
				"what a recipient's STOP blocks; everything unless told. With marketing, a STOP in answer to any other message leaves those going, though it must stop at least what it answers (47 CFR 64.1200(a)(10)): only for a tenant whose texts are all marketing",
			).choices(["marketing", "all"]),
		)
		.option("--stop-reply <text>", "the one confirmation of a STOP", parseReply)
		.option("--help-reply <text>", "the answer to HELP; without it there is none", parseReply);
}

function readInbound({ stopScope, stopReply, helpReply }: ReplyOptions): ReplyOptions {
	return withoutUndefined<ReplyOptions>({ stopScope, stopReply, helpReply });
}

function addReplies(command: Command): void {
	addReplyOptions(command.argument("<tenant>", "id of the tenant")).action((id: string, options: ReplyOptions) =>
		withDeps(async (deps) => {
			const inbound = readInbound(options);
			await setReplies(deps, id, inbound);
			return { tenantId: id, inbound };
		}),
	);
}

function addCodes(command: Command): void {
	command
		.argument("<tenant>", "id of the tenant")
		.option("--host <host...>", "hosts that a code may be bound to, as in `@example.com #123456`")
		.option("--called <name>", "who asks for the code, in the text; the tenant's name unless told")
		.option("--resends-per-hour <count>", "codes to numbers that had one within the day", parseCount)
		.action((id: string, { host: hosts, called: name, resendsPerHour }: CodesOptions) =>
			withDeps(async (deps) => {
				const faulty = hosts?.find((host) => !hostPattern.test(host));
				if (faulty !== undefined)
					throw new Error("a host is a name in lower case, such as login.example.com: correct it.");
				if ((hosts?.length ?? 0) > limits.verificationHostsMax) {
					throw new Error(`a tenant has at most ${limits.verificationHostsMax} hosts: leave some out.`);
				}
				await readTenant(deps, id);
				const verification = withoutUndefined<NonNullable<TenantDocument["verification"]>>({
					hosts,
					name,
					resendsPerHour,
				});
				await deps.evidence.append([{ type: "tenant_changed", code: "codes", tenantId: id, about: id, by: "admin" }]);
				await deps.store.tenants.setVerification(id, verification);
				return { tenantId: id, verification };
			}),
		);
}

type CodesOptions = { host?: string[]; called?: string; resendsPerHour?: number };

function parseCount(text: string): number {
	if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
	return Number(text);
}

function collectDestination(code: string, before: string[] = []): string[] {
	return [...before, parseCountryOrAll(code)];
}

function parseReply(text: string): string {
	const max = limits.textCharactersMax;
	if (text === "" || text.length > max) throw new InvalidArgumentError(`Give a text of 1 to ${max} characters.`);
	return text;
}

function parseDuration(duration: string): string {
	if (!isDuration(duration)) throw new InvalidArgumentError("Give a duration of ISO 8601 such as P30D.");
	return duration;
}
