// The links of one send queue: several binds, one window each, and whoever waits for a place in one of them, in order.

import type { CarrierCode } from "../codes.ts";
import { createLink, type Link, type LinkOptions } from "./link.ts";
import type { Answer, Session } from "./session.ts";
import type { PduBody } from "./submit.ts";

export type PoolOptions = Omit<LinkOptions, "command" | "onChange" | "onFree"> & {
	kind: "transceiver" | "split" | "transmitter";
	/** Links of each kind. */
	binds: number;
};

type Waiting = { begin: (session: Session) => void; fail: (code: CarrierCode) => void };

/** Links are made when they are first needed: those that send for the first request, those that receive for `receive`. */
export function createPool(options: PoolOptions) {
	const links: { senders: Link[]; receivers: Link[] } = { senders: [], receivers: [] };
	const queue: Waiting[] = [];
	let isClosed = false;

	function open(command: LinkOptions["command"]): Link[] {
		const onFree = () => void serve();
		return Array.from({ length: options.binds }, () => createLink({ ...options, command, onFree, onChange: onFree }));
	}

	function openSenders(): void {
		if (isClosed || links.senders.length > 0) return;
		links.senders = open(options.kind === "transceiver" ? "bind_transceiver" : "bind_transmitter");
	}

	/** Hands free places to those who wait; when nothing is bound or about to be, says so to all. */
	function serve(): void {
		for (let session = roomiest(); session && queue.length > 0; session = roomiest()) queue.shift()?.begin(session);
		const states = links.senders.map((link) => link.state());
		if (!isClosed && states.some(({ is }) => is === "bound" || is === "connecting")) return;
		const down = states.find((state) => state.is === "down");
		const code = isClosed ? "aborted" : (down?.code ?? "unreachable");
		for (const waiting of queue.splice(0)) waiting.fail(code);
	}

	function roomiest(): Session | undefined {
		const sessions = links.senders.flatMap((link) => {
			const state = link.state();
			return state.is === "bound" && state.session.free() > 0 ? [state.session] : [];
		});
		return sessions.sort((a, b) => b.free() - a.free())[0];
	}

	/**
	 * Waits for a place in a window and writes.
	 * @param body made in the tick of the write
	 * @param gate.stillDue asked in the tick of the write
	 * @param gate.signal ends the wait, before the write or after
	 */
	function request(
		command: string,
		body: () => PduBody,
		gate: { stillDue?: (() => boolean) | undefined; signal: AbortSignal },
	): Promise<Answer> {
		return new Promise((resolve) => {
			let isWritten = false;
			const settle = (answer: Answer) => {
				gate.signal.removeEventListener("abort", onAbort);
				resolve(answer);
			};
			const waiting: Waiting = {
				begin(session) {
					if (gate.stillDue?.() === false) return settle({ kind: "unsent", code: "withdrawn" });
					isWritten = true;
					void session.request(command, body()).then(settle);
				},
				fail: (code) => settle({ kind: "unsent", code }),
			};
			const onAbort = () => {
				const at = queue.indexOf(waiting);
				if (at >= 0) queue.splice(at, 1);
				settle({ kind: isWritten ? "unanswered" : "unsent", code: "aborted" });
			};
			if (gate.signal.aborted || isClosed) return settle({ kind: "unsent", code: "aborted" });
			gate.signal.addEventListener("abort", onAbort, { once: true });
			openSenders();
			queue.push(waiting);
			serve();
		});
	}

	return {
		request,
		/** Makes the links on which the SMSC brings something, unless they are there. Answers whether it does, or why not. */
		receive(): true | CarrierCode | undefined {
			if (options.kind === "transceiver") openSenders();
			const isWanted = options.kind === "split" && !isClosed && links.receivers.length === 0;
			if (isWanted) links.receivers = open("bind_receiver");
			return joinTold(options.kind === "split" ? links.receivers : links.senders);
		},
		/** Nothing new begins; what waits is unsent, what is under way may end; every link is unbound. */
		async close(): Promise<void> {
			isClosed = true;
			serve();
			await Promise.all([...links.senders, ...links.receivers].map((link) => link.close()));
		},
	};
}

/** Of links each of which brings all, one that stands is enough. */
function joinTold(links: readonly Link[]): ReturnType<Link["told"]> {
	const told = new Set(links.map((link) => link.told()));
	return told.has(true) || (told.has(undefined) ? undefined : [...told][0]);
}
