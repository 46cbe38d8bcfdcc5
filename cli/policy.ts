// `lethe policy decide --facts FILE`: what the published packs say of a facts document. Needs no server.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { LetheError } from "../domain/errors.ts";
import { runCases } from "../policies/cases.ts";
import { evaluate } from "../policies/evaluate.ts";
import { parseFacts } from "../policies/facts.ts";
import { loadPacks, readPacks } from "../policies/load.ts";
import { indexPacks } from "../policies/packSet.ts";
import { jsonPosition } from "./jsonPosition.ts";

const exitCodes = { yes: 0, no: 1, misuse: 2 } as const;

/** Exit 0: allowed, or an array was judged; 1: refused; 2: the input or a pack can't be used. */
export function policyCommand(): Command {
	const policy = new Command("policy").description("what the policy packs say");
	policy
		.command("decide")
		.description(
			"decide one facts document, or each of an array, one decision a line; an item that can't be used gets {error} as its line",
		)
		.requiredOption("--facts <file>", "facts as JSON; an object or an array of them")
		.option("--json", "print JSON, as it does anyway")
		.option("--packs <directory>", "packs to use instead of the published ones")
		.action((options: { facts: string; packs?: string }) => run("decide", () => decide(options)));
	policy
		.command("check")
		.description("run the cases that the packs carry")
		.option("--json", "print the results as JSON, one a line")
		.option("--packs <directory>", "packs to use instead of the published ones")
		.action((options: { json?: boolean; packs?: string }) => run("check", () => check(options)));
	return policy;
}

/** Input that can't be used; the message names the mend. */
class Unusable extends Error {}

async function run(name: string, act: () => number | Promise<number>): Promise<void> {
	try {
		process.exitCode = await act();
	} catch (error) {
		if (!(error instanceof Unusable)) throw error;
		console.error(`lethe policy ${name}: ${error.message}`);
		process.exitCode = exitCodes.misuse;
	}
}

async function decide(options: { facts: string; packs?: string }): Promise<number> {
	const document = await readJson(options.facts);
	const packs = usable(() => loadPacks(options.packs));
	const judge = (value: unknown, where: string) => {
		try {
			return evaluate(packs, parseFacts(value));
		} catch (error) {
			throw new Unusable(`${where}: ${explain(error)}`);
		}
	};
	if (!Array.isArray(document)) {
		const decision = judge(document, options.facts);
		console.log(JSON.stringify(decision));
		return decision.allowed ? exitCodes.yes : exitCodes.no;
	}
	let exitCode: number = exitCodes.yes;
	for (const [at, value] of document.entries()) {
		try {
			console.log(JSON.stringify(judge(value, `${options.facts}: item ${at}`)));
		} catch (error) {
			// The others still get their line, so that answers and questions stay side by side.
			if (!(error instanceof Unusable)) throw error;
			console.log(JSON.stringify({ error: error.message }));
			console.error(`lethe policy decide: ${error.message}`);
			exitCode = exitCodes.misuse;
		}
	}
	return exitCode;
}

function check(options: { json?: boolean; packs?: string }): number {
	const { files, packs } = index(options.packs);
	const results = runCases(files, packs);
	const wrong = results.filter(({ mismatches }) => mismatches.length > 0);
	for (const result of options.json ? results : wrong) {
		const { pack, name, mismatches } = result;
		console.log(options.json ? JSON.stringify(result) : `${pack}: ${name}: ${mismatches.join("; ")}`);
	}
	if (!options.json) console.log(`${results.length} cases, ${wrong.length} not as expected`);
	return wrong.length === 0 ? exitCodes.yes : exitCodes.no;
}

function index(directory: string | undefined) {
	return usable(() => {
		const loaded = readPacks(directory);
		return { files: loaded.map(({ file }) => file), packs: indexPacks(loaded) };
	});
}

function usable<T>(read: () => T): T {
	try {
		return read();
	} catch (error) {
		throw new Unusable((error as Error).message);
	}
}

async function readJson(file: string): Promise<unknown> {
	let text: string;
	try {
		text = (await readFile(file, "utf8")).replace(/^\uFEFF/, "");
	} catch {
		throw new Unusable(`${file} can't be read: check its path and your rights.`);
	}
	try {
		return JSON.parse(text);
	} catch {
		const { line, column } = jsonPosition(text);
		throw new Unusable(`${file}:${line}:${column}: not JSON: give one facts document, or an array of them.`);
	}
}

// The first fault names its field; the value is not repeated, since it may be a message's text.
function explain(error: unknown): string {
	if (!(error instanceof LetheError)) throw error;
	const [first] = error.errors;
	const path = (first?.pointer ?? "/").slice(1).replaceAll("/", ".") || "the document";
	const detail = first?.detail ?? "is not valid";
	return detail.endsWith("?") ? `${path} ${detail}` : `${path} ${detail}. Correct that field.`;
}
