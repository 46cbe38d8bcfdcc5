// `lethe restore`: has a store that was restored from a copy forget again what it had forgotten, then lets Lethe work.

import { Command } from "commander";
import type { Deps } from "../deps.ts";
import { isSound, type Standing } from "../domain/evidence.ts";
import { type EpochStanding, isOld } from "../domain/ledger.ts";
import { addExample } from "./examples.ts";
import { reapply } from "./restore/reapply.ts";
import { adminDeps } from "./target.ts";

/** Exit 0: the store stands as the ledger says, now or before; 2: it can't be done. Run again, it goes on. */
export function restoreCommand(): Command {
	return addExample(new Command("restore"), "lethe restore --check")
		.description(
			"Apply erasures, opt-outs, withdrawals and holds again after a restore; end what was open as unknown, close unread links, lock one-time codes.",
		)
		.option("--json", "print the result as JSON")
		.option("--check", "say only how the store stands to the ledger; exit 1 when it is behind")
		.action(async ({ json, check }: { json?: boolean; check?: boolean }) => {
			const deps = await adminDeps("restorer");
			try {
				const { standing } = await deps.ledger.life();
				if (check || !isOld(standing)) {
					// A place that is new, or from a copy, is told of by nobody's age: it just lacks what another has.
					const filled = check ? 0 : await deps.ledger.fill();
					const told = filled === 0 ? "" : ` ${filled} entries were put where a place of the ledger lacked them.`;
					process.stdout.write(`${json ? JSON.stringify({ standing, filled }) : `${sentences[standing]}${told}`}\n`);
					if (isOld(standing)) process.exitCode = 1;
					return;
				}
				const knownUntil = await deps.ledger.knownUntil();
				const applied = await reapply(deps);
				await deps.evidence.append([{ type: "store_restored", code: standing, by: "admin" }]);
				await deps.ledger.begin();
				const evidence = (await deps.checkpoints.standing()).standing;
				const counts = Object.entries(applied).map(([name, count]) => `  ${name}: ${count}`);
				process.stdout.write(
					json
						? `${JSON.stringify({ standing: "current", was: standing, applied, knownUntil: formatKnown(knownUntil), evidence })}\n`
						: [
								sentences[standing],
								"Applied:",
								...counts,
								...windowOf(deps, knownUntil, standing),
								...unreadableOf(applied.unreadable),
								...evidenceOf(evidence),
								"",
							].join("\n"),
				);
			} finally {
				await deps.close();
			}
		});
}

function formatKnown(at: number | undefined): string | undefined {
	return at === undefined ? undefined : new Date(at).toISOString();
}

// What was taken while Vault was away waited in the very store that is gone, unless a folder had it too.
function windowOf({ config }: Pick<Deps, "config">, knownUntil: number | undefined, was: EpochStanding): string[] {
	const since = formatKnown(knownUntil) ?? "the beginning";
	const known = `The ledger knew all opt-outs, withdrawals, holds and revocations until ${since}; every place of it has them again.`;
	const file = "Those taken after that while Vault was away are in LETHE_LEDGER_DIR, and were applied from there.";
	const none =
		"Those taken after that while Vault was away are lost with the store: ask carriers and callers for them again.";
	const traceless =
		"What the store shows was entered again. Passkeys, endpoints and issuers that were removed since leave no trace in it: remove them anew should the database be restored from before that, too.";
	const lost = was === "ledger_behind" ? [traceless] : [none];
	return [known, ...(config.ledgerDir === undefined ? lost : [file]), "Lethe works again within seconds."];
}

function unreadableOf(count: number): string[] {
	if (count === 0) return [];
	return [
		`Messages with a part that can't be read, as a damaged copy has: ${count}. \`lethe alerts\` names them within minutes; take those from another copy.`,
	];
}

// What was signed and is not in the copy is for people to judge: nothing is signed over it before.
function evidenceOf(standing: Standing): string[] {
	if (isSound(standing)) return [];
	return [
		"The evidence log lacks what was signed: run `lethe evidence fsck`, then `lethe evidence succeed --reason restore`.",
	];
}

const sentences = {
	new: "Nothing has been written yet: there is nothing to restore.",
	current: "The store stands as the ledger says: there is nothing to restore.",
	store_behind: "The store is older than it was: it was restored from a copy.",
	ledger_behind: "Vault is older than it was: it was restored from a copy, and may hold keys that were destroyed.",
};
