// What befalls a run and when: drawn from a seed, so that a run that failed can be had again.

export type ProcessTarget = "api" | "worker" | "sender" | "carrier" | "worker2" | "sender2";
export type ServerTarget = "temporal" | "mongodb" | "vault" | "redis";
export type Target = ProcessTarget | ServerTarget;

/**
 * `kill` -9 · `stop` SIGSTOP, then SIGCONT · `cut` nothing gets through, connections end · `hang` nothing gets through,
 * connections stay · `slow` each piece waits · `reset` connections are reset once · `empty` Redis forgets all · `seal`
 * Vault · `full` the disk of a server has no room left · `jump` the clock of a process is wrong by `byMs`.
 */
export type FaultKind = (typeof faultKinds)[number];
export const faultKinds = ["kill", "stop", "cut", "hang", "slow", "reset", "empty", "seal", "full", "jump"] as const;

/** `atMs` from the start; the target is whole again after `forMs`. */
export type Fault = { kind: FaultKind; target: Target; atMs: number; forMs: number; byMs?: number };

/** A fault that befell, from its beginning until all that it broke was mended; epoch ms. */
export type Befallen = Fault & { from: number; to: number };

const workers: ProcessTarget[] = ["api", "worker", "sender", "worker2", "sender2"];
export const processTargets: ProcessTarget[] = [...workers, "carrier"];
const servers: ServerTarget[] = ["temporal", "mongodb", "vault", "redis"];
const links: Target[] = [...servers, "carrier"];

/** `weight`: how often it is drawn beside the others. `byMs`: at least and at most, in either direction. */
type Row = { kind: FaultKind; weight: number; targets: Target[]; forMs: [number, number]; byMs?: [number, number] };
export const rows: Row[] = [
	{ kind: "kill", weight: 4, targets: [...processTargets, ...servers], forMs: [200, 5_000] },
	{ kind: "stop", weight: 3, targets: [...workers, ...servers], forMs: [30_000, 30_000] },
	{ kind: "cut", weight: 2, targets: links, forMs: [1_000, 15_000] },
	{ kind: "hang", weight: 2, targets: links, forMs: [2_000, 15_000] },
	{ kind: "slow", weight: 1, targets: links, forMs: [5_000, 20_000] },
	{ kind: "reset", weight: 2, targets: links, forMs: [0, 0] },
	{ kind: "empty", weight: 1, targets: ["redis"], forMs: [0, 0] },
	{ kind: "seal", weight: 1, targets: ["vault"], forMs: [2_000, 10_000] },
	{ kind: "full", weight: 2, targets: servers, forMs: [3_000, 12_000] },
	// No further than the engine says that clocks may be apart: `limits.clockSkewMs`.
	{ kind: "jump", weight: 3, targets: processTargets, forMs: [5_000, 40_000], byMs: [5_000, 15_000] },
];
const gapMs: [number, number] = [1_000, 8_000];

/** Faults within `forMs`, in order; no target has two at once. The same seed has the same ones. */
export function planFaults(seed: number, options: { forMs: number; without?: readonly FaultKind[] }): Fault[] {
	const random = createRandom(seed);
	const between = ([low, high]: [number, number]) => Math.round(low + random() * (high - low));
	const pick = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)] as T;
	const possible = rows
		.filter(({ kind }) => !options.without?.includes(kind))
		.flatMap((row) => Array.from({ length: row.weight }, () => row));
	const faults: Fault[] = [];
	for (let atMs = between(gapMs); ; atMs += between(gapMs)) {
		const { kind, targets, forMs, byMs } = pick(possible);
		const target = pick(targets);
		// Of a short run a stop must not be all.
		const fault: Fault = { kind, target, atMs, forMs: Math.min(between(forMs), Math.round(options.forMs / 4)) };
		if (byMs) fault.byMs = between(byMs) * pick([-1, 1]);
		if (fault.atMs + fault.forMs > options.forMs) return faults;
		if (!faults.some((other) => other.target === target && other.atMs + other.forMs >= atMs)) faults.push(fault);
	}
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function createRandom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
