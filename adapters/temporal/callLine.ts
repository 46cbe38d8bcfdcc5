// Calls that nobody waits for: so many at once, the next ones in a line that is bounded in length and in patience.

type Waiting = { call: () => Promise<unknown>; since: number };

/** What is urgent goes first; what is patient goes last, and while many are answered it lets them go before it. */
export type Urgency = "urgent" | "usual" | "patient";

const urgencies: Urgency[] = ["urgent", "usual", "patient"];

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
	let isWoken = false;

	const waiting = () => urgencies.reduce((sum, urgency) => sum + queues[urgency].size(), 0);

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

	// One a turn: answers that begin meanwhile are seen.
	function nextPatient(): void {
		const leftMs = givesWayMs();
		if (leftMs > 0) {
			if (!isWoken) deps.after(leftMs, wake);
			isWoken = true;
			return;
		}
		const taken = queues.patient.take();
		if (!taken) return;
		begin(taken);
		setImmediate(next);
	}

	function wake(): void {
		isWoken = false;
		next();
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
			// In a later turn: what whoever adds it has to answer goes first.
			setImmediate(next);
		},

		/** Does what somebody waits for; its result. */
		async answer<Result>(work: () => Promise<Result>): Promise<Result> {
			answers++;
			try {
				return await work();
			} finally {
				answers--;
				if (answers === deps.answersMin - 1) setImmediate(next);
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
