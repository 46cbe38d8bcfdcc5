// What Vault holds and costs as cohorts add up: memory, disk, and what a request takes, step by step up to a number of keys.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createVaultClient } from "../adapters/vault/client.ts";
import { createCohortKeys } from "../adapters/vault/cohortKeys.ts";
import { issueCredentials } from "../adapters/vault/issue.ts";
import type { Role } from "../adapters/vault/policies.ts";
import { formatId } from "../domain/ids.ts";
import { bytesIn, latenciesOf, rateOf, residentBytes, spread } from "./measure.ts";

type VaultTarget = { address: string; issuerToken: string; pid: number | null; dataDir: string | null };

const steps = 5;
const lanes = 8;
const probes = 50;

/**
 * Makes `cohorts` keys in five steps, and measures each: resident memory of Vault's process and bytes of its data (null
 * where it runs elsewhere), keys made a second, and milliseconds to draw a wrapping key. At last destroys them all.
 */
export async function growCohorts(target: VaultTarget, options: { cohorts: number }) {
	const login = async (role: Role) => {
		const credentials = await issueCredentials({ ...target, role });
		return createVaultClient({ ...target, ...credentials, clock: Date.now, onLost: () => undefined });
	};
	const [api, eraser] = [await login("api"), await login("eraser")];
	const making = createCohortKeys({ vault: api });
	const destroying = createCohortKeys({ vault: eraser });
	const ids: string[] = [];
	const measured = [{ cohorts: 0, ...holds(target) }] as Record<string, unknown>[];
	try {
		for (let step = 1; step <= steps; step++) {
			const fresh = Array.from({ length: Math.floor(options.cohorts / steps) }, () =>
				formatId("cohort", randomBytes(16)),
			);
			const made = await rateOf(fresh.length, lanes, (index) => making.createCohortKey(fresh[index] as string));
			ids.push(...fresh);
			const draws = await latenciesOf(probes, async (index) => {
				const drawn = await making.drawWrappingKey(ids[(index * 7919) % ids.length] as string);
				drawn.plain.fill(0);
				return undefined;
			});
			measured.push({ cohorts: ids.length, ...holds(target), keysPerSecond: made, drawMs: spread(draws) });
		}
		const destroyed = await rateOf(ids.length, lanes, (index) => destroying.destroyCohortKey(ids[index] as string));
		return {
			steps: measured,
			...perCohort(measured),
			destroyedPerSecond: destroyed,
			afterDestruction: holds(target),
		};
	} finally {
		await Promise.all([api.close(), eraser.close()]);
	}
}

function holds({ pid, dataDir }: VaultTarget): { residentBytes: number | null; dataBytes: number | null } {
	return {
		residentBytes: pid === null ? null : residentBytes(pid),
		dataBytes: dataDir === null ? null : bytesIn(join(dataDir, "raft")),
	};
}

function perCohort(measured: Record<string, unknown>[]): Record<string, number | null> {
	const [first, last] = [measured[0], measured.at(-1)];
	const each = (name: string) => {
		const [before, after] = [first?.[name], last?.[name]];
		if (typeof before !== "number" || typeof after !== "number") return null;
		return Math.round((after - before) / (last?.cohorts as number));
	};
	return { residentBytesPerCohort: each("residentBytes"), dataBytesPerCohort: each("dataBytes") };
}
