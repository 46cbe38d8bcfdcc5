// Lethe as a peer: its usual processes, with the SMSC as its tenant's only send queue.

import { randomBytes } from "node:crypto";
import { putSendQueue } from "../../cli/administer.ts";
import { loadConfig } from "../../config.ts";
import { createDeps } from "../../deps.ts";
import { magicNumber } from "../../stack/carrier/magic.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Engine, startEngine } from "../engine.ts";
import { untilStill } from "../measure.ts";
import type { Peer, Smsc } from "./peer.ts";

const queue = "smsc";
const own = ["api", "worker", "sender"] as const;
// A run whose receipt was lost stays open for hours.
const stillMsMax = 20_000;

/** `each` 1 sends messages one by one, more in batches. */
export function openLethe(stack: Stack, options: { smsc: Smsc; each: number; log: (line: string) => void }): Peer {
	const { each, log } = options;
	let engine: Engine | undefined;
	// Text → its message.
	const ids = new Map<string, string>();
	const started = (): Engine => {
		if (!engine) throw new Error("it is not started");
		return engine;
	};
	return {
		about:
			"Each message is encrypted under Vault's keys, judged by the policies in force, in the evidence log, erased when final " +
			"and certified so; its store is journaled. What was at the SMSC when a process died is not sent again: it ends as unknown.",
		each,
		receipts: "acknowledged",
		async start() {
			engine = await startEngine(stack, { log });
			await useSmsc(stack, engine, options.smsc);
		},
		async send(texts) {
			const { post } = started();
			const shared = { category: "transactional", dataClasses: ["contact"] };
			const messages = texts.map((body) => ({ to: magicNumber("delivered"), body }));
			const accepted =
				each === 1
					? [await post("/v1/messages", { ...shared, ...messages[0] })]
					: ((await post("/v1/batches", { ...shared, messages })) as { items?: { id?: string }[] }).items;
			for (const [index, text] of texts.entries()) ids.set(text, accepted?.[index]?.id ?? "refused");
		},
		async inDoubt(texts) {
			const doubted: string[] = [];
			for (const text of texts) {
				const { state } = await started().ask<{ state: string }>("GET", `/v1/messages/${ids.get(text)}`);
				// An attempt is recorded before the SMSC is called: what has none is sent after the restart.
				if (state === "sending" || state === "unknown") doubted.push(text);
			}
			return doubted;
		},
		// Certificates, and what closes a run, come after the receipt.
		settle: async () => untilStill(started().countOpenRuns, { stillMs: stillMsMax, end: 0 }),
		kill: async () => void (await Promise.all(own.map((name) => started().processes.kill(name)))),
		async restart() {
			for (const name of own) await started().processes.restart(name);
		},
		stop: async () => engine?.stop(),
	};
}

async function useSmsc(stack: Stack, { processes }: Engine, smsc: Smsc): Promise<void> {
	const environment = { ...processes.baseEnvironment, ...(await stack.vaultCredentials(["admin"])) };
	const deps = await createDeps({ ...loadConfig(environment), logLevel: "silent" }, "admin");
	try {
		const callbackKey = randomBytes(32).toString("base64");
		await putSendQueue(
			deps,
			{
				_id: queue,
				carrier: "smpp",
				sender: "12345",
				settings: { url: `smpp://127.0.0.1:${smsc.port}`, window: "100" },
				ratePerSecond: 10_000,
				registrations: { US: "bench" },
				carrierCopy: "keep",
				paused: false,
			},
			{ send: { systemId: smsc.systemId, password: smsc.password, callbackKey }, callback: { callbackKey } },
		);
		await deps.store.tenants.set(processes.demo.tenantId, { sendQueues: [queue] });
	} finally {
		await deps.close();
	}
	// They know the tenant's queue, and the link, from their start.
	for (const name of own) await processes.restart(name);
}
