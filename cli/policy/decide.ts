// `lethe policy decide --facts FILE`: what the shipped packs say of a facts document. Needs no server.

import { Command } from "commander";
import type { Decision } from "../../domain/decision.ts";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { loadPacks } from "../../policies/load.ts";
import type { PackSet } from "../../policies/packSet.ts";
import { jsonPosition } from "../jsonPosition.ts";
import { describeDecision } from "./describeDecision.ts";
import { exitCodes, explainError, Refusal, readText, run } from "./run.ts";

/** Exit 0: allowed, or an array was judged; 1: refused; 2: the input or a pack can't be used. */
export function decideCommand(): Command {
	return new Command("decide")
		.description(
			"decide one facts document, or each of an array, one decision a line; an item that can't be used gets {error} as its line",
		)
		.requiredOption("--facts <file>", "facts as JSON; an object or an array of them")
		.option("--json", "print JSON on a terminal, too; what is piped is JSON anyway")
		.option("--packs <directory>", "packs to use instead of the shipped ones")
		.action((options: Options) => run("policy decide", () => decide(options)));
}

type Options = { facts: string; packs?: string; json?: boolean };

async function decide(options: Options): Promise<number> {
	const isForPeople = process.stdout.isTTY && !options.json;
	const print = (decision: Decision) =>
		console.log(isForPeople ? describeDecision(decision).join("\n") : JSON.stringify(decision));
	const document = await readJson(options.facts);
	const packs = readPacksOf(options.packs);
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

function readPacksOf(directory: string | undefined): PackSet {
	try {
		return loadPacks(directory);
	} catch (error) {
		throw new Refusal((error as Error).message);
	}
}

async function readJson(file: string): Promise<unknown> {
	const text = (await readText(file)).replace(/^\uFEFF/, "");
	try {
		return JSON.parse(text);
	} catch {
		const { line, column } = jsonPosition(text);
		throw new Refusal(`${file}:${line}:${column}: not JSON: give one facts document, or an array of them.`);
	}
}
