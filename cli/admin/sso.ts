// `lethe admin sso`: the identity providers by which tenants' people sign in, each for one tenant.

import { text } from "node:stream/consumers";
import { Command, InvalidArgumentError, Option } from "commander";
import type { IdentityProviderDocument } from "../../adapters/mongo/models.ts";
import type { Deps } from "../../deps.ts";
import { ssoCallbackPath } from "../../domain/person.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { putIdentityProvider, removeIdentityProvider } from "../administer.ts";
import { addExamples } from "../examples.ts";
import { withDeps } from "./withDeps.ts";

const authentications = [
	"client_secret_basic",
	"client_secret_post",
	"private_key_jwt",
] as const satisfies IdentityProviderDocument["authentication"][];
const valuesMax = 16;

type Options = {
	tenant: string;
	clientId: string;
	authentication: (typeof authentications)[number];
	amr?: string[][];
	acr?: string[];
};

/** Exit 0: done; 1: there is none of that URL; 2: it can't be done as asked. */
export function ssoCommand(): Command {
	const sso = new Command("sso").description(
		"Have people sign in by their tenant's identity provider (OpenID Connect).",
	);
	const add = (name: string, description: string) =>
		sso.command(name).description(description).option("--json", "print JSON, as it does anyway");
	add(
		"put",
		"Register a tenant's provider, or change it; its client secret, on standard input, goes to Vault only. Prints where the provider has to send people back to.",
	)
		.argument("<issuer>", "its issuer, as in its discovery document")
		.requiredOption("--tenant <id>", "the one tenant whose people sign in by it")
		.requiredOption("--client-id <id>", "as which client Lethe is registered there")
		.addOption(
			new Option(
				"--authentication <method>",
				"how Lethe shows that it is that client; for `private_key_jwt` a key pair is made, and its public half printed",
			)
				.choices(authentications)
				.default("client_secret_basic"),
		)
		.option(
			"--amr <words...>",
			"what shows a second factor: `mfa`, or several that come together, `pwd+otp`",
			collectAmr,
		)
		.option("--acr <value...>", "what shows a second factor: a class of authentication; asked for, too", collectAcr)
		.action((url: string, { tenant: tenantId, clientId, authentication, amr, acr }: Options) =>
			withDeps(async (deps) => {
				const secret = authentication === "private_key_jwt" ? undefined : await readSecret();
				const mfa = withoutUndefined<IdentityProviderDocument["mfa"]>({ amr, acr });
				const done = await putIdentityProvider(deps, { url, tenantId, clientId, authentication, mfa }, secret);
				return { ...done, redirectUri: redirectUri(deps, done.providerId) };
			}),
		);
	add("list", "List the providers, with what each has to show.").action(() =>
		withDeps(async (deps) => ({
			providers: (await deps.store.identityProviders.all()).map(({ _id: id, createdAt, ...rest }) => ({
				id,
				...rest,
				redirectUri: redirectUri(deps, id),
				createdAt: new Date(createdAt).toISOString(),
			})),
		})),
	);
	add("remove", "Let nobody sign in by a provider any more, and end the sessions of those who did.")
		.argument("<issuer>", "its issuer")
		.action((url: string) =>
			withDeps(async (deps) => {
				const removed = await removeIdentityProvider(deps, url);
				if (!removed) process.exitCode = 1;
				return { removed };
			}),
		);
	return addExamples(sso, examples);
}

const examples = {
	put: "lethe admin sso put https://login.example.com --tenant ten_… --client-id lethe --amr mfa < client-secret",
	list: "lethe admin sso list",
	remove: "lethe admin sso remove https://login.example.com",
};

function redirectUri({ publicUrl }: Pick<Deps, "publicUrl">, providerId: string): string {
	return `${publicUrl}${ssoCallbackPath(providerId)}`;
}

async function readSecret(): Promise<string> {
	const secret = (await text(process.stdin)).trim();
	if (secret === "") throw new Error("standard input holds no client secret: give it there, as one line.");
	return secret;
}

function collectAmr(words: string, before: string[][] = []): string[][] {
	const parts = words.split("+");
	if (parts.some((part) => !/^[\x21-\x7e]{1,64}$/.test(part)) || before.length >= valuesMax) {
		throw new InvalidArgumentError("Give words of the provider's `amr`, such as mfa or pwd+otp.");
	}
	return [...before, parts];
}

function collectAcr(value: string, before: string[] = []): string[] {
	if (!/^[\x21-\x7e]{1,256}$/.test(value) || before.length >= valuesMax) {
		throw new InvalidArgumentError("Give a value of the provider's `acr`, without blanks.");
	}
	return [...before, value];
}
