// A circuit breaker: a carrier that fails again and again is left alone for a while, then asked by one attempt at a time.

const failuresMax = 5;
const firstMs = 1_000;
const longestMs = 60_000;
// An attempt whose end nobody tells of must not keep the circuit half open for ever.
const probeMs = 30_000;

export type Circuit = ReturnType<typeof createCircuit>;

/** @param monotonic milliseconds that no one can set */
export function createCircuit(monotonic: () => number) {
	let failures = 0;
	let openUntil = 0;
	let probingUntil = 0;

	return {
		/** 0 when an attempt may be made, which then must be told of; otherwise milliseconds until one is worth asking for. */
		admit(): number {
			if (failures < failuresMax) return 0;
			const now = monotonic();
			if (now < openUntil) return Math.ceil(openUntil - now);
			if (now < probingUntil) return firstMs;
			probingUntil = now + probeMs;
			return 0;
		},
		/** Tells what came of an attempt: `undefined` where the carrier was not asked. */
		tell(isWell: boolean | undefined): void {
			probingUntil = 0;
			if (isWell === undefined) return;
			failures = isWell ? 0 : failures + 1;
			const opens = failures - failuresMax;
			if (opens >= 0) openUntil = monotonic() + Math.min(longestMs, firstMs * 2 ** Math.min(opens, 10));
		},
		isOpen: () => failures >= failuresMax,
	};
}
