// Work that is done again and again: soon while there is some, later while there is none.

/** `step` answers in how many milliseconds it is wanted again; after it failed, that is in `idleEveryMs`. */
export function createLoop(options: {
	step: () => Promise<number>;
	idleEveryMs: number;
	onError: (error: Error) => void;
}) {
	let timer: NodeJS.Timeout | undefined;
	let turning = Promise.resolve();
	let closed = false;

	async function turn(): Promise<void> {
		const waitMs = await options.step().catch((error: Error) => {
			options.onError(error);
			return options.idleEveryMs;
		});
		if (!closed) schedule(waitMs);
	}

	function schedule(ms: number): void {
		timer = setTimeout(() => {
			turning = turn();
		}, ms);
	}

	return {
		/** @param inMs when the first turn is due */
		start: (inMs = 0) => schedule(inMs),
		/** Resolves once a turn under way has ended. */
		async close(): Promise<void> {
			closed = true;
			clearTimeout(timer);
			await turning;
		},
	};
}
