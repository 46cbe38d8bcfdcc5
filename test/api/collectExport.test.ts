// Waiting for an export: one that takes long is come back to, whoever asks at once gets the same, and what was fetched is gone.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExportSeal } from "../../adapters/exportSeal.ts";
import type { ExportJob, ExportPage } from "../../adapters/mongo/subjectRequests.ts";
import { createCollectExport } from "../../api/collectExport.ts";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { until } from "../harness/until.ts";

type Report = ExportJob["report"];

/** A store in memory, and a process of the API that asks; `restart` is another process over the same store. */
function createDoor() {
	const time = { now: Date.now() };
	const jobs = new Map<string, ExportJob>();
	const pages = new Map<string, ExportPage>();
	const store = {
		subjectExports: {
			insert: async (job: ExportJob) => void jobs.set(job._id, job),
			find: async (id: string) => jobs.get(id),
			pages: async (id: string) => [...pages.values()].filter(({ exportId }) => exportId === id),
			erase: async (id: string) => {
				jobs.delete(id);
				for (const [place, { exportId }] of pages) if (exportId === id) pages.delete(place);
			},
		},
	};
	const start = () => createCollectExport({ clock: () => time.now, exportSeal: createExportSeal(), store });
	let collectExport = start();
	let asked = 0;
	return {
		time,
		jobs,
		pages,
		restart: () => {
			collectExport = start();
		},
		ask: (report: Report = "data", wake: () => void = () => undefined) =>
			collectExport<string>({ _id: `exp_${asked++}`, tenantId: "ten_a", requestId: "req_a", report }, wake),
		/** As the worker does. */
		async make(id: string, rows: string[]): Promise<void> {
			const job = jobs.get(id) as ExportJob;
			const place = `${id}/0`;
			const jwe = await createExportSeal().seal(job.publicKey, place, Plaintext.text(JSON.stringify(rows)));
			pages.set(place, { _id: place, exportId: id, jwe, eraseBy: job.eraseBy });
			jobs.set(id, { ...job, state: "ready", pageCount: 1 });
		},
	};
}
const pending = { code: "export_pending" };

// They wait for as long as an answer does, so they wait together.
describe("whoever waits for an export", { concurrency: true }, () => {
	it("and asks again comes back to the same one, which is answered once and then gone", async () => {
		const door = createDoor();
		let wakes = 0;
		const wake = () => void wakes++;
		await assert.rejects(door.ask("data", wake), pending);
		assert.deepEqual([...door.jobs.keys()], ["exp_0"]);
		await door.make("exp_0", ["long"]);
		assert.deepEqual(await door.ask("data", wake), ["long"]);
		assert.equal(wakes, 2, "a worker that died is replaced");
		assert.deepEqual([door.jobs.size, door.pages.size], [0, 0]);
		const next = door.ask();
		await until(() => door.jobs.size > 0);
		assert.deepEqual([...door.jobs.keys()], ["exp_2"]);
		await door.make("exp_2", ["anew"]);
		assert.deepEqual(await next, ["anew"]);
	});

	for (const end of ["a restart", "its life", "its erasure"] as const) {
		it(`begins anew after ${end}`, async () => {
			const door = createDoor();
			await assert.rejects(door.ask(), pending);
			if (end === "a restart") door.restart();
			if (end === "its life") door.time.now += limits.exportLifeMs;
			if (end === "its erasure") door.jobs.clear();
			const again = door.ask();
			await until(() => door.jobs.has("exp_1"));
			await door.make("exp_1", [end]);
			assert.deepEqual(await again, [end]);
		});
	}

	it("at the same time gets the same, and another report is another export", async () => {
		const door = createDoor();
		const asking = [door.ask(), door.ask(), door.ask("disclosures")];
		await until(() => door.jobs.size === 2);
		await door.make("exp_0", ["data"]);
		await door.make("exp_2", ["disclosures"]);
		assert.deepEqual(await Promise.all(asking), [["data"], ["data"], ["disclosures"]]);
		assert.deepEqual([door.jobs.size, door.pages.size], [0, 0]);
	});

	it("of one message leaves nothing behind: a run of its own would not make it again", async () => {
		const door = createDoor();
		await assert.rejects(door.ask("message"), pending);
		assert.deepEqual([door.jobs.size, door.pages.size], [0, 0]);
	});

	it("of more than fits is told so at once, and it is gone", async () => {
		const door = createDoor();
		const asking = door.ask();
		await until(() => door.jobs.size > 0);
		door.jobs.set("exp_0", { ...(door.jobs.get("exp_0") as ExportJob), state: "too_large" });
		await assert.rejects(asking, { code: "too_many_records" });
		assert.equal(door.jobs.size, 0);
	});
});
