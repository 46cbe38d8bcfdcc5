// The scripted SMSC as the contract suite drives it: what a number gets, and the callbacks that the sender makes of what it brings.

import { randomBytes } from "node:crypto";
import type { CallbackRequest } from "../../../../adapters/carriers/carrier.ts";
import { createSmpp } from "../../../../adapters/carriers/smpp.ts";
import { until } from "../../../stack/carrier/start.ts";
import type { Fake } from "../fake.ts";
import { startSmsc } from "./smsc.ts";

const url = "https://lethe.example/v1/callbacks/smpp/queue/receipts";
const numbers = {
	delivered: "+12025550101",
	undelivered: "+12025550102",
	rejected: "+12025550103",
	throttled: "+12025550104",
	notAccepted: "+12025550105",
	lost: "+12025550106",
};
const refusals: Record<string, number> = {
	[numbers.rejected]: 0x0b,
	[numbers.throttled]: 0x58,
	[numbers.notAccepted]: 8,
};

export async function startSmppFake(): Promise<Fake> {
	const smsc = await startSmsc();
	const secrets = { systemId: "lethe", password: "secret", callbackKey: randomBytes(32).toString("base64") };
	const settings = { url: smsc.url, responseSeconds: "1" };
	const callbacks: CallbackRequest[] = [];
	const stats = new Map<string, string>();
	// The sender that receives, beside the one under test.
	const receiver = createSmpp({ settings, secrets });
	receiver.receive?.(async ({ headers, body }) => callbacks.push({ method: "POST", url, headers, body }) > 0);
	const link = await until(() => smsc.peers.find(({ heard }) => heard.length > 0));
	smsc.follow((pdu, peer) => {
		if (pdu.command !== "submit_sm") return false;
		const to = `+${pdu.fields.destination_addr}`;
		const refusal = refusals[to];
		if (refusal !== undefined) peer.answer(pdu, {}, refusal);
		if (to === numbers.lost) peer.socket.destroy();
		stats.set(to, to === numbers.undelivered ? "UNDELIV" : "DELIVRD");
		return refusal !== undefined || to === numbers.lost;
	});
	/** The callback that comes of a delivery. */
	async function bring(fields: object): Promise<CallbackRequest> {
		const before = callbacks.length;
		link.ask("deliver_sm", fields as never);
		return until(() => callbacks[before]);
	}
	return {
		settings,
		secrets,
		numbers,
		accepted: async () => smsc.accepted.length,
		callbackFor(carrierId) {
			const index = Number.parseInt(carrierId, 16) - 0x10;
			const stat = stats.get(`+${smsc.accepted[index]?.fields.destination_addr}`);
			return bring({ esm_class: 4, short_message: Buffer.from(`id:${carrierId} stat:${stat} err:000 text:`) });
		},
		inboundCallback: ({ from, to, text }) =>
			bring({
				source_addr_ton: 1,
				source_addr: from.slice(1),
				dest_addr_ton: 5,
				destination_addr: to,
				short_message: Buffer.from(text),
			}),
		signatureHeaders: ["x-lethe-time", "x-lethe-salt", "x-lethe-tag"],
		async [Symbol.asyncDispose]() {
			const closed = smsc[Symbol.asyncDispose]();
			await receiver.close?.();
			await closed;
		},
	};
}
