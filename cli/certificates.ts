// `lethe certificates`: the proofs of erasure, and the keys that check them, as files for `lethe verify`.

import { Command } from "commander";
import type { Certificate } from "../client/types.ts";
import { call, callAt, type TargetOptions } from "./policy/call.ts";
import { act, listOf, withExample } from "./records.ts";
import { apiUrl } from "./target.ts";
import { writeNew } from "./writeNew.ts";

type OutOptions = TargetOptions & { out?: string };

const base = "/v1/certificates";

/** Exit 0: done; 1: there is no such certificate; 2: misuse. */
export function certificatesCommand(): Command {
	return new Command("certificates")
		.description("list and get erasure certificates, and get the public keys that check them")
		.addCommand(listCommand())
		.addCommand(getCommand())
		.addCommand(keysCommand());
}

function listCommand(): Command {
	const command = new Command("list")
		.description("list the certificates about one thing, newest first")
		.requiredOption(
			"--about <id>",
			"a message, a submission, a cohort, a person's request, or a consent, opt-out or hold that is gone",
		);
	return listOf<Certificate>(command, {
		path: () => base,
		filters: ["about"],
		line: ({ id, kind, issuedAt }) => `${id}  ${kind.padEnd(10)}  issued at ${issuedAt}`,
		example: "lethe certificates list --about sub_…",
	});
}

function getCommand(): Command {
	const command = new Command("get").description("get an erasure certificate; every message names its own");
	return withOut(command, "lethe certificates get crt_… --out certificate.json")
		.argument("<id>", "the certificate's id")
		.action((id: string, options: OutOptions) =>
			act("certificates get", async () => {
				await put(options, await call(options, `${base}/${encodeURIComponent(id)}`));
			}),
		);
}

function keysCommand(): Command {
	const command = new Command("keys").description(
		"get the public keys that `lethe verify --keys` needs; keep them: only keys that you have kept prove anything",
	);
	// They are public: nobody signs in for them.
	return withOut(command, "lethe certificates keys --out keys.json").action((options: OutOptions) =>
		act("certificates keys", async () => {
			const at = { url: apiUrl(options), bearer: undefined, json: options.json };
			await put(options, await callAt(at, "/.well-known/jwks.json"));
		}),
	);
}

function withOut(command: Command, example: string): Command {
	return withExample(command, example).option("--out <file>", "write it there (default: standard output)");
}

/** Over no file that is there: keys that somebody has kept are not replaced unseen. */
async function put({ out, json }: OutOptions, answer: unknown): Promise<void> {
	const text = `${JSON.stringify(answer, null, 2)}\n`;
	if (out === undefined) {
		process.stdout.write(text);
		return;
	}
	await writeNew(out, async () => text);
	console.log(json ? JSON.stringify({ file: out }) : `${out} written`);
}
