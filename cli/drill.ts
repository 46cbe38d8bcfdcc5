// `lethe drill`: does in earnest what nobody likes to try out: restores old copies, and attacks what was forgotten.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import type { Drilled } from "./drill/stage.ts";
import { addExamples } from "./examples.ts";

const folderDefault = fileURLToPath(new URL("../.lethe/drill", import.meta.url));

/** Exit 0: every row is as it must be; 1: one is not; 2: it could not be run. */
export function drillCommand(): Command {
	const drill = new Command("drill").description("Rehearse a restore or a theft on a deployment of its own.");
	const add = (name: string, description: string, load: () => Promise<(dir: string, say: Say) => Promise<Drilled>>) =>
		drill
			.command(name)
			.description(description)
			.option("--dir <folder>", "where it runs; emptied first and after", folderDefault)
			.option("--json", "print the table as JSON")
			.action(async ({ dir, json }: { dir: string; json?: boolean }) => {
				const run = await load().catch(() => {
					throw new Error("drills start a deployment of their own: run them from a clone, not from an image.");
				});
				const drilled = await run(resolve(dir, name), (line) => process.stderr.write(`${line}\n`));
				process.stdout.write(json ? `${JSON.stringify(drilled, null, 2)}\n` : describe(drilled));
				if (!drilled.passed) process.exitCode = 1;
			});
	add(
		"restore",
		"Restore an old copy of the database: what was forgotten is forgotten again, and nothing is sent twice.",
		async () => (await import("./drill/restore.ts")).drillRestore,
	);
	add(
		"forget",
		"Attack every combination of old and new copies of the stores after a purge.",
		async () => (await import("./drill/forget.ts")).drillForget,
	);
	return addExamples(drill, examples);
}

const examples = {
	restore: "lethe drill restore --json",
	forget: "lethe drill forget --json",
};

type Say = (line: string) => void;

function describe({ title, rows, passed }: Drilled): string {
	const width = Math.max(...rows.map(({ what }) => what.length));
	const lines = rows.map(({ what, found, wanted, ok }) => {
		return `${ok ? "ok  " : "FAIL"} ${what.padEnd(width)}  ${found}${ok ? "" : `, wanted ${wanted}`}`;
	});
	return [title, ...lines, passed ? "Passed." : "NOT PASSED.", ""].join("\n");
}
