// The processes' encrypted logs, opened as the logreader opens them; the control is written and encrypted as they write.

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { joined } from "./bytes.ts";
import type { Place } from "./examine.ts";

type Reading = {
	dir: string;
	identities: () => Promise<string[]>;
	openWriter: (process: string) => { write: (line: string) => void; close: () => Promise<void> };
	openReader: (identities: readonly string[]) => {
		texts: () => AsyncIterable<{ path: string; text: string }>;
		unread: { sealed: number };
	};
};

const writerName = "canary";

export function encryptedLogsPlace(reading: () => Promise<Reading>): Place {
	return {
		name: "lethe, encrypted logs",
		holds: "text",
		async plant(samples) {
			const { dir, openWriter } = await reading();
			const before = new Set(await ownFiles(dir).catch(() => []));
			const writer = openWriter(writerName);
			writer.write(`${joined(samples).toString("utf8")}\n`);
			await writer.close();
			const sources = (await ownFiles(dir)).filter((path) => !before.has(path));
			return { sources, remove: async () => void (await Promise.all(sources.map((path) => rm(path)))) };
		},
		async read(open) {
			const { openReader, identities } = await reading();
			const reader = openReader(await identities());
			for await (const { path, text } of reader.texts()) {
				const sink = open(path);
				await sink.write(Buffer.from(text));
				await sink.end();
			}
			const { sealed } = reader.unread;
			if (sealed > 0) throw new Error(`${sealed} pieces of them no key here opens`);
		},
	};
}

async function ownFiles(dir: string): Promise<string[]> {
	return (await readdir(dir)).filter((name) => name.startsWith(`${writerName}-`)).map((name) => join(dir, name));
}
