// The answers to what went wrong, as callers got them: problem documents, and their headers, provoked by the marked requests.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { joined } from "./bytes.ts";
import type { Place } from "./examine.ts";

export type KeptAnswer = { source: string; text: string };

/** Keeps an answer: its headers and its body, as a client that writes them down would. */
export function keepAnswer(kept: KeptAnswer[], source: string, headers: Headers, body: string): void {
	const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
	kept.push({ source: `${kept.length + 1} ${source}`, text: `${lines.join("\n")}\n\n${body}` });
}

/** `kept` must hold an answer; the control is one that is got and kept in the same way. */
export function answersPlace(kept: readonly KeptAnswer[], get: (url: string) => Promise<KeptAnswer[]>): Place {
	let control: KeptAnswer[] = [];
	return {
		name: "api, error reports",
		holds: "text",
		async plant(samples) {
			const server = createServer((_request, response) => response.writeHead(400).end(joined(samples)));
			await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
			const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/control`;
			try {
				control = await get(url);
			} finally {
				server.close();
			}
			return { sources: control.map(({ source }) => source), remove: async () => undefined };
		},
		async read(open) {
			if (kept.length === 0) throw new Error("no request was answered with an error");
			for (const { source, text } of [...kept, ...control]) {
				const sink = open(source);
				await sink.write(Buffer.from(text));
				await sink.end();
			}
		},
	};
}
