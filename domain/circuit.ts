// A circuit breaker: a carrier that fails again and again is left alone for a while, then asked by one attempt at a time.

const failuresMax = 5;
const firstMs = 1_000;
const longestMs = 60_000;
// An attempt whose end nobody tells of must not keep the circuit half open for ever.
const probeMs = 30_000;

/** What an attempt tells of whom it asks: that they are well, why they are not (a code of ours), or nothing, for they were not asked. */
export type Told = true | { code: string } | undefined;

// No carrier can be well for a queue that lacks its address or credentials: the first attempt says as much as five.
const sureCode = "not_configured";

// Of these a queue does not get well by itself, however seldom anything is sent over it.
const lastingCodes: readonly string[] = [sureCode, "credentials_refused"];

/** Whether a carrier that fails with this code does so until somebody mends its queue. */
export const isLasting = (code: string) => lastingCodes.includes(code);

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
		tell(told: Told): void {
			probingUntil = 0;
			if (told === undefined) return;
			// Of those that were under way when it opened many fail at once, which is one outage all the same.
			if (told !== true && failures >= failuresMax && monotonic() < openUntil) return;
			failures = told === true ? 0 : Math.max(failures + 1, told.code === sureCode ? failuresMax : 0);
			const opens = failures - failuresMax;
			if (opens >= 0) openUntil = monotonic() + Math.min(longestMs, firstMs * 2 ** Math.min(opens, 10));
		},
		/** Whom it asks is another from now on: one attempt may ask at once, and the others wait for what comes of it. */
		retry(): void {
			failures = Math.min(failures, failuresMax);
			openUntil = 0;
			probingUntil = 0;
		},
		isOpen: () => failures >= failuresMax,
	};
}
