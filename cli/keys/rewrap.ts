// `lethe keys rewrap`: what old versions of cohorts' keys wrap is wrapped by the newest, and old versions are ended.

import { Command } from "commander";
import type { Deps } from "../../deps.ts";
import { withDeps } from "../admin/withDeps.ts";

const pageItems = 100;

export function rewrapCommand(): Command {
	return new Command("rewrap")
		.description("Wrap anew what old versions of cohorts' keys wrap; stopped half way, it goes on where it was.")
		.option("--cohort <id>", "one cohort only")
		.option("--json", "print nothing but the JSON object")
		.action((options: { cohort?: string; json?: boolean }) =>
			withDeps(async (deps) => {
				const sum = { cohorts: 0, rewrapped: 0, resting: 0 };
				const renew = async (id: string): Promise<void> => {
					const { state, rewrappedCount } = await deps.keyRotation.renew(id, Number.NEGATIVE_INFINITY);
					if (state === "gone") return refuseGone(deps, id, options);
					sum.cohorts++;
					sum.rewrapped += rewrappedCount;
					if (state === "resting") sum.resting++;
				};
				if (options.cohort) await renew(options.cohort);
				let after = "";
				while (!options.cohort) {
					const page = await deps.store.cohorts.pageStanding(after, pageItems);
					for (const { _id } of page) await renew(_id);
					const last = page.at(-1);
					if (!last) break;
					after = last._id;
					if (!options.json) process.stderr.write(`${sum.cohorts} cohorts, ${sum.rewrapped} keys wrapped anew\n`);
				}
				return sum;
			}),
		);
}

/**
 * Of one that was asked for nothing was done; beside others it is told, and the exit code says that not all were. One that
 * is being destroyed just then needs nothing.
 */
async function refuseGone({ store }: Deps, id: string, { cohort }: { cohort?: string }): Promise<void> {
	const why = `there is no key cohort-${id}. See \`lethe keys list --cohort ${id}\`.`;
	if (cohort) throw new Error(why);
	const { state = "destroyed" } = (await store.cohorts.find(id)) ?? {};
	if (state === "condemned" || state === "destroyed") return;
	process.stderr.write(`${why}\n`);
	process.exitCode = 1;
}
