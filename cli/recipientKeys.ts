// `lethe recipient-keys`: what end-to-end encrypted texts are encrypted to, registered, listed and revoked through the API.

import { Command, Option } from "commander";
import { type PrivateKey, TextRefused } from "../client/e2ee.ts";
import type { RecipientKey, RecipientKeyPage } from "../client/types.ts";
import { type TextVersion, textVersions } from "../domain/subject.ts";
import { addExamples } from "./examples.ts";
import { call, type TargetOptions, withTarget } from "./policy/call.ts";
import { act, numberHelp, readNumber, sayNone, show, stepOf } from "./records.ts";
import { recipientKeysPath as base, registerKey } from "./registerKey.ts";
import { Refusal, readText } from "./run.ts";

/** Exit 0: done; 1: refused; 2: misuse. */
export function recipientKeysCommand(): Command {
	const keys = new Command("recipient-keys").description("register, list and revoke what texts are encrypted to");
	keys.addCommand(
		withTarget(
			new Command("register")
				.description("register a key by opening what is encrypted to it; the one before is replaced")
				.requiredOption("--number <number>", numberHelp)
				.requiredOption("--private-key <file>", "the key pair, as `lethe keygen` makes it; the private half stays here")
				.addOption(
					new Option("--text <version>", "how texts are encrypted to it").choices(textVersions).default("lethe1"),
				),
		).action((options: RegisterOptions) => act("recipient-keys register", () => register(options))),
	);
	keys.addCommand(
		withTarget(
			new Command("list")
				.description("list keys, the newest first: of a number, or of the tenant")
				.option("--number <number>", numberHelp),
		).action((options: TargetOptions & { number?: string }) => act("recipient-keys list", () => list(options))),
	);
	keys.addCommand(
		stepOf<RecipientKey>(
			new Command("revoke").description("encrypt nothing to a key any more, and send nothing that is; for good"),
			{ base, of: "key", lines: (key) => [lineOf(key)], example: "lethe recipient-keys revoke rky_…" },
		),
	);
	keys.addCommand(
		withTarget(
			new Command("senders").description("print the tenant's own public keys, for --sender-key of `lethe open`"),
		).action((options: TargetOptions) =>
			act("recipient-keys senders", async () => {
				console.log(JSON.stringify(await call(options, "/v1/sender-keys")));
			}),
		),
	);
	return addExamples(keys, examples);
}

const examples = {
	register: "lethe recipient-keys register --number - --private-key key.json",
	list: "lethe recipient-keys list --number -",
	senders: "lethe recipient-keys senders > senders.json",
};

type RegisterOptions = TargetOptions & { number: string; privateKey: string; text: TextVersion };

async function register(options: RegisterOptions): Promise<void> {
	const { text: version } = options;
	const own = await readKey(options.privateKey);
	const number = await readNumber(options.number);
	const post = (path: string, body: object) => call<unknown>(options, path, body);
	const key = await registerKey(post, { number, version, own }).catch((error: unknown) => {
		if (error instanceof TextRefused)
			throw new Refusal("what the API encrypted to the key does not open: ask it again.");
		throw error;
	});
	show(options, key as RecipientKey, (key) => [lineOf(key)]);
}

async function readKey(file: string): Promise<PrivateKey> {
	const text = await readText(file);
	try {
		const { kty, crv, x, d } = JSON.parse(text) as PrivateKey;
		if (kty === "OKP" && crv === "X25519" && x && d) return { kty, crv, x, d };
	} catch {
		// Said below.
	}
	throw new Refusal(`${file} is no private key: \`lethe keygen\` makes one.`);
}

async function list(options: TargetOptions & { number?: string }): Promise<void> {
	const number = options.number && (await readNumber(options.number));
	const items: RecipientKey[] = [];
	if (number !== undefined)
		items.push(...(await call<Pick<RecipientKeyPage, "items">>(options, `${base}/search`, { number })).items);
	for (let next: string | undefined, more = number === undefined; more; more = next !== undefined) {
		const path: string = `${base}${next ? `?cursor=${encodeURIComponent(next)}` : ""}`;
		const page = await call<RecipientKeyPage>(options, path);
		items.push(...page.items);
		next = page.next;
	}
	show(options, { items }, ({ items }) => items.map(lineOf));
	sayNone(options, items);
}

function lineOf({ id, version, registeredAt, ended }: RecipientKey): string {
	return `${id}  ${version}  since ${registeredAt}${ended ? `  ended ${ended.at} (${ended.source})` : ""}`;
}
