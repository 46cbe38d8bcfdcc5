// A tenant's server that is told by webhooks: it checks each as its own library would, and answers as a test wants.

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

export type Heard = {
	id: string;
	path: string;
	type: string;
	data: { id: string; submissionId: string; state: string; sequence: number; challenge?: string };
	body: string;
	/** Which of the secrets vouch for it. */
	verifiedBy: string[];
	headers: Record<string, string | string[] | undefined>;
};

export type Receiver = Awaited<ReturnType<typeof startReceiver>>;

/** Answers challenges rightly and everything else with 204, unless `answer` does it. */
export async function startReceiver() {
	const heard: Heard[] = [];
	const secrets: string[] = [];
	const script: { answer?: ((heard: Heard, response: ServerResponse) => void) | undefined } = {};
	const server = createServer(async (request, response) => {
		const body = await text(request);
		const headers = request.headers as Record<string, string>;
		const { type, data } = JSON.parse(body);
		const verifiedBy = secrets.filter((secret) => {
			try {
				return Boolean(new Webhook(secret).verify(body, headers));
			} catch {
				return false;
			}
		});
		const one = {
			id: headers["webhook-id"] as string,
			path: request.url as string,
			type,
			data,
			body,
			verifiedBy,
			headers,
		};
		heard.push(one);
		if (script.answer) return script.answer(one, response);
		if (data.challenge) return response.end(JSON.stringify({ challenge: data.challenge }));
		response.writeHead(204).end();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}/hook`,
		heard,
		secrets,
		script,
		/** Of messages, in the order in which they came. */
		told: (messageId: string) => heard.filter(({ data }) => data.id === messageId),
		async close(): Promise<void> {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
