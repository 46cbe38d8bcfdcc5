// A proposal against all stored messages, page by page: what it would change is counted, nothing is changed.

import { limits } from "../domain/limits.ts";
import type { RetentionObject } from "../domain/message.ts";
import type { Proposal, Simulation } from "../domain/proposal.ts";
import { readPack } from "../policies/load.ts";
import { type SimulatedChange, simulate, tally } from "../policies/simulate.ts";
import type { Stepped } from "../workflows/contract.ts";
import type { ActivityDeps } from "./deps.ts";

export type SimulateDeps = Pick<ActivityDeps, "clock" | "monotonic" | "policies"> & {
	store: Pick<ActivityDeps["store"], "proposals" | "messageScan" | "tenants">;
};

type Needs = Partial<Record<RetentionObject, string>>;

/** `simulatePages` does pages for some seconds; of two workers at the same page one is counted. */
export function createSimulate(deps: SimulateDeps) {
	const { proposals, messageScan, tenants } = deps.store;

	async function readNeeds(ids: Iterable<string>): Promise<Map<string, Needs>> {
		const entries = [...new Set(ids)].map(async (id) => [id, (await tenants.find(id))?.retention ?? {}] as const);
		return new Map(await Promise.all(entries));
	}

	/** Reading a text takes as long as judging a page of messages: it is done once a step. */
	function readChange({ pack, version, text }: Proposal, { asOf }: Simulation): SimulatedChange {
		return { ...deps.policies.preview(readPack(text, `${pack}/${version}.yaml`).file, asOf), asOf };
	}

	/** One page; true when there is none left. */
	async function simulatePage(_id: string, simulation: Simulation, change: SimulatedChange): Promise<boolean> {
		const { id, cursor, by } = simulation;
		const now = deps.clock();
		const page = await messageScan.scan(cursor, limits.policyPageItems);
		const last = page.at(-1);
		const where = { "simulation.id": id, "simulation.cursor": cursor, "simulation.endedAt": { $exists: false } };
		if (!last) {
			const set = { "simulation.endedAt": now };
			await proposals.change(_id, { to: "simulated", by, where, set, unset: ["nextCheckAt"] });
			return true;
		}
		const needs = await readNeeds(page.map(({ tenantId }) => tenantId));
		const sum = { counts: { ...simulation.counts }, samples: structuredClone(simulation.samples) };
		for (const message of page) tally(sum, message._id, simulate(message, change, needs.get(message.tenantId) ?? {}));
		const set = {
			"simulation.cursor": last._id,
			"simulation.counts": sum.counts,
			"simulation.samples": sum.samples,
			nextCheckAt: now + limits.driverPatienceMs,
		};
		await proposals.change(_id, { from: ["checked", "simulated"], where, set });
		return false;
	}

	return {
		async simulatePages(proposalId: string): Promise<Stepped> {
			const startedAt = deps.monotonic();
			let known: { id: string; change: SimulatedChange } | undefined;
			for (;;) {
				const proposal = await proposals.find(proposalId);
				const simulation = proposal?.simulation;
				const stands = proposal?.state === "checked" || proposal?.state === "simulated";
				if (!stands || !simulation || simulation.endedAt !== undefined) return { moreDue: false, percent: 100 };
				if (known?.id !== simulation.id) known = { id: simulation.id, change: readChange(proposal, simulation) };
				if (await simulatePage(proposalId, simulation, known.change)) return { moreDue: false, percent: 100 };
				if (deps.monotonic() - startedAt < limits.policyStepMs) continue;
				const share = Math.floor((100 * (simulation.counts.messages ?? 0)) / (simulation.total || 1));
				return { moreDue: true, percent: Math.min(99, share) };
			}
		},
	};
}
