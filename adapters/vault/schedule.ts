// Timers as a dependency: they never keep a process alive, and tests may hold them in their hands.

/** Runs `run` once, after `afterMs`; the answer cancels it. */
export type Schedule = (run: () => void, afterMs: number) => () => void;

export const schedule: Schedule = (run, afterMs) => {
	const timer = setTimeout(run, afterMs);
	timer.unref();
	return () => clearTimeout(timer);
};
