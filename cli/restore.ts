// `lethe restore`: has a store that was restored from a copy forget again what it had forgotten, then lets Lethe work.

import { Command } from "commander";
import { reapply } from "./restore/reapply.ts";
import { adminDeps } from "./target.ts";

/** Exit 0: the store stands as the ledger says, now or before; 2: it can't be done. Run again, it goes on. */
export function restoreCommand(): Command {
	return new Command("restore")
		.description("Apply erasures, opt-outs, withdrawals and holds again after a restore; end what was open as unknown.")
		.option("--json", "print the result as JSON")
		.option("--check", "say only how the store stands to the ledger; exit 1 when it is behind")
		.action(async ({ json, check }: { json?: boolean; check?: boolean }) => {
			const deps = await adminDeps("restorer");
			try {
				const standing = await deps.ledger.standing();
				const isOld = standing === "store_behind" || standing === "ledger_behind";
				if (check || !isOld) {
					process.stdout.write(json ? `${JSON.stringify({ standing })}\n` : `${sentences[standing]}\n`);
					if (isOld) process.exitCode = 1;
					return;
				}
				const applied = await reapply(deps);
				await deps.evidence.append([{ type: "store_restored", code: standing, by: "admin" }]);
				await deps.ledger.begin();
				const counts = Object.entries(applied).map(([name, count]) => `  ${name}: ${count}`);
				process.stdout.write(
					json
						? `${JSON.stringify({ standing: "current", was: standing, applied })}\n`
						: [sentences[standing], "Applied:", ...counts, "Lethe works again within seconds.", ""].join("\n"),
				);
			} finally {
				await deps.close();
			}
		});
}

const sentences = {
	new: "Nothing has been written yet: there is nothing to restore.",
	current: "The store stands as the ledger says: there is nothing to restore.",
	store_behind: "The store is older than it was: it was restored from a copy.",
	ledger_behind: "Vault is older than it was: it was restored from a copy, and may hold keys that were destroyed.",
};
