// An export page by page: it goes on where it was left, stops when nobody waits for it any more, and nothing of it stays for good.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createExportSubject, type ExportSubjectDeps } from "../../activities/exportSubject.ts";
import { createExportSeal } from "../../adapters/exportSeal.ts";
import type { ExportJob } from "../../adapters/mongo/subjectRequests.ts";
import { limits } from "../../domain/limits.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

describe("an export", () => {
	let engine: Engine;
	let subject: { version: number; mac: string };
	let request: SubjectRequest;
	before(async () => {
		engine = await createEngine({ sender: false, worker: false });
		const tenantId = engine.ids.random("tenant");
		subject = { version: 1, mac: "mac-of-one" };
		// A page each: pages are of one category.
		for (const category of ["otp", "transactional", "marketing"] as const) {
			await engine.accept({ tenantId, subject, category });
		}
		const identity = { confirmed: true, ownedFrom: 0 };
		request = { _id: engine.ids.random("subjectRequest"), tenantId, subjects: [subject.mac], identity } as never;
	});
	after(() => engine.close());

	type Exports = ExportSubjectDeps["store"]["subjectExports"];
	/** One that is asked for, its reader, and a worker whose writes are those of `more`. */
	async function ask(
		more: (store: Exports, job: ExportJob) => Partial<Exports> = () => ({}),
		clock = engine.clock,
		{ _id: requestId, tenantId } = request,
	) {
		const { subjectExports, subjectMessages } = engine.store;
		const { publicKey, open } = await createExportSeal().createReader();
		const job: ExportJob = {
			...{ _id: engine.ids.random("export"), tenantId, requestId, report: "data" },
			...{ publicKey, state: "open", pageCount: 0, eraseBy: engine.clock() + limits.exportLifeMs },
		};
		await subjectExports.insert(job);
		const store = { subjectMessages, subjectExports: { ...subjectExports, ...more(subjectExports, job) } };
		return { id: job._id, open, exportSubject: createExportSubject({ ...engine, clock, store }) };
	}
	const pagesOf = async (id: string) => (await engine.store.subjectExports.pages(id)).map(({ _id }) => _id).toSorted();
	const afterItsLife = async () => {
		await engine.store.subjectExports.eraseDue(engine.clock() + limits.exportLifeMs + 1);
	};

	it("that was given up is made no further, and a page that was on its way ends by itself", async () => {
		const { id, exportSubject } = await ask((store, job) => ({
			putPage: async (page) => {
				await store.erase(job._id);
				await store.putPage(page);
			},
		}));
		assert.equal(await exportSubject(request), false);
		assert.deepEqual(await pagesOf(id), [`${id}/0`]);
		assert.equal(await engine.store.subjectExports.find(id), undefined);
		await engine.store.subjectExports.eraseDue(engine.clock());
		assert.deepEqual(await pagesOf(id), [`${id}/0`], "while somebody may wait for it");
		await afterItsLife();
		assert.deepEqual(await pagesOf(id), []);
	});

	it("whose worker died goes on with the page that is missing, and each message is in it once", async () => {
		const puts: string[] = [];
		let dies = true;
		const { id, open, exportSubject } = await ask((store) => ({
			putPage: async (page) => {
				if (dies && page._id.endsWith("/2")) throw new Error("died");
				puts.push(page._id);
				await store.putPage(page);
			},
		}));
		await assert.rejects(exportSubject(request));
		dies = false;
		assert.equal(await exportSubject(request), false);
		assert.deepEqual(puts, [`${id}/0`, `${id}/1`, `${id}/2`]);
		const job = await engine.store.subjectExports.find(id);
		assert.deepEqual([job?.state, job?.pageCount], ["ready", 3]);
		const rows: { category: string }[] = [];
		for (const { _id, jwe } of await engine.store.subjectExports.pages(id)) {
			rows.push(...JSON.parse((await open(jwe, _id)).reveal()));
		}
		assert.deepEqual(rows.map(({ category }) => category).toSorted(), ["marketing", "otp", "transactional"]);
		await engine.store.subjectExports.erase(id);
	});

	it("that is much work is made in steps, each of its time", async () => {
		let offsetMs = 0;
		const { id, exportSubject } = await ask(
			(store) => ({
				putPage: async (page) => {
					offsetMs += limits.exportStepMs;
					await store.putPage(page);
				},
			}),
			() => engine.clock() + offsetMs,
		);
		const steps: [boolean, number][] = [];
		for (let step = 0; step < 4; step++) steps.push([await exportSubject(request), (await pagesOf(id)).length]);
		assert.deepEqual(steps, [
			[true, 1],
			[true, 2],
			[true, 3],
			[false, 3],
		]);
		assert.equal((await engine.store.subjectExports.find(id))?.state, "ready");
		await engine.store.subjectExports.erase(id);
	});

	it("of portability has what rests on consent or a contract, however that is spelt, and nothing that rests on more", async () => {
		const tenantId = engine.ids.random("tenant");
		const own = { version: 1, mac: "mac-of-another" };
		const portable = [
			...[{ lawfulBasis: "consent" }, { lawfulBasis: "contract" }, { lawfulBasis: "performance_Of_Contract" }],
			...[{ lawfulBasis: "6(1)(b)" }, { lawfulBasis: "Art. 6(1)(a) GDPR" }, {}],
			{ lawfulBasis: "legal_obligation", art9Condition: "9(2)(a) explicit consent" },
		];
		const others = [{ lawfulBasis: "legitimate_interests" }, { lawfulBasis: "6(1)(e)", art9Condition: "9(2)(h)" }];
		const accepted: { _id: string }[] = [];
		for (const context of [...portable, ...others]) {
			accepted.push(await engine.accept({ tenantId, subject: own, facts: { context } }));
		}
		const asked = { ...request, _id: engine.ids.random("subjectRequest"), tenantId, subjects: [own.mac] };
		for (const [kind, count] of [
			["portability", portable.length],
			["access", accepted.length],
		] as const) {
			const { id, open, exportSubject } = await ask(undefined, engine.clock, asked);
			assert.equal(await exportSubject({ ...asked, kind } as SubjectRequest), false);
			const rows: { id: string }[] = [];
			for (const { _id, jwe } of await engine.store.subjectExports.pages(id)) {
				rows.push(...JSON.parse((await open(jwe, _id)).reveal()));
			}
			const expected = accepted.slice(0, count).map(({ _id }) => _id);
			assert.deepEqual(rows.map((row) => row.id).toSorted(), expected.toSorted(), kind);
			await engine.store.subjectExports.erase(id);
		}
	});
});
