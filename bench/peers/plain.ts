// The plain sender of plainSender.ts as a peer, over a Redis that syncs its log each second.

import { fileURLToPath } from "node:url";
import { knock, type Peer, type Site } from "./peer.ts";

export async function openPlain(site: Site, options: { redisUrl: string }): Promise<Peer> {
	const port = await site.port("http");
	const url = new URL("/6", options.redisUrl).href;
	const env = {
		...{ PLAIN_PORT: String(port), PLAIN_REDIS_URL: url, PLAIN_SMSC_PORT: String(site.smsc.port) },
		PLAIN_PASSWORD: site.smsc.password,
	};
	const args = [fileURLToPath(new URL("plainSender.ts", import.meta.url))];
	const sender = site.supervise("plain", { command: process.execPath, args, env }, () => knock(port));
	return {
		about:
			"Sixty lines: a job in Redis, synced each second, is all that is kept. No encryption, policies, evidence, erasure, idempotency; a job that a dead process had begun is sent again.",
		each: 1,
		receipts: "callback",
		start: sender.start,
		async send([text = ""]) {
			const body = JSON.stringify({ to: "+12025550142", text, callback: site.callbackUrl(text) });
			const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
			await answer.arrayBuffer();
			if (answer.status !== 202) throw new Error(`answered ${answer.status}`);
		},
		kill: sender.kill,
		restart: sender.start,
		stop: sender.stop,
	};
}
