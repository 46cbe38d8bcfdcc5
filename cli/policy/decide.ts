// `lethe policy decide --facts FILE`: what the shipped packs say of a facts document. Needs no server.

import { Command } from "commander";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { loadPacks } from "../../policies/load.ts";
import type { PackSet } from "../../policies/packSet.ts";
import { jsonPosition } from "../jsonPosition.ts";
import { exitCodes, explainError, Refusal, readText, run } from "./run.ts";

/** Exit 0: allowed, or an array was judged; 1: refused; 2: the input or a pack can't be used. */
export function decideCommand(): Command {
	return new Command("decide")
		.description(
			"decide one facts document, or each of an array, one decision a line; an item that can't be used gets {error} as its line",
		)
		.requiredOption("--facts <file>", "facts as JSON; an object or an array of them")
		.option("--json", "print JSON, as it does anyway")
		.option("--packs <directory>", "packs to use instead of the shipped ones")
		.action((options: { facts: string; packs?: string }) => run("policy decide", () => decide(options)));
}

async function decide(options: { facts: string; packs?: string }): Promise<number> {
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
		console.log(JSON.stringify(decision));
		return decision.allowed ? exitCodes.yes : exitCodes.no;
	}
	let exitCode: number = exitCodes.yes;
	for (const [at, value] of document.entries()) {
		try {
			console.log(JSON.stringify(judge(value, `${options.facts}: item ${at}`)));
		} catch (error) {
			// The others still get their line, so that answers and questions stay side by side.
			if (!(error instanceof Refusal)) throw error;
			console.log(JSON.stringify({ error: error.message }));
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
