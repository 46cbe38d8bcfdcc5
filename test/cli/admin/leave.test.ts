// `lethe admin tenant leave` over a real store, queue and workflow server: the data is handed over whole before anything goes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { archiveOf } from "../../../adapters/mongo/archive.ts";
import type { TenantDocument } from "../../../adapters/mongo/models.ts";
import { exportTenant } from "../../../cli/admin/exportTenant.ts";
import { leave } from "../../../cli/admin/leave.ts";
import type { Deps } from "../../../deps.ts";
import type { LetheError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { type HoldRecord, type OptOutRecord, recordKinds } from "../../../domain/subject.ts";
import { end } from "../../../domain/transition.ts";
import { createEngine, type Engine } from "../../harness/engine.ts";
import { spoilArchive } from "../../harness/spoilArchive.ts";
import { until } from "../../harness/until.ts";

describe("a tenant's leave from the command line", () => {
	let engine: Engine;
	let deps: Deps;
	let folder: string;
	before(async () => {
		engine = await createEngine({ sender: false });
		// The command waits in earnest, while the engine's time runs ahead.
		const monotonic = () => performance.now();
		deps = { ...engine, monotonic, signer: { publicJwks: async () => ({ keys: [] }) } } as unknown as Deps;
		folder = mkdtempSync(join(tmpdir(), "lethe-leave-"));
	});
	after(async () => {
		await engine.close();
		rmSync(folder, { recursive: true });
	});

	async function addTenant(): Promise<string> {
		const tenantId = engine.ids.random("tenant");
		const createdAt = engine.clock();
		const about = { name: "Test", establishment: "DE", destinations: ["*"], sendQueues: [], retention: {}, createdAt };
		await engine.store.tenants.put({ _id: tenantId, ...about });
		await engine.store.apiKeys.insert({
			_id: engine.ids.random("apiKey"),
			tenantId,
			secrets: [{ mac: tenantId, macVersion: 1, createdAt }],
			createdBy: "admin",
			roles: ["sender"],
			name: "t",
			createdAt,
		});
		return tenantId;
	}
	async function delivered(tenantId: string): Promise<string> {
		// Far away, for time runs while it leaves.
		const closeAt = engine.clock() + 365 * 24 * 3600_000;
		const message = await engine.accept({ tenantId, contentAtFinal: false, addressAtFinal: false, closeAt });
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		return message._id;
	}
	const linesOf = (path: string) =>
		readFileSync(path, "utf8")
			.split("\n")
			.filter((line) => line !== "")
			.map((line) => JSON.parse(line));

	/** Has the worker's sweep come by, and time pass, for as long as a command runs. */
	async function withSweeps<T>(run: () => Promise<T>): Promise<T> {
		let running = true;
		const sweeping = (async () => {
			while (running) {
				engine.time.offsetMs += limits.tenantSettleMs;
				await engine.activities.sweepPage();
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
		})();
		try {
			return await run();
		} finally {
			running = false;
			await sweeping;
		}
	}

	it("hands over every message in clear and a record without content, then proves that it forgot them", async () => {
		const tenantId = await addTenant();
		const ids = [await delivered(tenantId), await delivered(tenantId)].toSorted();
		const optOut: OptOutRecord = {
			_id: engine.ids.random("optOut"),
			kind: "opt_out",
			tenantId,
			subjects: ["mac"],
			scope: "all",
			source: "api",
			at: 1,
			recordedAt: 1,
			recordedBy: "key",
		};
		await engine.store.subjectRecords.insert(optOut);
		const to = join(folder, "left");
		const result = await withSweeps(() => leave(deps, tenantId, to));
		assert.deepEqual([result.standing, result.messageCount, result.openedCount], ["left", 2, 2]);
		const data = linesOf(join(to, "data", "messages-000000.jsonl"));
		assert.deepEqual(data.map(({ id }) => id).toSorted(), ids);
		for (const { content, address } of data)
			assert.deepEqual([content, address], ["The text in clear", "+12025550142"]);
		const record = readFileSync(join(to, "record", "messages-000000.jsonl"), "utf8");
		assert.ok(ids.every((id) => record.includes(id)));
		assert.doesNotMatch(record, /ciphertext|wrappedKey|12025550142|The text/);
		assert.deepEqual(
			linesOf(join(to, "record", "opt_outs.jsonl")).map(({ _id }) => _id),
			[optOut._id],
		);
		const { files } = JSON.parse(readFileSync(join(to, "manifest.json"), "utf8"));
		for (const [path, sha256] of Object.entries(files)) {
			assert.equal(
				createHash("sha256")
					.update(readFileSync(join(to, path)))
					.digest("hex"),
				sha256,
				path,
			);
			assert.equal(statSync(join(to, path)).mode & 0o077, 0, "for its owner only");
		}
		assert.ok(linesOf(join(to, "certificates.jsonl")).some(({ id }) => id === result.certificateId));
		for (const id of ids) assert.equal(await engine.read(id), undefined);
		assert.deepEqual(await engine.store.apiKeys.findByTenant(tenantId), [], "no key of it is known any more");
		for (const name of ["subject_requests", "templates"])
			assert.deepEqual(linesOf(join(to, "record", `${name}.jsonl`)), []);
		const again = await leave(deps, tenantId, to);
		assert.equal(again.certificateId, result.certificateId, "run again, it tells the same");
		// A cohort may have any number of them.
		const more = Array.from({ length: 1_100 }, (_, at) => ({
			...{ _id: engine.ids.random("certificate"), kind: "purge", tenantId, about: tenantId, jws: "", issuedAt: at },
		}));
		await Promise.all(more.map((one) => engine.store.certificates.insert(one as never)));
		assert.equal((await leave(deps, tenantId, to)).certificates, again.certificates + 1_100);
		assert.equal(linesOf(join(to, "certificates.jsonl")).length, again.certificates + 1_100);
	});

	it("has all files, their names and their folders on the disk before anything goes", async (t) => {
		const handle = await open(folder, "r");
		const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
		await handle.close();
		const { sync } = prototype;
		const synced: string[] = [];
		t.mock.method(prototype, "sync", async function (this: FileHandle) {
			await sync.call(this);
			const path = readlinkSync(`/proc/self/fd/${this.fd}`);
			synced.push((await this.stat()).isDirectory() ? `${path}/` : path);
		});
		const tenantId = await addTenant();
		const tenant = (await engine.store.tenants.find(tenantId)) as TenantDocument;
		const to = join(folder, "deep", "synced");
		await exportTenant(deps, tenant, to);
		const last = (path: string) => synced.lastIndexOf(path);
		for (const made of [folder, join(folder, "deep"), to]) assert.ok(last(`${made}/`) >= 0, made);
		for (const below of [
			"record/messages-000000.jsonl",
			"data/messages-000000.jsonl",
			"progress.json",
			"manifest.json",
		]) {
			const path = join(to, below);
			assert.ok(last(`${dirname(path)}/`) > last(`${path}.part`) && last(`${path}.part`) >= 0, below);
		}
	});

	it("writes each page as it is read, and keeps none: a tenant may have any number of records, and of certificates", async () => {
		const tenantId = await addTenant();
		await withSweeps(() => leave(deps, tenantId, join(folder, "gone")));
		const tenant = (await engine.store.tenants.find(tenantId)) as TenantDocument;
		const to = join(folder, "large");
		const written: [string, boolean][] = [];
		// Three full pages of each, of which the first is on the disk by the time that the third is asked for.
		const pagesOf = (path: string, at: string) => {
			let page = 0;
			return async () => {
				if (++page === 3) written.push([path, statSync(join(to, `${path}.part`)).size > 0]);
				return Array.from({ length: page > 3 ? 0 : 500 }, (_, index) => ({ _id: `${page}.${index}`, [at]: index }));
			};
		};
		const kinds = Object.fromEntries(recordKinds.map((kind) => [kind, pagesOf(`record/${kind}s.jsonl`, "recordedAt")]));
		const of = { page: async (_tenantId: string, kind: string) => kinds[kind]?.() };
		const store = {
			...engine.store,
			subjectRecords: { ...engine.store.subjectRecords, ...of },
			subjectRequests: { page: pagesOf("record/subject_requests.jsonl", "recordedAt") },
			templates: { page: pagesOf("record/templates.jsonl", "createdAt") },
			certificates: { page: pagesOf("certificates.jsonl", "issuedAt") },
			cohorts: { findByTenant: async () => [] },
		};
		await exportTenant({ ...deps, store } as unknown as Deps, tenant, to);
		const subjectRecords = { page: async () => [] };
		const subjectRequests = { page: async () => [] };
		const left = { ...deps, store: { ...store, subjectRecords, subjectRequests } } as unknown as Deps;
		assert.equal((await leave(left, tenantId, to)).certificates, 1_500);
		assert.equal(written.length, recordKinds.length + 3);
		assert.deepEqual(
			written.filter(([, isWritten]) => !isWritten),
			[],
		);
		for (const [path] of written) assert.equal(linesOf(join(to, path)).length, 1_500, path);
	});

	it("a request of a subject that is open refuses it: what is gone can't be shown any more", async () => {
		const tenantId = await addTenant();
		const at = engine.clock();
		const request = { _id: engine.ids.random("subjectRequest"), tenantId, state: "received", recordedAt: at };
		await engine.store.subjectRequests.insert(request as never);
		await assert.rejects(leave(deps, tenantId, join(folder, "open")), new RegExp(`${request._id}.*lethe requests`));
		assert.equal((await engine.store.tenants.find(tenantId))?.standing, undefined);
	});

	it("hands over what nobody can read as far as it is there, with what is packed as it is stored, and names it", async () => {
		const tenantId = await addTenant();
		const [broken, other] = [await delivered(tenantId), await delivered(tenantId)];
		await spoilArchive(engine.connection, await engine.read(broken));
		const tenant = (await engine.store.tenants.find(tenantId)) as TenantDocument;
		const to = join(folder, "unread");
		const { messageCount, openedCount, unreadable } = await exportTenant(deps, tenant, to);
		assert.deepEqual([messageCount, openedCount, unreadable], [2, 2, [broken]]);
		assert.deepEqual(JSON.parse(readFileSync(join(to, "manifest.json"), "utf8")).unreadable, [broken]);
		const record = linesOf(join(to, "record", "messages-000000.jsonl"));
		const { state, unreadable: isUnread, archive } = record.find(({ _id }) => _id === broken);
		assert.deepEqual([state, isUnread, archive], ["delivered", true, Buffer.from("none").toString("base64")]);
		assert.equal(record.find(({ _id }) => _id === other).unreadable, undefined);
		const data = linesOf(join(to, "data", "messages-000000.jsonl"));
		assert.equal(data.find(({ id }) => id === broken).content, "The text in clear");
	});

	it("waits for what nobody can read, whose record stays, says so once nothing moves, and goes on once it is mended", async () => {
		const tenantId = await addTenant();
		const broken = await delivered(tenantId);
		const whole = await engine.read(broken);
		await spoilArchive(engine.connection, whole);
		let minutes = 0;
		let isGone = false;
		// From then on each look is a minute after the one before.
		const patient = { ...deps, monotonic: () => (isGone ? ++minutes : minutes) * 60_000 };
		const to = join(folder, "waits");
		const leaving = withSweeps(() => leave(patient, tenantId, to));
		await until(async () => {
			const cohorts = await engine.store.cohorts.findByTenant(tenantId);
			return existsSync(join(to, "manifest.json")) && cohorts.every(({ state }) => state === "destroyed");
		}, 60_000);
		isGone = true;
		await assert.rejects(leaving, new RegExp(`can't be read, ${broken}, and stay.*backup of MongoDB`));
		const raw = engine.connection.collection<{ _id: string }>("messages");
		const { content: _, address: __, ...rest } = whole;
		await raw.updateOne({ _id: broken }, { $set: archiveOf(rest).set });
		assert.equal((await withSweeps(() => leave(deps, tenantId, to))).standing, "left");
	});

	it("an export that was cut off goes on and writes the same as one that was not", async () => {
		const tenantId = await addTenant();
		await delivered(tenantId);
		const tenant = await engine.store.tenants.find(tenantId);
		assert.ok(tenant);
		engine.memory.away.value = true;
		const to = join(folder, "cut");
		engine.encryption.close();
		await assert.rejects(exportTenant(deps, tenant, to), (error) => (error as LetheError).code === "keys_unavailable");
		assert.ok(!readdirSync(to).includes("manifest.json"), "half an export is not one");
		engine.memory.away.value = false;
		const { messageCount, openedCount } = await exportTenant(deps, tenant, to);
		assert.deepEqual([messageCount, openedCount], [1, 1]);
	});

	it("an export that an earlier version began goes on, though that did not count what can't be read", async () => {
		const tenantId = await addTenant();
		await delivered(tenantId);
		const tenant = (await engine.store.tenants.find(tenantId)) as TenantDocument;
		const to = join(folder, "begun");
		mkdirSync(to);
		const begun = { tenantId, since: 0, segment: 0, messageCount: 0, openedCount: 0 };
		writeFileSync(join(to, "progress.json"), JSON.stringify(begun));
		const { messageCount, unreadable } = await exportTenant(deps, tenant, to);
		assert.deepEqual([messageCount, unreadable], [1, []]);
	});

	it("what another leave has written counts for no other: the folder is refused, and nothing is destroyed", async () => {
		const [tenantId, other] = [await addTenant(), await addTenant()];
		await delivered(tenantId);
		await delivered(other);
		const to = join(folder, "shared");
		const leavingSince = async (id: string, since: number) => {
			const { standing: _, ...tenant } = (await engine.store.tenants.find(id)) as TenantDocument;
			return { ...tenant, standing: { state: "leaving", since, step: "exporting" } as const };
		};
		const { messageCount } = await exportTenant(deps, await leavingSince(tenantId, 1), to);
		assert.equal(messageCount, 1);
		await assert.rejects(exportTenant(deps, await leavingSince(tenantId, 2), to), /give an empty one/);
		await assert.rejects(
			withSweeps(() => leave(deps, other, to)),
			/give an empty one/,
		);
		const { standing } = (await engine.store.tenants.find(other)) ?? {};
		assert.ok(standing?.state === "leaving" && standing.step === "exporting", "its keys stand");
		const elsewhere = await withSweeps(() => leave(deps, other, join(folder, "own")));
		assert.deepEqual([elsewhere.standing, elsewhere.messageCount], ["left", 1]);
	});

	it("a folder that can't be written to refuses it before anything of the tenant ends", async () => {
		const tenantId = await addTenant();
		const file = join(folder, "file");
		writeFileSync(file, "");
		await assert.rejects(leave(deps, tenantId, join(file, "data")), /can't be written to \(ENOTDIR\)\. Name with --to/);
		assert.equal((await engine.store.tenants.find(tenantId))?.standing, undefined);
	});

	it("a legal hold refuses it before anything is touched, and a tenant that is not there is told", async () => {
		const tenantId = await addTenant();
		const now = engine.clock();
		const hold: HoldRecord = {
			_id: engine.ids.random("hold"),
			kind: "hold",
			tenantId,
			subjects: ["mac"],
			scope: "subject",
			ground: "litigation",
			at: now,
			recordedAt: now,
			recordedBy: "key",
		};
		await engine.store.subjectRecords.insert(hold);
		await assert.rejects(leave(deps, tenantId, join(folder, "held")), new RegExp(`${hold._id}.*released first`));
		assert.equal((await engine.store.tenants.find(tenantId))?.standing, undefined);
		await assert.rejects(leave(deps, engine.ids.random("tenant"), join(folder, "none")), /there is no tenant/);
	});
});
