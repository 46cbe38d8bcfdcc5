// A tenant's own server among the faults: it is told of each message by webhook, and now and then does not take it.

import type { ServerResponse } from "node:http";
import { type Heard, startReceiver } from "../harness/receiver.ts";
import { until } from "../harness/until.ts";
import type { Told } from "./checker.ts";
import { createRandom } from "./schedule.ts";

const refusedShare = 0.06;
const resetShare = 0.03;
const silentShare = 0.005;
const enabledMsMax = 60_000;

/** Has the tenant's messages told from here on. @throws when it can't be registered */
export async function listen({ apiUrl, apiKey }: { apiUrl: string; apiKey: string }, seed: number) {
	const random = createRandom(seed + 2_000_000);
	const receiver = await startReceiver();
	const told: Told[] = [];

	function answer({ id, data, verifiedBy }: Heard, response: ServerResponse): void {
		if (data.challenge) return void response.end(JSON.stringify({ challenge: data.challenge }));
		const drawn = random();
		const isTaken = drawn >= refusedShare + resetShare + silentShare;
		const { id: messageId, state, sequence } = data;
		told.push({ id, messageId, state, sequence, isVerified: verifiedBy.length > 0, isTaken });
		if (isTaken) response.writeHead(204).end();
		else if (drawn < refusedShare) response.writeHead(503).end();
		else if (drawn < refusedShare + resetShare) response.destroy();
		// Else it says nothing until whoever asks has had enough.
	}
	receiver.script.answer = answer;

	async function ask(method: string, path: string, body?: object) {
		const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
		const response = await fetch(`${apiUrl}/v1/webhook-endpoints${path}`, {
			...{ method, headers },
			...(body ? { body: JSON.stringify(body) } : {}),
		});
		const text = await response.text();
		if (!response.ok) throw new Error(text);
		return JSON.parse(text) as { id: string; secret: string; state: string };
	}

	try {
		const { id, secret } = await ask("POST", "", { url: receiver.url, default: true });
		receiver.secrets.push(secret);
		await until(async () => (await ask("GET", `/${id}`)).state === "enabled", enabledMsMax);
	} catch (error) {
		await receiver.close();
		throw error;
	}
	return { told, close: receiver.close };
}
