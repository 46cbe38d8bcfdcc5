// What the carrier was handed of secure links: path ids and fragments, which from then on are in nobody's store but its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { StackState } from "../../stack/stackFile.ts";
import type { Term } from "./encodings.ts";

const ledger = z.looseObject({ messages: z.array(z.looseObject({ text: z.string() })) });
const credentials = z.looseObject({ token: z.string() });

/**
 * Path id and fragment of every link to one of these numbers, by the simulated carrier's ledger. Each page is looked at as
 * a preview does, and asked what it can't read, so that whatever tells of that would tell of the link.
 */
export async function findLinks({ dir, processes }: StackState, numbers: Term[], signal: AbortSignal): Promise<Term[]> {
	const file = join(dir, "carrier", "credentials.json");
	const { token } = credentials.parse(JSON.parse(readFileSync(file, "utf8")));
	const found: Term[] = [];
	for (const { value: to } of numbers) {
		const answer = await fetch(new URL("/ledger/search", processes.carrier?.url), {
			method: "POST",
			headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
			body: JSON.stringify({ to }),
			signal,
		});
		for (const { text } of ledger.parse(await answer.json()).messages) {
			const [, page = "", pathId = "", fragment = ""] = /(http\S+\/l\/([\w-]{22}))#([\w-]{22})$/.exec(text) ?? [];
			if (page === "") continue;
			await fetch(page, { signal });
			const body = JSON.stringify({ key: fragment, sealed: fragment });
			await fetch(page, { method: "POST", headers: { "content-type": "application/json" }, body, signal });
			found.push({ label: "path id of a link", kind: "text", value: pathId });
			found.push({ label: "fragment of a link", kind: "text", value: fragment });
		}
	}
	return found;
}
