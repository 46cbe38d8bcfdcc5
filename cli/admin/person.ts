// `lethe admin person`: who may sign in. The first administrator of a tenant is made by this; others by them, over the API.

import { Command, InvalidArgumentError, Option } from "commander";
import type { Deps } from "../../deps.ts";
import { limits } from "../../domain/limits.ts";
import { deployer, rolesInForce } from "../../domain/person.ts";
import { type Role, roles } from "../../domain/roles.ts";
import { addExamples } from "../examples.ts";
import { parseTime } from "../records.ts";
import { withDeps } from "./withDeps.ts";

const by = deployer;
type Of = { tenant: string };

/** Exit 0: done; 2: it can't be done as asked. */
export function personCommand(): Command {
	const person = new Command("person").description(
		"Invite people, change their roles, have them enrol anew, end them.",
	);
	const add = (name: string, description: string) =>
		person
			.command(name)
			.description(description)
			.requiredOption("--tenant <id>", "tenant they act for")
			.option("--json", "print JSON, as it does anyway");
	const role = () => new Option("--role <role...>", "what they may do").choices(roles).makeOptionMandatory();
	add(
		"create",
		"Invite a person; prints a token, once, with which they enrol by `lethe login --enrol` within three days.",
	)
		.requiredOption("--login <name>", "login name or address; kept as keyed hash, and encrypted", parseLogin)
		.option("--name <name>", "what people call them; kept encrypted", "")
		.addOption(role())
		.action(({ tenant, login, name, role: granted }: Of & { login: string; name: string; role: Role[] }) =>
			withDeps(async (deps) => {
				await requireTenant(deps, tenant);
				return viewToken(await deps.people.invite(by, { tenantId: tenant, login, name, roles: granted }));
			}),
		);
	add(
		"list",
		"List a tenant's people by id; their names are told by the API, to whoever signs in as administrator.",
	).action(({ tenant }: Of) =>
		withDeps(async (deps) => {
			await requireTenant(deps, tenant);
			const found = await deps.store.people.findByTenant(tenant);
			return found.map((one) => ({
				id: one._id,
				roles: one.roles,
				rolesInForce: rolesInForce(one),
				createdAt: new Date(one.createdAt).toISOString(),
				...(one.enrolledAt !== undefined && { enrolledAt: new Date(one.enrolledAt).toISOString() }),
				state: one.endedAt === undefined ? (one.enrolment ? "invited" : "enrolled") : "ended",
			}));
		}),
	);
	add("renew", "Take all that a person signs in with, and print a token to enrol anew.")
		.argument("<person>", "their id, usr_…")
		.action((id: string, { tenant }: Of) =>
			withDeps(async (deps) => viewToken(await deps.people.renewEnrolment(by, tenant, id))),
		);
	add("roles", "Give a person other roles.")
		.argument("<person>", "their id, usr_…")
		.addOption(role())
		.action((id: string, { tenant, role: granted }: Of & { role: Role[] }) =>
			withDeps(async (deps) => ({ id, roles: (await deps.people.setRoles(by, tenant, id, granted)).roles })),
		);
	add("confirm", "Vouch for a person whom an administrator invited and who has enrolled.")
		.argument("<person>", "their id, usr_…")
		.requiredOption("--enrolled-at <time>", "when they enrolled, as `list` says, and they say when you ask", parseTime)
		.action((id: string, { tenant, enrolledAt }: Of & { enrolledAt: string }) =>
			withDeps(async (deps) => {
				const confirmed = await deps.people.confirm(by, tenant, id, Date.parse(enrolledAt));
				return { id, rolesInForce: rolesInForce(confirmed) };
			}),
		);
	add("end", "Let a person sign in no more, and erase their name, for good.")
		.argument("<person>", "their id, usr_…")
		.action((id: string, { tenant }: Of) =>
			withDeps(async (deps) => {
				const { liveKeys } = await deps.people.end(by, tenant, id);
				return { id, ended: true, liveKeys };
			}),
		);
	return addExamples(person, examples);
}

const examples = {
	create: 'lethe admin person create --tenant ten_… --login kim@example.com --name "Kim" --role approver',
	list: "lethe admin person list --tenant ten_…",
	renew: "lethe admin person renew usr_… --tenant ten_…",
	roles: "lethe admin person roles usr_… --tenant ten_… --role approver compliance",
	confirm: "lethe admin person confirm usr_… --tenant ten_… --enrolled-at 2026-11-26T09:00:00Z",
	end: "lethe admin person end usr_… --tenant ten_…",
};

async function requireTenant(deps: Deps, tenantId: string): Promise<void> {
	if (await deps.store.tenants.find(tenantId)) return;
	throw new Error(`there is no tenant ${tenantId}. Create it with \`lethe admin tenant create\`, or correct its id.`);
}

function parseLogin(login: string): string {
	if (login.trim() === "" || login.length > limits.loginCharactersMax) {
		throw new InvalidArgumentError(`Give a name of up to ${limits.loginCharactersMax} characters.`);
	}
	return login;
}

function viewToken({ id, enrolmentToken, expiresAt }: { id: string; enrolmentToken: string; expiresAt: number }) {
	return { id, enrolmentToken, expiresAt: new Date(expiresAt).toISOString() };
}
