// `lethe policy propose`: drafts a new version of a pack, from a file or as changes of the version in force.

import { Command } from "commander";
import type { PolicyProposalDetail } from "../../client/types.ts";
import { exitCodes, Refusal, readText, run } from "../run.ts";
import { call, type TargetOptions, withAct } from "./call.ts";

type Options = TargetOptions & { pack?: string; set: string[]; from?: string; why: string };

export function proposeCommand(): Command {
	const command = new Command("propose")
		.description("draft a new version of a pack; nothing changes before it is published")
		.argument("[file]", "the whole new version, YAML; or give --pack and --set")
		.option("--pack <id>", "the pack whose version in force is changed")
		.option(
			"--set <rule:path=value...>",
			"as in defaults.retention:retention.content.max=P7D; `*` is every item of a list",
			[],
		)
		.option("--from <time>", "when the new version begins, RFC 3339 (default: once it is published)")
		.requiredOption("--why <text>", "the reason, for those who check and approve; no names and numbers of people");
	return withAct(command).action((file: string | undefined, options: Options) =>
		run("policy propose", () => propose(file, options)),
	);
}

async function propose(file: string | undefined, options: Options): Promise<number> {
	const proposal = await call<PolicyProposalDetail>(options, "/v1/policy-proposals", await readDraft(file, options));
	if (options.json) console.log(JSON.stringify(proposal, null, 2));
	else {
		console.log(`${proposal.id}: ${proposal.pack} ${proposal.version}, a draft`);
		for (const { sentence } of proposal.changes ?? []) console.log(`  ${sentence}`);
		console.log(`next: lethe policy check ${proposal.id}`);
	}
	return exitCodes.yes;
}

async function readDraft(file: string | undefined, { pack, set, from, why }: Options): Promise<object> {
	if (file !== undefined && pack === undefined) {
		if (set.length > 0 || from) throw new Refusal("--set and --from go with --pack: a file says it all itself.");
		return { text: await readText(file), why };
	}
	if (pack === undefined || file !== undefined || set.length === 0) {
		throw new Refusal("give a file, or --pack with at least one --set.");
	}
	return { pack, changes: set.map(readChange), why, ...(from ? { effectiveFrom: from } : {}) };
}

function readChange(text: string): object {
	const match = /^([^:=]+):([^=]+)=(.*)$/.exec(text);
	if (!match) throw new Refusal(`--set takes rule:path=value, not ${text}.`);
	const [, rule, path, value = ""] = match;
	const plain = /^(-?\d+(\.\d+)?|true|false|null)$/.test(value) ? JSON.parse(value) : value;
	return { rule, path, value: plain };
}
