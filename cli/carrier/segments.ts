// `lethe carrier segments --file FILE`: how many SMS each of an array of texts becomes, and in which encoding.

import { Command } from "commander";
import { segmentText } from "../../domain/segments.ts";
import { exitCodes, run } from "../run.ts";
import { readTexts } from "./readFile.ts";

/** Exit 0: counted; 2: the file can't be used. */
export function segmentsCommand(): Command {
	return new Command("segments")
		.description("count the SMS that each of an array of texts becomes, one JSON line each")
		.requiredOption("--file <file>", "JSON: an array of texts")
		.option("--json", "print JSON, as it does anyway")
		.action((options: { file: string }) => run("carrier segments", () => count(options.file)));
}

async function count(file: string): Promise<number> {
	for (const text of await readTexts(file)) console.log(JSON.stringify(segmentText(text)));
	return exitCodes.yes;
}
