// `lethe evidence checkpoint`: the last checkpoint, to be kept by whoever will want to know that nothing of it was changed.

import { Command } from "commander";
import { readCheckpoint } from "../../audit/checkpoint.ts";
import { verifierKey } from "../../audit/note.ts";
import { pinnedKeys } from "../../audit/pinnedKeys.ts";
import { call, type TargetOptions, withTarget } from "../policy/call.ts";
import { exitCodes, run } from "../run.ts";

export function checkpointCommand(): Command {
	const command = new Command("checkpoint").description(
		"print the last checkpoint, a signed note; as JSON also the keys by which other programs verify it",
	);
	return withTarget(command).action((options: TargetOptions) => run("evidence checkpoint", () => checkpoint(options)));
}

async function checkpoint(options: TargetOptions): Promise<number> {
	const note = await call<string>(options, "/v1/evidence/checkpoint");
	if (!options.json) {
		process.stdout.write(note);
		return exitCodes.yes;
	}
	const jwks = await call<unknown>(options, "/.well-known/jwks.json");
	const name = readCheckpoint(note)?.origin ?? "";
	// The set has the keys of certificates, receipts and the canary, too: no program may take one of those for the log's.
	const own = pinnedKeys(jwks).ed25519.filter((key) => key.lethe_use === "evidence");
	const verifierKeys = own.map(({ x }) => verifierKey({ name, x }));
	console.log(JSON.stringify({ checkpoint: note, verifierKeys }, null, 2));
	return exitCodes.yes;
}
