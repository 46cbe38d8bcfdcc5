// `lethe evidence list`: what the log says of one message, hold, request or key, or what was entered last.

import { Command } from "commander";
import type { EvidenceEntry } from "../../client/types.ts";
import { listOf } from "../records.ts";

export function listCommand(): Command {
	const command = new Command("list")
		.description("list entries, the last integrated first; what others may not see is passed over")
		.option("--about <id>", "only those about it, such as msg_…, hld_… or dsr_…, also where that is gone");
	return listOf<EvidenceEntry>(command, {
		path: () => "/v1/evidence",
		filters: ["about"],
		line: lineOf,
		example: "lethe evidence list --about msg_…",
	});
}

function lineOf({ index, at, type, code, about, by }: EvidenceEntry): string {
	return [`${index}`.padEnd(8), at, code ? `${type} ${code}` : type, about, by && `by ${by}`]
		.filter(Boolean)
		.join("  ");
}
