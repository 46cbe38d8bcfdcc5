// Single messages that come close together share a run: one that comes alone has its own at once, under load they gather.

import { laneOf } from "../../domain/backlog.ts";
import type { Message } from "../../domain/message.ts";
import type { RunMember } from "./client.ts";

export type SharedRuns = ReturnType<typeof createSharedRuns>;

/** A message's place in a run that others may share. */
type Seat = {
	/** The message, with that run's id as its submission's. */
	message: Message;
	/** To be called once, whatever came of its insert. */
	leave: (isStored: boolean) => void;
};

type Gathering = { submissionId: string; isOpen: boolean; seats: number; storing: number; stored: RunMember[] };

/** Messages of one kind, as they come one soon after the other; until `until` the next one is soon. */
type Stream = { gathering?: Gathering | undefined; until: number };

// After messages have shared a run, the next ones are taken to be as many for so many times as long as that one gathered.
const lingering = 10;

/**
 * A run is named on its members before they are stored, so it is theirs by the very write that accepts them: whoever dies
 * before its start leaves it to the sweep, and no two can disagree on it.
 * @param deps `gatherMs`: how long those that come gather; their run waits for their inserts, too. 0 for a run each.
 * `monotonic` milliseconds
 */
export function createSharedRuns(deps: {
	gatherMs: number;
	membersMax: number;
	randomSubmissionId: () => string;
	start: (members: RunMember[]) => void;
	monotonic: () => number;
	after: (ms: number, call: () => void) => void;
}) {
	const streams = new Map<string, Stream>();

	function endWhenOver(key: string, stream: Stream): void {
		const leftMs = stream.gathering ? deps.gatherMs : stream.until - deps.monotonic();
		if (leftMs > 0) deps.after(leftMs, () => endWhenOver(key, stream));
		else streams.delete(key);
	}

	function open(stream: Stream): Gathering {
		const submissionId = deps.randomSubmissionId();
		const gathering = { submissionId, isOpen: true, seats: 0, storing: 0, stored: [] };
		stream.gathering = gathering;
		deps.after(deps.gatherMs, () => close(stream, gathering));
		return gathering;
	}

	function close(stream: Stream, gathering: Gathering): void {
		if (!gathering.isOpen) return;
		gathering.isOpen = false;
		stream.gathering = undefined;
		if (gathering.seats > 1) stream.until = deps.monotonic() + lingering * deps.gatherMs;
		startOnceStored(gathering);
	}

	function startOnceStored({ isOpen, storing, stored }: Gathering): void {
		if (!isOpen && storing === 0 && stored.length > 0) deps.start(stored);
	}

	/** Undefined when it has a run of its own: because it comes alone, or as a one-time code, which waits for nobody. */
	function join(message: Message): Seat | undefined {
		if (deps.gatherMs === 0 || laneOf(message.category) === "urgent") return undefined;
		const key = keyOf(message);
		const stream = streams.get(key);
		if (!stream) {
			const begun = { until: deps.monotonic() + deps.gatherMs };
			streams.set(key, begun);
			endWhenOver(key, begun);
			return undefined;
		}
		const gathering = stream.gathering ?? open(stream);
		gathering.storing++;
		gathering.seats++;
		if (gathering.seats === deps.membersMax) close(stream, gathering);
		const seated: Message = { ...message, submissionId: gathering.submissionId, sharesRun: true };
		return {
			message: seated,
			leave(isStored) {
				gathering.storing--;
				if (isStored) gathering.stored.push(seated);
				startOnceStored(gathering);
			},
		};
	}

	return { join };
}

/** What its attributes say of a run is true of all its members, and all wake at one time. */
function keyOf({ tenantId, category, region, releaseAt }: Message): string {
	return JSON.stringify([tenantId, category, region, releaseAt]);
}
