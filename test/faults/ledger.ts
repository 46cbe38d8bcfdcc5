// All that the simulated carrier took, page by page, as its own clerk is shown it.

import type { LedgerLine } from "./checker.ts";

type Line = LedgerLine & { id: string };

export async function readLedger({ url, token }: { url: string; token: string }): Promise<Line[]> {
	const headers = { authorization: `Bearer ${token}` };
	const lines: Line[] = [];
	for (let after: number | undefined = 0; after !== undefined; ) {
		const response = await fetch(`${url}/ledger?limit=1000&after=${after}`, { headers });
		const { messages, next } = (await response.json()) as { messages: Line[]; next?: number };
		lines.push(...messages);
		after = next;
	}
	return lines;
}
