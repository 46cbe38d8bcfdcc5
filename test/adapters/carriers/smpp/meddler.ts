// Stands between an ESME and its SMSC: passes PDUs on, or cuts, swallows and throttles as a test says.

import { connect, createServer, type Socket } from "node:net";
import { createFrames } from "../../../../adapters/carriers/smpp/frames.ts";
import { layouts } from "../../../../adapters/carriers/smpp/layouts.ts";

/** What befalls a submit_sm: `cut_after` it reaches the SMSC and its answer nobody, `cut_before` it reaches nobody. */
type Fate = "pass" | "cut_after" | "cut_before" | "throttle";

const throttled = 0x58;
const responseBit = 0x80000000;

export async function startMeddler(port: number) {
	const state = { fate: (_submit: number): Fate => "pass", submits: 0 };
	const sockets = new Set<Socket>();

	const server = createServer((esme) => {
		const smsc = connect(port, "127.0.0.1");
		const cut = () => {
			esme.destroy();
			smsc.end();
		};
		let isDeaf = false;
		for (const socket of [esme, smsc]) {
			sockets.add(socket);
			socket.on("error", () => undefined);
			socket.on("close", () => {
				sockets.delete(socket);
				cut();
			});
		}
		smsc.on("data", (octets) => !isDeaf && esme.write(octets));
		const frames = createFrames();
		esme.on("data", (octets) => {
			for (const frame of frames(octets) ?? []) {
				if (isDeaf) return;
				const isSubmit = frame.readUInt32BE(4) === layouts.submit_sm?.id;
				const fate = isSubmit ? state.fate(++state.submits) : "pass";
				if (fate === "throttle") esme.write(refuse(frame));
				if (fate === "cut_before") return cut();
				if (fate === "pass" || fate === "cut_after") smsc.write(frame);
				if (fate === "cut_after") {
					isDeaf = true;
					// The SMSC reads on until the end, so that what was passed on is taken.
					cut();
				}
			}
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port: own } = server.address() as { port: number };
	return {
		url: `smpp://127.0.0.1:${own}`,
		/** @param fate told the number of the submit_sm, from 1 */
		meddle(fate: (submit: number) => Fate): void {
			state.fate = fate;
		},
		async [Symbol.asyncDispose](): Promise<void> {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

/** The answer of an SMSC that is asked too much: a header, and no body. */
function refuse(frame: Buffer): Buffer {
	const answer = Buffer.alloc(16);
	answer.writeUInt32BE(16, 0);
	answer.writeUInt32BE(frame.readUInt32BE(4) + responseBit, 4);
	answer.writeUInt32BE(throttled, 8);
	frame.copy(answer, 12, 12, 16);
	return answer;
}
