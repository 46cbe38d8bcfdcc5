// `lethe policy decide --facts FILE`: what the shipped packs, or a deployment's, say of a facts document. By the shipped ones it needs no server.

import { Command, Option } from "commander";
import type { Decision } from "../../domain/decision.ts";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { loadPacks } from "../../policies/load.ts";
import type { PackSet } from "../../policies/packSet.ts";
import { jsonFault } from "../jsonFault.ts";
import { exitCodes, explainError, Refusal, readText, run } from "../run.ts";
import { apiTarget } from "../target.ts";
import { type TargetOptions, withKey } from "./call.ts";
import { readDeployed } from "./deployed.ts";
import { describeDecision } from "./describeDecision.ts";
import type { PolicyList } from "./list.ts";

/** Exit 0: allowed, or an array was judged; 1: refused; 2: the input or a pack can't be used. */
export function decideCommand(): Command {
	const command = new Command("decide")
		.description(
			"decide one facts document, or each of an array, one decision a line; an item that can't be used gets {error} as its line",
		)
		.requiredOption("--facts <file>", "facts as JSON; an object or an array of them")
		.option("--json", "print JSON on a terminal, too; what is piped is JSON anyway")
		.addOption(new Option("--packs <directory>", "packs to use instead of the shipped ones").conflicts(["url", "key"]))
		.option("--url <url>", "decide as the deployment of that API does, by what was published there, too");
	return withKey(command, "the same, as by this API key (default: whoever is signed in by `lethe login`)").action(
		(options: Options) => run("policy decide", () => decide(options)),
	);
}

type Options = TargetOptions & { facts: string; packs?: string };

const listWaitMs = 1_000;

async function decide(options: Options): Promise<number> {
	const isForPeople = process.stdout.isTTY && !options.json;
	const print = (decision: Decision) =>
		console.log(isForPeople ? describeDecision(decision).join("\n") : JSON.stringify(decision));
	const document = await readJson(options.facts);
	const isPointed = options.url !== undefined || options.key !== undefined;
	const packs = isPointed ? await readDeployed({ ...options, json: false }) : readPacksOf(options.packs);
	if (!isPointed && options.packs === undefined) await tellPublished(packs);
	const judge = (value: unknown, where: string) => {
		try {
			return evaluate(packs, parseFacts(value));
		} catch (error) {
			throw new Refusal(`${where}: ${explainError(error)}`);
		}
	};
	if (!Array.isArray(document)) {
		const decision = judge(document, options.facts);
		print(decision);
		return decision.allowed ? exitCodes.yes : exitCodes.no;
	}
	let exitCode: number = exitCodes.yes;
	for (const [at, value] of document.entries()) {
		try {
			print(judge(value, `${options.facts}: item ${at + 1}`));
		} catch (error) {
			// The others still get their line, so that answers and questions stay side by side.
			if (!(error instanceof Refusal)) throw error;
			if (!isForPeople) console.log(JSON.stringify({ error: error.message }));
			console.error(`lethe policy decide: ${error.message}`);
			exitCode = exitCodes.misuse;
		}
	}
	return exitCode;
}

/** Says that the deployment of this folder decides by more than what was shipped. */
async function tellPublished({ versions }: PackSet): Promise<void> {
	const { url, items } = (await askRunning()) ?? { items: [] };
	const others = items.filter(({ sha256 }) => !versions.some((known) => known.sha256 === sha256));
	if (others.length === 0) return;
	const names = others.map(({ pack, version }) => `${pack} ${version}`).join(", ");
	console.error(
		`lethe policy decide: by the shipped packs alone. The deployment that runs here has ${names}, too: --url ${url} decides as it does.`,
	);
}

// Whatever becomes of it, the decision needs no server, and waits for none that is slow.
async function askRunning(): Promise<{ url: string; items: PolicyList["items"] } | undefined> {
	try {
		const { url, apiKey } = apiTarget({});
		const headers = { authorization: `Bearer ${apiKey}` };
		const answer = await fetch(new URL("/v1/policies", url), { headers, signal: AbortSignal.timeout(listWaitMs) });
		return answer.ok ? { url, items: ((await answer.json()) as PolicyList).items } : undefined;
	} catch {
		return undefined;
	}
}

function readPacksOf(directory: string | undefined): PackSet {
	try {
		return loadPacks(directory);
	} catch (error) {
		throw new Refusal((error as Error).message);
	}
}

async function readJson(file: string): Promise<unknown> {
	const text = (await readText(file)).replace(/^\uFEFF/, "");
	const fault = jsonFault(text);
	if (!fault) return JSON.parse(text);
	const what = fault.repeats
		? "a name that stands there already: which of the two is meant nobody can tell. Give each once."
		: "not JSON: give one facts document, or an array of them.";
	throw new Refusal(`${file}:${fault.line}:${fault.column}: ${what}`);
}
