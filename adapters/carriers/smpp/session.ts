// One bound link to an SMSC: requests in a window, answers by sequence number, enquire_link, unbind, what the SMSC brings.

import type { Socket } from "node:net";
import type { CarrierCode } from "../codes.ts";
import { createFrames } from "./frames.ts";
import { layouts } from "./layouts.ts";
import { decodePdu, encodePdu, type Pdu } from "./pdu.ts";
import { status } from "./statuses.ts";
import type { PduBody } from "./submit.ts";

/** `unsent`: not one octet was written. `unanswered`: it was, and nothing that can be read came back. */
export type Answer =
	| { kind: "answered"; pdu: Pdu }
	| { kind: "unsent"; code: CarrierCode }
	| { kind: "unanswered"; code: CarrierCode };

export type Session = ReturnType<typeof createSession>;

export type SessionOptions = {
	socket: Socket;
	/** Requests without an answer yet. */
	window: number;
	responseMs: number;
	/** Silence after which the SMSC is asked whether it is there. */
	enquireMs: number;
	/**
	 * A deliver_sm or data_sm; answers the command_status that acknowledges it, or asks for it again.
	 * @param isHeard whether that can still be written
	 */
	deliver: (pdu: Pdu, isHeard: () => boolean) => Promise<number>;
	/** A place in the window is free again. */
	onFree: () => void;
	/** The link is gone, whoever ended it. */
	onEnd: () => void;
};

type Pending = { command: string; settle: (answer: Answer) => void; timer: NodeJS.Timeout };

const responseBit = 0x80000000;
const sequenceMax = 0x7fffffff;
const deliveriesMax = 256;
const unbindMs = 2_000;

/** Speaks over a connected socket until it ends. Nothing throws; what was written and not answered is told so. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export function createSession(options: SessionOptions) {
	const { socket } = options;
	const readFrames = createFrames();
	const pending = new Map<number, Pending>();
	let sequence = 0;
	let deliveries = 0;
	let heardAt = performance.now();
	let state: "open" | "closing" | "ended" = "open";
	const waiting: (() => void)[] = [];

	const watch = setInterval(enquire, Math.max(50, options.enquireMs / 4));
	socket.setNoDelay(true);
	socket.on("data", onData);
	// A peer that has ended its half answers nothing any more: what was written yet would stay in doubt.
	socket.on("end", end);
	socket.on("error", () => undefined);
	socket.on("close", onClose);

	/** Writes now, or says why not. The answer comes within `responseMs`, or the link's end. */
	function request(command: string, body: PduBody): Promise<Answer> {
		if (state === "ended") return Promise.resolve({ kind: "unsent", code: "unreachable" });
		do sequence = sequence >= sequenceMax ? 1 : sequence + 1;
		while (pending.has(sequence));
		const own = sequence;
		return new Promise((resolve) => {
			const settle = (answer: Answer) => {
				clearTimeout(timer);
				pending.delete(own);
				resolve(answer);
				tellQuiet();
				options.onFree();
			};
			const timer = setTimeout(() => {
				settle({ kind: "unanswered", code: "timeout" });
				// An SMSC that owes an answer may be gone.
				heardAt = Math.min(heardAt, performance.now() - options.enquireMs);
				if (command !== "enquire_link") enquire();
			}, options.responseMs);
			pending.set(own, { command, settle, timer });
			socket.write(encodePdu({ command, command_status: status.ok, sequence_number: own, ...body }));
		});
	}

	function isHeard(): boolean {
		return state !== "ended" && socket.writable;
	}

	function respond(command: string, sequenceNumber: number, commandStatus: number): void {
		if (!isHeard()) return;
		// A refusal has no body; neither have those of unbind and enquire_link.
		const octets = encodePdu({
			command,
			command_status: commandStatus,
			sequence_number: sequenceNumber,
			fields: {},
			tlvs: [],
		});
		socket.write(octets);
	}

	function onData(octets: Buffer): void {
		if (state === "ended") return;
		heardAt = performance.now();
		const frames = readFrames(octets);
		if (!frames) {
			// Where the next PDU begins is not known any more.
			respond("generic_nack", 0, status.invalidCommandLength);
			end();
			return;
		}
		for (const frame of frames) {
			const pdu = decodePdu(frame);
			if ("error" in pdu) takeMalformed(frame, pdu.error === "unknown_command");
			else if (isResponse(frame)) takeResponse(pdu);
			else takeRequest(pdu);
		}
	}

	function takeResponse(pdu: Pdu): void {
		// Without one it answers what was given up, or nothing of ours.
		const asked = pending.get(pdu.sequence_number);
		if (!asked) return;
		const isNack = pdu.command === "generic_nack" && pdu.command_status !== status.ok;
		const fits = isNack || pdu.command === `${asked.command}_resp`;
		asked.settle(fits ? { kind: "answered", pdu } : { kind: "unanswered", code: "unreadable_answer" });
	}

	function takeRequest(pdu: Pdu): void {
		const { command, sequence_number } = pdu;
		if (command === "enquire_link") respond("enquire_link_resp", sequence_number, status.ok);
		else if (command === "deliver_sm" || command === "data_sm") void takeDelivery(pdu);
		else if (command === "unbind") {
			respond("unbind_resp", sequence_number, status.ok);
			void drain().then(end);
		} else if (command !== "alert_notification" && command !== "outbind") {
			respond("generic_nack", sequence_number, status.invalidCommandId);
		}
	}

	async function takeDelivery(pdu: Pdu): Promise<void> {
		const response = `${pdu.command}_resp`;
		if (deliveries >= deliveriesMax || state !== "open") {
			respond(response, pdu.sequence_number, status.temporaryFailure);
			return;
		}
		deliveries++;
		const commandStatus = await options.deliver(pdu, isHeard).catch(() => status.temporaryFailure);
		deliveries--;
		respond(response, pdu.sequence_number, commandStatus);
		tellQuiet();
	}

	// Its header can be read: one bad PDU is not the end of the link.
	function takeMalformed(frame: Buffer, isUnknown: boolean): void {
		const sequenceNumber = frame.readUInt32BE(12);
		if (isResponse(frame)) {
			pending.get(sequenceNumber)?.settle({ kind: "unanswered", code: "unreadable_answer" });
			return;
		}
		const isDelivery = frame.readUInt32BE(4) === layouts.deliver_sm?.id;
		if (isDelivery) respond("deliver_sm_resp", sequenceNumber, status.refused);
		else respond("generic_nack", sequenceNumber, isUnknown ? status.invalidCommandId : status.invalidCommandLength);
	}

	function enquire(): void {
		if (performance.now() - heardAt < options.enquireMs) return;
		// One question at a time.
		if ([...pending.values()].some(({ command }) => command === "enquire_link")) return;
		void request("enquire_link", { fields: {}, tlvs: [] }).then((answer) => {
			if (answer.kind !== "answered") end();
		});
	}

	/** Begins nothing new; resolves once all that is under way, in either direction, is answered or given up. */
	function drain(): Promise<void> {
		if (state === "open") state = "closing";
		return new Promise((resolve) => {
			waiting.push(resolve);
			tellQuiet();
		});
	}

	function tellQuiet(): void {
		const isQuiet = state === "ended" || (pending.size === 0 && deliveries === 0);
		if (isQuiet) for (const resolve of waiting.splice(0)) resolve();
	}

	function end(): void {
		socket.end();
		setTimeout(() => socket.destroy(), 200).unref();
		onClose();
	}

	function onClose(): void {
		if (state === "ended") return;
		state = "ended";
		clearInterval(watch);
		for (const { settle } of [...pending.values()]) settle({ kind: "unanswered", code: "connection_lost" });
		tellQuiet();
		options.onEnd();
	}

	return {
		request,
		/** Places in the window; none once it closes. */
		free: () => (state === "open" ? Math.max(0, options.window - pending.size) : 0),
		/** Waits for what is under way, unbinds, and ends the link. */
		async close(): Promise<void> {
			await drain();
			if (state === "ended") return;
			const patience = new Promise((resolve) => setTimeout(resolve, unbindMs).unref());
			await Promise.race([request("unbind", { fields: {}, tlvs: [] }), patience]);
			end();
		},
		/** Ends the link at once. */
		end,
	};
}

function isResponse(frame: Buffer): boolean {
	return frame.readUInt32BE(4) >= responseBit;
}
