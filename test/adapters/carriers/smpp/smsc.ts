// A scripted SMSC on a loopback port: what it answers, keeps to itself, garbles or cuts is each test's own.

import { createServer, type Socket } from "node:net";
import { createServer as createSecureServer, type TlsOptions } from "node:tls";
import { decodePdu, encodePdu, type Pdu } from "../../../../adapters/carriers/smpp/pdu.ts";
import { until } from "../../../stack/carrier/start.ts";

export type Peer = {
	socket: Socket;
	/** What this link has brought, in order. */
	heard: Pdu[];
	answer: (pdu: Pdu, fields?: Pdu["fields"], commandStatus?: number) => void;
	/** Sends a request of the SMSC's own; answers its sequence number. */
	ask: (command: string, fields?: Pdu["fields"], tlvs?: Pdu["tlvs"]) => number;
};

/** What a request gets; `true` when the script has dealt with it, otherwise it is answered as usual. */
type Script = (pdu: Pdu, peer: Peer) => boolean | undefined;

export async function startSmsc(options: { script?: Script; tls?: TlsOptions; port?: number } = {}) {
	const peers: Peer[] = [];
	const state = { script: options.script ?? (() => false), accepted: [] as Pdu[], ids: 0x10 };

	function serve(socket: Socket): void {
		let held = Buffer.alloc(0);
		let sequence = 0;
		const peer: Peer = {
			socket,
			heard: [],
			answer: (pdu, fields = {}, commandStatus = 0) =>
				void socket.write(
					encodePdu({
						command: `${pdu.command}_resp`,
						command_status: commandStatus,
						sequence_number: pdu.sequence_number,
						fields,
						tlvs: [],
					}),
				),
			ask(command, fields = {}, tlvs = []) {
				socket.write(encodePdu({ command, command_status: 0, sequence_number: ++sequence, fields, tlvs }));
				return sequence;
			},
		};
		peers.push(peer);
		socket.on("error", () => undefined);
		socket.on("data", (octets) => {
			held = Buffer.concat([held, octets]);
			while (held.length >= 4 && held.length >= held.readUInt32BE(0)) {
				const length = held.readUInt32BE(0);
				const pdu = decodePdu(held.subarray(0, length));
				held = held.subarray(length);
				if ("error" in pdu) throw new Error(pdu.error);
				peer.heard.push(pdu);
				if (!state.script(pdu, peer)) asUsual(pdu, peer);
			}
		});
	}

	function asUsual(pdu: Pdu, peer: Peer): void {
		if (pdu.command.startsWith("bind_")) peer.answer(pdu, { system_id: "smsc" });
		if (pdu.command === "enquire_link" || pdu.command === "unbind") peer.answer(pdu);
		if (pdu.command === "submit_sm") {
			state.accepted.push(pdu);
			peer.answer(pdu, { message_id: (state.ids++).toString(16) });
		}
	}

	const server = options.tls ? createSecureServer(options.tls, serve) : createServer(serve);
	await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	return {
		port,
		url: `${options.tls ? "smpps" : "smpp"}://${options.tls ? "localhost" : "127.0.0.1"}:${port}`,
		peers,
		accepted: state.accepted,
		follow(script: Script): void {
			state.script = script;
		},
		heard: (command: string) => peers.flatMap(({ heard }) => heard.filter((pdu) => pdu.command === command)),
		/** The answer to what a peer was asked. */
		answerTo: (peer: Peer, sequenceNumber: number) =>
			until(() =>
				peer.heard.find(
					(pdu) =>
						pdu.sequence_number === sequenceNumber && (pdu.command.endsWith("_resp") || pdu.command === "generic_nack"),
				),
			),
		async [Symbol.asyncDispose](): Promise<void> {
			for (const { socket } of peers) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
