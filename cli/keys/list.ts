// `lethe keys list`: every key by its use, with its age and its cryptoperiod; of a cohort's, what still needs it.

import { Command } from "commander";
import { findKeyAges, isSigningKey } from "../../audit/keyAges.ts";
import { findKeyNeeds, type OldVersion } from "../../audit/keyNeeds.ts";
import type { Deps } from "../../deps.ts";
import { formatTime } from "../../domain/formatTime.ts";
import { adminDeps } from "../target.ts";
import { describeNeeds, tellNeed } from "./retire.ts";

const day = 24 * 3600_000;

export function listCommand(): Command {
	return new Command("list")
		.description("List keys with age, use and what depends on them.")
		.option("--cohort <id>", "one cohort's key, and what still needs it")
		.option("--json", "print JSON")
		.action(async (options: { cohort?: string; json?: boolean }) => {
			const deps = await adminDeps();
			try {
				const found = options.cohort ? await describeCohort(deps, options.cohort) : await takeInventory(deps);
				process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : describe(found));
			} finally {
				await deps.close();
			}
		});
}

/** Signing and HMAC keys one by one, cohorts' keys as sums. `unknown`: keys in Vault that no cohort here is of. */
async function takeInventory(deps: Deps) {
	const now = deps.clock();
	const names = await deps.keyVersions.names();
	const inVault = names.filter((name) => name.startsWith("cohort-")).length;
	const people = names.filter((name) => isSigningKey(name) || name.startsWith("hmac-"));
	const ages = await findKeyAges(deps.keyVersions, deps.limits.keyPeriods, now, people);
	const keys = [];
	for (const age of ages) {
		const { old = [], keepFrom = 0 } = (await findKeyNeeds(deps, age.name)) ?? {};
		keys.push({
			...{ ...age, madeAt: formatTime(age.madeAt), rotateBy: formatTime(age.rotateBy) },
			...{ ageDays: daysSince(age.madeAt, now), old: old.map((one) => toRow(one, keepFrom, now)) },
		});
	}
	const states = await deps.store.cohorts.countByState();
	const [oldest] = await deps.store.cohorts.findKeysMadeBefore(now, 1);
	const overdue = await deps.store.cohorts.findKeysMadeBefore(now - deps.cohortKeyPeriodMs, 1);
	const { open, closing, condemned } = states;
	if (overdue.length > 0 || keys.some((key) => key.overdue)) process.exitCode = 1;
	return {
		keys,
		cohorts: {
			...states,
			inVault,
			unknown: Math.max(0, inVault - open - closing - condemned),
			oldestAgeDays: oldest ? daysSince(oldest.keyMadeAt, now) : 0,
			overdue: overdue.length > 0,
		},
	};
}

/** An old version, and whether nothing needs it or one that is older still. */
function toRow({ version, madeAt, needs }: OldVersion, keepFrom: number, now: number) {
	return { version, ageDays: daysSince(madeAt, now), needs: needs.map(tellNeed), endable: version < keepFrom };
}

function daysSince(at: number, now: number): number {
	return Math.floor((now - at) / day);
}

async function describeCohort(deps: Deps, id: string) {
	const cohort = await deps.store.cohorts.find(id);
	const key = await deps.keyVersions.read(`cohort-${id}`);
	if (!cohort && !key) process.exitCode = 1;
	const [messages, receipts, wrappingKeys] = await Promise.all([
		deps.store.messages.countSealedIn(id),
		deps.store.parkedReceipts.countIn(id),
		deps.store.wrappingKeys.findByCohort(id),
	]);
	return {
		cohort: id,
		state: cohort?.state ?? "unknown",
		...(cohort?.holdId ? { hold: cohort.holdId } : {}),
		...(cohort ? { dueAt: formatTime(cohort.dueAt), keyMadeAt: formatTime(cohort.keyMadeAt) } : {}),
		inVault: key !== undefined,
		...(key ? { versions: key.newest, keptFrom: key.keptFrom } : {}),
		needs: { sealedObjects: messages, parkedReceipts: receipts, wrappingKeys: wrappingKeys.length },
	};
}

function describeOld({ version, ageDays, needs, endable }: ReturnType<typeof toRow>): string {
	const why = endable ? "nothing needs it: end it with `lethe keys retire`" : `needed by ${describeNeeds(needs)}`;
	return `  version ${version}, ${ageDays} days old: ${why}`;
}

function describe(found: Awaited<ReturnType<typeof takeInventory> | ReturnType<typeof describeCohort>>): string {
	if (!("keys" in found)) return `${JSON.stringify(found, null, 2)}\n`;
	const lines = found.keys.flatMap(({ name, use, versions, ageDays, rotateBy, overdue, old }) => {
		const by = rotateBy.slice(0, "2026-11-29".length);
		const dates = overdue ? "OVERDUE since" : "rotate by";
		return [`${name}: ${use}, version ${versions}, ${ageDays} days old, ${dates} ${by}`, ...old.map(describeOld)];
	});
	const { inVault, open, closing, condemned, destroyed, unknown, oldestAgeDays, overdue } = found.cohorts;
	lines.push(
		`cohorts: ${inVault} keys (${open} open, ${closing} closing, ${condemned} condemned), ${destroyed} destroyed, ` +
			`oldest ${oldestAgeDays} days${overdue ? ", OVERDUE" : ""}${unknown > 0 ? `, ${unknown} of no cohort here` : ""}`,
	);
	return `${lines.join("\n")}\n`;
}
