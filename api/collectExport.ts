// Has a worker decrypt what this process may not, waits for it, opens it, and leaves nothing of it in the store.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExportJob } from "../adapters/mongo/subjectRequests.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ApiDeps } from "./deps.ts";

export type CollectDeps = Pick<ApiDeps, "clock" | "exportSeal"> & {
	store: { subjectExports: Pick<ApiDeps["store"]["subjectExports"], "insert" | "find" | "pages" | "erase"> };
};
type Asked = Pick<ExportJob, "_id" | "tenantId" | "requestId" | "report">;
type Begun = Pick<ExportJob, "_id" | "eraseBy"> & {
	open: Awaited<ReturnType<ApiDeps["exportSeal"]["createReader"]>>["open"];
};

const pauseMs = 100;

/** Keeps the keys of what it began, which are nowhere else: after a restart an export is begun anew. */
export function createCollectExport(deps: CollectDeps) {
	/** Nobody has fetched it yet. */
	const begun = new Map<string, Begun>();
	const collecting = new Map<string, Promise<unknown[]>>();

	/**
	 * The rows of one export. `wake` has a worker look at it. What takes longer than an answer may is kept for its life: whoever
	 * asks again comes back to the same one. Who asks for it at the same time waits for the same one.
	 * @throws LetheError export_pending when no worker made it in time; too_many_records
	 */
	return async function collectExport<Row>(asked: Asked, wake: () => void): Promise<Row[]> {
		const name = nameOf(asked);
		const rows = collecting.get(name) ?? collect(deps, asked, begun, wake);
		collecting.set(name, rows);
		try {
			return (await rows) as Row[];
		} finally {
			if (collecting.get(name) === rows) collecting.delete(name);
		}
	};
}

async function collect(
	deps: CollectDeps,
	asked: Asked,
	begun: Map<string, Begun>,
	wake: () => void,
): Promise<unknown[]> {
	const { subjectExports } = deps.store;
	const name = nameOf(asked);
	const { _id: id, open } = (await findBegun(deps, begun.get(name))) ?? (await begin(deps, asked, begun));
	wake();
	const made = await waitFor(subjectExports, id);
	try {
		if (!made) throw new LetheError("export_pending");
		if (made.state === "too_large") throw new LetheError("too_many_records");
		const pages = new Map((await subjectExports.pages(id)).map(({ _id, jwe }) => [_id, jwe]));
		const rows: unknown[] = [];
		for (let index = 0; index < made.pageCount; index++) {
			const place = `${id}/${index}`;
			rows.push(...(JSON.parse((await open(pages.get(place) ?? "", place)).reveal()) as unknown[]));
		}
		return rows;
	} finally {
		if (made || !canComeBack(asked)) {
			begun.delete(name);
			await subjectExports.erase(id);
		}
	}
}

/** What an earlier asking has begun, if it stands. */
async function findBegun({ clock, store }: CollectDeps, begun: Begun | undefined): Promise<Begun | undefined> {
	if (!begun || begun.eraseBy <= clock()) return undefined;
	return (await store.subjectExports.find(begun._id)) && begun;
}

async function begin(
	{ clock, exportSeal, store }: CollectDeps,
	asked: Asked,
	begun: Map<string, Begun>,
): Promise<Begun> {
	const { publicKey, open } = await exportSeal.createReader();
	const now = clock();
	const eraseBy = now + limits.exportLifeMs;
	await store.subjectExports.insert({ ...asked, publicKey, state: "open", pageCount: 0, eraseBy });
	const started = { _id: asked._id, eraseBy, open };
	begun.delete(nameOf(asked));
	begun.set(nameOf(asked), started);
	for (const [name, one] of begun) {
		if (one.eraseBy <= now || begun.size > limits.exportsKeptMax) begun.delete(name);
	}
	return started;
}

/** Undefined when no worker made it in time, or it is gone. */
async function waitFor(
	subjectExports: Pick<CollectDeps["store"]["subjectExports"], "find">,
	id: string,
): Promise<ExportJob | undefined> {
	const ended = AbortSignal.timeout(limits.exportPatienceMs);
	while (!ended.aborted) {
		const job = await subjectExports.find(id);
		if (job?.state !== "open") return job;
		await sleep(pauseMs);
	}
	return undefined;
}

// A message is read out by a run of its own, which makes one export only.
function canComeBack({ report }: Asked): boolean {
	return report !== "message";
}

function nameOf(asked: Asked): string {
	return canComeBack(asked) ? `${asked.requestId}/${asked.report}` : asked._id;
}
