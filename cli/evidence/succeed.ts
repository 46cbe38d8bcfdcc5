// `lethe evidence succeed`: people judge a log from which a restore has lost signed entries; it goes on as its own successor.

import { Command, Option } from "commander";
import { idOfNote } from "../../audit/succession.ts";
import type { Deps } from "../../deps.ts";
import { type Act, isSound } from "../../domain/evidence.ts";
import { exitCodes, Refusal, run } from "../run.ts";
import { adminDeps } from "../target.ts";

type Options = { reason: string; json?: boolean };

export function succeedCommand(): Command {
	return new Command("succeed")
		.description(
			"judge that the log goes on as its successor, under another name, without the signed entries that it lacks (needs the admin role)",
		)
		.addOption(
			new Option("--reason <reason>", "why it lacks them").choices(["restore", "tampering"]).makeOptionMandatory(),
		)
		.option("--json", "print the result as JSON")
		.action((options: Options) => run("evidence succeed", () => succeed(options)));
}

async function succeed({ reason, json }: Options): Promise<number> {
	const deps = await adminDeps();
	try {
		const judged = await judgeLog(deps, reason);
		if (json) console.log(JSON.stringify(judged, null, 2));
		else for (const line of describe(judged)) console.log(line);
		return exitCodes.yes;
	} finally {
		await deps.close();
	}
}

/** `size`: how many entries the log has as it goes on under the successor's name. */
type JudgedLog = { predecessor: NonNullable<Act["predecessor"]>; successor: string; size: number };

/**
 * The entry is in the log before the judgement is recorded, and the worker signs nothing without both.
 * @throws Refusal when there is nothing to judge, or nothing to go by
 */
export async function judgeLog(
	deps: Pick<Deps, "checkpoints" | "succession"> & {
		ledger: Pick<Deps["ledger"], "life">;
		evidence: Pick<Deps["evidence"], "append">;
	},
	reason: string,
): Promise<JudgedLog> {
	const { standing: epoch } = await deps.ledger.life();
	if (epoch !== "current") throw new Refusal("the store is in quarantine: run `lethe restore` first.");
	const { standing, size } = await deps.checkpoints.standing();
	if (isSound(standing))
		throw new Refusal("the log holds what its witnesses saw: it needs no successor.", exitCodes.no);
	const last = await deps.checkpoints.last();
	if (last === undefined)
		throw new Refusal("no checkpoint of this log is signed by its key: run `lethe evidence fsck`.");
	const { note, checkpoint, successor } = last;
	const predecessor = { ...checkpoint, root: checkpoint.root.toString("base64") };
	const act = { type: "evidence_succeeded", code: reason, by: "admin", about: idOfNote(note), predecessor } as const;
	await deps.evidence.append([act]);
	await deps.succession.judge(note);
	return { predecessor, successor, size };
}

function describe({ predecessor: was, successor, size }: JudgedLog): string[] {
	return [
		`The log stood at ${size.toLocaleString("en")} entries; ${was.origin} was witnessed at ${was.size.toLocaleString("en")}, root ${was.root}.`,
		`It goes on as ${successor}: the worker signs that within some ten seconds, and what was witnessed is kept.`,
		"What it lacks is in the exports that others have taken: give them that root, and ask them for those.",
	];
}
