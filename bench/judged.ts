// What a run is judged by: of each suite the figures that a later run is compared in, which way each is better, and what
// must hold whatever is on record.

import type { Suites } from "./suites.ts";

/**
 * `more` is better the more it is, `less` the less, by name: ratios within one run, counts and bytes, which a slow machine
 * does not worsen as it does rates and times. `broken`: one line for each promise that the run itself did not keep.
 */
export type Judgement = { more?: Record<string, number>; less?: Record<string, number>; broken?: string[] };

export const judged: { [Suite in keyof Suites]: (of: Suites[Suite]) => Judgement } = {
	lifecycle: (of) => ({
		more: {
			ratio: of.ratio,
			sharedRatio: of.sharedRatio,
			"sharing.waiting.ratios": of.sharing.waiting.ratios.median,
		},
		less: {
			latencyRatio: of.latencyRatio,
			eventsPerMessage: of.eventsPerMessage,
			historyBytesPerMessage: of.historyBytesPerMessage,
		},
	}),
	batch: (of) => ({
		more: { ratio: of.ratio },
		less: {
			eventsPerMessage: of.eventsPerMessage,
			historyBytesPerMessage: of.historyBytesPerMessage,
			// As a share of the bulk's own time, for either is the longer the slower the machine.
			"codes.duringBulk.acceptToCarrierP95Ms": of.codes.duringBulk.acceptToCarrierP95Ms / (of.codes.bulkSeconds * 1000),
		},
	}),
	accept: (of) => ({
		more: { ratio: of.ratio, "batches.ratio": of.batches.ratio },
		less: { latencyRatio: of.latencyRatio, "loaded.latencyRatio": of.loaded.latencyRatio },
		broken: Object.entries(of.overload.met)
			.filter(([, met]) => !met)
			.map(([name]) => `overload.met.${name} is false`),
	}),
	encrypt: (of) => ({
		more: { ratio: of.ratio, vaultRatio: of.vaultRatio },
		broken: [
			...short("ratio", of.ratio, of.targets.ratioMin),
			...short("vaultRatio", of.vaultRatio, of.targets.vaultRatioMin),
		],
	}),
	queues: (of) => ({
		more: { ratio: of.ratio },
		// The limit sets the pace of either tenant: what it lets through meanwhile is the same on any machine.
		less: { "fairness.waitMs": of.fairness.waitMs.median },
	}),
	purge: (of) => ({ more: { ratio: of.ratio }, broken: short("ratio", of.ratio, of.targets.ratioMin) }),
	// `ratios.bare` is none of them: nothing of ours is in it.
	growth: (of) => ({
		more: { "ratios.single": of.ratios.single, "ratios.batch": of.ratios.batch },
		less: {
			// No number where the system does not tell it.
			...(Number.isNaN(of.memory.letheSharedOnceBytes)
				? {}
				: { "memory.letheSharedOnceBytes": of.memory.letheSharedOnceBytes }),
			"bytesPerMessage.all": of.bytesPerMessage.all,
		},
	}),
	// That another is absent is the machine's affair; that Lethe is, or sends twice, is ours.
	peers: (of) => ({
		more: Object.fromEntries(
			Object.entries(of.ratios).flatMap(([ours, over]) =>
				Object.entries(over).map(([theirs, ratio]) => [`ratios.${ours}.${theirs}`, ratio] as const),
			),
		),
		broken: Object.entries(of.peers)
			.filter(([name]) => name.startsWith("lethe"))
			.flatMap(([name, { absent, failed = absent, killed }]) => [
				...(failed === undefined ? [] : [`${name}: ${failed}`]),
				...(killed && killed.twice > 0 ? [`${name}: ${killed.twice} sent twice after a kill`] : []),
			]),
	}),
	soak: (of) => ({
		less: {
			...Object.fromEntries(Object.entries(of.ratios).map(([name, ratio]) => [`ratios.${name}`, ratio] as const)),
			databaseBytesPerMessage: of.databaseBytesPerMessage,
		},
		broken: of.failed > 0 ? [`${of.failed} of ${of.messages} messages failed`] : [],
	}),
	page: (of) => ({
		less: {
			ratio: of.ratio,
			pinRatio: of.pinRatio,
			"withoutPin.bytes": of.withoutPin.bytes,
			"withPin.bytes": of.withPin.bytes,
		},
	}),
	cost: (of) => ({ broken: of.over }),
	policy: (of) => ({
		more: { ratio: of.ratio },
		broken: short("evaluationsPerSecond", of.evaluationsPerSecond.median, of.targets.evaluationsPerSecondMin),
	}),
};

function short(name: string, found: number, least: number): string[] {
	return !(found >= least) ? [`${name} is ${found.toFixed(3)}, its target ${least}`] : [];
}
