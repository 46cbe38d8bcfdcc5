// What the API shows: metrics, documents and answers, read as any caller reads them.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bytesOf, joined } from "./bytes.ts";
import type { Place } from "./examine.ts";

/** A page, and what must stand in it for it to count as read. */
export type Page = { path: string; proof: string };

/** Nothing can be planted in the API's own pages; the same reader reads the control from a page served beside them. */
export function pagesPlace(options: {
	name: string;
	url: string;
	apiKey: string;
	pages: () => Promise<Page[]>;
}): Place {
	let controlUrl = "";
	return {
		name: options.name,
		holds: "bytes",
		async plant(samples) {
			const body = joined(samples);
			const server = createServer((_request, response) => response.end(body));
			await new Promise<void>((resolve, reject) => {
				server.once("error", reject).listen(0, "127.0.0.1", resolve);
			});
			controlUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/control`;
			const remove = () => new Promise<void>((resolve) => server.close(() => resolve()));
			return { sources: [controlUrl], remove };
		},
		async read(open) {
			const pages = (await options.pages()).map(({ path, proof }) => ({ url: new URL(path, options.url).href, proof }));
			for (const { url, proof } of [{ url: controlUrl, proof: "" }, ...pages]) {
				const isControl = url === controlUrl;
				const body = await get(url, isControl ? undefined : options.apiKey);
				if (!body.includes(proof)) throw new Error(`${url} does not show what it must`);
				const sink = open(url);
				await sink.write(body);
				// Strings as a reader of the JSON sees them, escapes undone.
				const parsed = isControl ? undefined : json(body);
				if (parsed !== undefined) await sink.write(bytesOf(parsed));
				await sink.end();
			}
		},
	};
}

async function get(url: string, apiKey: string | undefined): Promise<Buffer> {
	const headers: Record<string, string> = { connection: "close" };
	if (apiKey) headers.authorization = `Bearer ${apiKey}`;
	const answer = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
	if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
	return Buffer.from(await answer.arrayBuffer());
}

function json(body: Buffer): unknown {
	try {
		return JSON.parse(body.toString("utf8"));
	} catch {
		return undefined;
	}
}
