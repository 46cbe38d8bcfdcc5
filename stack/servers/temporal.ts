// Temporal's own single-process server on a database file, with the search attributes of Lethe's runs.

import { join } from "node:path";
import { Connection } from "@temporalio/client";
import type { ForeignOptions, ForeignServer, Server, ServerOptions } from "./server.ts";

const searchAttributes = ["TenantId", "Category", "Region", "MessageState"];
const namespace = "default";
// Keyword, as Temporal's API numbers the types of search attributes.
const keywordType = 2;

export type TemporalAddress = { address: string; uiUrl: string | null; namespace: string };

/** Plans a server that keeps its runs in a file and shows them in its UI on a port of its own. */
export async function planTemporal(options: ServerOptions): Promise<Server<TemporalAddress>> {
	const { program, dataDir } = options;
	const port = await options.port("temporal");
	const uiPort = await options.port("temporal-ui");
	const address = `127.0.0.1:${port}`;
	return {
		address: { address, uiUrl: `http://127.0.0.1:${uiPort}`, namespace },
		command: program.command,
		args: [
			...program.args,
			...["server", "start-dev", "--ip", "127.0.0.1", "--port", String(port), "--ui-port", String(uiPort)],
			...["--db-filename", join(dataDir, "temporal.db"), "--log-level", "warn", "--ui-disable-news-fetch"],
			// About twice as fast as the defaults, and still whole after a crash of the process.
			...["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"],
			...searchAttributes.flatMap((name) => ["--search-attribute", `${name}=Keyword`]),
		],
		answers: () => checkTemporal(address, namespace),
		readyMs: 60_000,
	};
}

/** A Temporal that runs elsewhere, with the namespace that TEMPORAL_NAMESPACE names. */
export function adoptTemporal({ url, environment }: ForeignOptions): ForeignServer<TemporalAddress> {
	const name = environment.TEMPORAL_NAMESPACE || namespace;
	return {
		address: { address: url, uiUrl: null, namespace: name },
		answers: () => checkTemporal(url, name),
	};
}

/** @throws when the server does not answer, has no such namespace, or lacks a search attribute that runs carry */
async function checkTemporal(address: string, name: string): Promise<void> {
	const connection = await Connection.connect({ address, connectTimeout: 2_000 });
	try {
		await connection.withDeadline(Date.now() + 5_000, async () => {
			await connection.workflowService.describeNamespace({ namespace: name });
			const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: name });
			const missing = searchAttributes.filter((attribute) => customAttributes?.[attribute] !== keywordType);
			if (missing.length === 0) return;
			const mend = missing.map((attribute) => `--name ${attribute} --type Keyword`).join(" ");
			throw new Error(`search attributes are missing; run: temporal operator search-attribute create ${mend}`);
		});
	} finally {
		await connection.close();
	}
}
