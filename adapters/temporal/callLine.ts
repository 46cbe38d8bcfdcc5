// Calls that nobody waits for: so many at once, the next ones in a line that is bounded in length and in patience.

type Waiting = { call: () => Promise<unknown>; since: number };

/** What is urgent goes first; what is patient goes last, and while many are answered it lets them go before it. */
export type Urgency = "urgent" | "usual" | "patient";

/**
 * What finds no place, and what waited longer than `patienceMs`, is dropped: something else repairs it then.
 * @param deps `monotonic` milliseconds. While `answersMin` answers are under way, what is patient waits, for `giveWayMsMax`
 * at most: these calls take of the same processors as the answers do
 */
export function createCallLine(deps: {
	inFlightMax: number;
	waitingMax: number;
	patienceMs: number;
	answersMin: number;
	giveWayMsMax: number;
	monotonic: () => number;
	after: (ms: number, call: () => void) => void;
}) {
	// Lines of pushes and a moving start each: a shift of a long array moves all of it.
	const queues = { urgent: createQueue(), usual: createQueue(), patient: createQueue() };
	let inFlight = 0;
	let answers = 0;
	let isScheduled = false;
	let isWaking = false;

	const waiting = () => Object.values(queues).reduce((sum, queue) => sum + queue.size(), 0);

	/** In a later turn, one however often it was asked for. */
	function schedule(): void {
		if (isScheduled) return;
		isScheduled = true;
		setImmediate(() => {
			isScheduled = false;
			next();
		});
	}

	/** How long the first of what is patient still gives way. */
	function givesWayMs(): number {
		const first = queues.patient.first();
		return first && answers >= deps.answersMin ? first.since + deps.giveWayMsMax - deps.monotonic() : 0;
	}

	function next(): void {
		while (inFlight < deps.inFlightMax) {
			const taken = queues.urgent.take() ?? queues.usual.take();
			if (!taken) break;
			begin(taken);
		}
		if (inFlight < deps.inFlightMax) nextPatient();
	}

	// One a turn, and one for each that ends: answers that begin meanwhile are seen.
	function nextPatient(): void {
		const leftMs = givesWayMs();
		if (leftMs > 0) {
			if (isWaking) return;
			isWaking = true;
			deps.after(leftMs, () => {
				isWaking = false;
				next();
			});
			return;
		}
		const taken = queues.patient.take();
		if (!taken) return;
		begin(taken);
		schedule();
	}

	function begin({ call, since }: Waiting): void {
		if (deps.monotonic() - since > deps.patienceMs) return;
		inFlight++;
		call()
			.catch(() => undefined)
			.finally(() => {
				inFlight--;
				next();
			});
	}

	return {
		/** Never blocks nor throws. */
		add(call: () => Promise<unknown>, urgency: Urgency = "usual"): void {
			if (waiting() + inFlight >= deps.waitingMax + deps.inFlightMax) return;
			queues[urgency].put({ call, since: deps.monotonic() });
			// What whoever adds it has to answer goes first.
			schedule();
		},

		/** Does what somebody waits for; its result. */
		async answer<Result>(work: () => Promise<Result>): Promise<Result> {
			answers++;
			try {
				return await work();
			} finally {
				answers--;
				if (answers === deps.answersMin - 1) schedule();
			}
		},
	};
}

function createQueue() {
	let items: Waiting[] = [];
	let start = 0;
	return {
		size: () => items.length - start,
		first: (): Waiting | undefined => items[start],
		put: (item: Waiting) => void items.push(item),
		take(): Waiting | undefined {
			const item = items[start++];
			if (start >= items.length) {
				items = [];
				start = 0;
			}
			return item;
		},
	};
}
