// Has a worker decrypt what this process may not, waits for it, opens it, and leaves nothing of it in the store.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExportJob } from "../adapters/mongo/subjectRequests.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ApiDeps } from "./deps.ts";

export type CollectDeps = Pick<ApiDeps, "clock" | "exportSeal"> & {
	store: { subjectExports: Pick<ApiDeps["store"]["subjectExports"], "insert" | "find" | "pages" | "erase"> };
};

const pauseMs = 100;

/**
 * The rows of one export. `wake` has a worker look at it.
 * @throws LetheError export_pending when no worker made it in time; too_many_records
 */
export async function collectExport<Row>(
	{ clock, exportSeal, store: { subjectExports } }: CollectDeps,
	asked: Pick<ExportJob, "_id" | "tenantId" | "requestId" | "report">,
	wake: () => void,
): Promise<Row[]> {
	const { _id: id } = asked;
	const { publicKey, open } = await exportSeal.createReader();
	const eraseBy = clock() + limits.exportLifeMs;
	await subjectExports.insert({ ...asked, publicKey, state: "open", pageCount: 0, eraseBy });
	wake();
	try {
		const pageCount = await waitFor(subjectExports, id);
		const pages = new Map((await subjectExports.pages(id)).map(({ _id, jwe }) => [_id, jwe]));
		const rows: Row[] = [];
		for (let index = 0; index < pageCount; index++) {
			const place = `${id}/${index}`;
			rows.push(...(JSON.parse((await open(pages.get(place) ?? "", place)).reveal()) as Row[]));
		}
		return rows;
	} finally {
		await subjectExports.erase(id);
	}
}

async function waitFor(
	subjectExports: Pick<CollectDeps["store"]["subjectExports"], "find">,
	id: string,
): Promise<number> {
	const ended = AbortSignal.timeout(limits.exportPatienceMs);
	while (!ended.aborted) {
		const job = await subjectExports.find(id);
		if (job?.state === "ready") return job.pageCount;
		if (job?.state === "too_large") throw new LetheError("too_many_records");
		await sleep(pauseMs);
	}
	throw new LetheError("export_pending");
}
