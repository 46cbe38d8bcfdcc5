// Writes all that is stored of a tenant: a record without content, and its data in clear; page by page, so that it can go on.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { makeFolder, syncFolder } from "../../adapters/onDisk.ts";
import type { Deps } from "../../deps.ts";
import { LetheError } from "../../domain/errors.ts";
import { isReadable, type Message, sealedObjects } from "../../domain/message.ts";
import { recordKinds } from "../../domain/subject.ts";
import { createProgress } from "../progress.ts";

type Place = { acceptedAt: number; id: string };
/** Of one leave: a tenant that was resumed and leaves again has more to hand over. */
type Leaving = { tenantId: string; since: number };
type Progress = Leaving & {
	segment: number;
	messageCount: number;
	openedCount: number;
	/** Ids of messages whose records can't be read. */
	unreadable: string[];
	after?: Place;
	done?: true;
};

const segmentItems = 500;
const progressFile = "progress.json";

/**
 * Writes below `folder`, for its owner only: `record/` what happened, without content or number; `data/` content and
 * number in clear; `manifest.json` each file's SHA-256, and which messages' records can't be read: of those `record/` has what
 * is not packed, and what is as it is stored. What a run before has written stays.
 * @throws LetheError keys_unavailable | store_unavailable; run again, it goes on. Error when the folder has another export
 */
export async function exportTenant(deps: Deps, tenant: TenantDocument, folder: string) {
	const begun = await readProgress(folder, { tenantId: tenant._id, since: tenant.standing?.since ?? 0 });
	for (const below of ["record", "data"]) await makeFolder(join(folder, below));
	const progress = await exportMessages(deps, begun, folder);
	for (const kind of recordKinds) {
		await writePages(join(folder, "record", `${kind}s.jsonl`), recordPages(deps, tenant._id, kind));
	}
	await writePages(join(folder, "record", "subject_requests.jsonl"), requestPages(deps, tenant._id));
	await writePages(join(folder, "record", "templates.jsonl"), templatePages(deps, tenant._id));
	const { standing: _, standingRevision: __, nextCheckAt: ___, ...about } = tenant;
	await writeLines(join(folder, "record", "tenant.jsonl"), [about]);
	const files = await hashFiles(folder);
	const { unreadable } = progress;
	const manifest = { tenantId: tenant._id, exportedAt: new Date(deps.clock()).toISOString(), unreadable, files };
	await writeWhole(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
	return {
		messageCount: progress.messageCount,
		openedCount: progress.openedCount,
		unreadable,
		fileCount: Object.keys(files).length,
	};
}

async function writeLines(path: string, values: readonly unknown[]): Promise<void> {
	await writePages(path, [values]);
}

type Pages = Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>;

/** One JSON value a line, each page as it comes; whole or not at all. Answers how many they are. */
export async function writePages(path: string, pages: Pages): Promise<number> {
	let count = 0;
	await writeChunks(path, async (append) => {
		for await (const page of pages) {
			await append(page.map((value) => `${JSON.stringify(value)}\n`).join(""));
			count += page.length;
		}
	});
	return count;
}

async function exportMessages(deps: Deps, begun: Progress, folder: string): Promise<Progress> {
	const shown = createProgress("exporting messages");
	let progress = begun;
	while (!progress.done) {
		const page = await deps.store.messages.page(progress.tenantId, segmentItems, progress.after);
		const name = `messages-${String(progress.segment).padStart(6, "0")}.jsonl`;
		const opened = (await Promise.all(page.map((message) => openMessage(deps, message)))).flat();
		await writeLines(join(folder, "record", name), page.map(toRecord));
		await writeLines(join(folder, "data", name), opened);
		const last = page.at(-1);
		progress = {
			tenantId: progress.tenantId,
			since: progress.since,
			segment: progress.segment + 1,
			messageCount: progress.messageCount + page.length,
			openedCount: progress.openedCount + opened.length,
			unreadable: [...progress.unreadable, ...page.filter((one) => !isReadable(one)).map(({ _id }) => _id)],
			...(last ? { after: { acceptedAt: last.acceptedAt, id: last._id } } : {}),
			...(page.length < segmentItems ? { done: true } : {}),
		};
		// Last: a segment counts once both of its files are there.
		await writeWhole(join(folder, progressFile), JSON.stringify(progress));
		shown.show(progress.messageCount, progress.done ? progress.messageCount : progress.messageCount + segmentItems);
	}
	shown.end();
	return progress;
}

// What another leave has written there would pass for this one's, and then the keys of what was never handed over go.
async function readProgress(folder: string, { tenantId, since }: Leaving): Promise<Progress> {
	const text = await readFile(join(folder, progressFile), "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return undefined;
		throw error;
	});
	if (text === undefined) return { tenantId, since, segment: 0, messageCount: 0, openedCount: 0, unreadable: [] };
	// Before these were named, one of them was the end of an export.
	const progress: Progress = { unreadable: [], ...JSON.parse(text) };
	if (progress.tenantId === tenantId && progress.since === since) return progress;
	throw new Error("the folder has the export of another tenant, or of a leave that was called off: give an empty one.");
}

/** What happened to it: neither ciphertext nor what only the engine's own bookkeeping needs. */
function toRecord(message: Message & { archive?: Uint8Array }): object {
	const { content: _, address: __, tokens: ___, idempotency: ____, nextCheckAt: _____, archive, ...record } = message;
	if (isReadable(message)) return record;
	return { ...record, unreadable: true, archive: Buffer.from(archive ?? []).toString("base64") };
}

/** Its text and number, as far as they are still there. */
async function openMessage(deps: Deps, message: Message): Promise<object[]> {
	const { _id: id, tenantId } = message;
	const found: Record<string, string> = {};
	for (const object of sealedObjects) {
		const sealed = message[object];
		// What a secure link opens only its recipient can decrypt.
		if (!sealed || (object === "content" && message.link)) continue;
		try {
			const plaintext = await deps.encryption.decrypt({ tenantId, messageId: id, object, sealed });
			found[object] = plaintext.reveal();
			plaintext.wipe();
		} catch (error) {
			// Erased between the page and now: then there is nothing to hand over.
			if (!(error instanceof LetheError) || error.code !== "content_erased") throw error;
		}
	}
	return Object.keys(found).length > 0 ? [{ id, ...found }] : [];
}

function recordPages(deps: Deps, tenantId: string, kind: (typeof recordKinds)[number]) {
	const { subjectRecords } = deps.store;
	return pagesOf(
		(after) => subjectRecords.page(tenantId, kind, segmentItems, after),
		({ recordedAt }) => recordedAt,
	);
}

/** The log of what subjects have asked for, under pseudonyms: whoever answers to the law for it takes it along. */
export function requestPages(deps: Deps, tenantId: string) {
	const { subjectRequests } = deps.store;
	return pagesOf(
		(after) => subjectRequests.page(tenantId, segmentItems, after),
		({ recordedAt }) => recordedAt,
	);
}

/** All certificates about one thing, the newest first. */
export function certificatePages(
	{ store }: { store: Pick<Deps["store"], "certificates"> },
	tenantId: string,
	about: string,
) {
	return pagesOf(
		(after) => store.certificates.page(tenantId, about, segmentItems, after),
		({ issuedAt }) => issuedAt,
	);
}

function templatePages(deps: Deps, tenantId: string) {
	const { templates } = deps.store;
	return pagesOf(
		(after) => templates.page(tenantId, segmentItems, after),
		({ createdAt }) => createdAt,
	);
}

async function* pagesOf<Document extends { _id: string }>(
	read: (after?: { at: number; id: string }) => Promise<Document[]>,
	atOf: (document: Document) => number,
): AsyncGenerator<Document[]> {
	let after: { at: number; id: string } | undefined;
	for (;;) {
		const page = await read(after);
		yield page;
		const last = page.at(-1);
		if (page.length < segmentItems || !last) return;
		after = { at: atOf(last), id: last._id };
	}
}

/** Path below the folder → SHA-256, hex. */
async function hashFiles(folder: string): Promise<Record<string, string>> {
	const hashes: Record<string, string> = {};
	for (const below of ["record", "data"]) {
		for (const name of (await readdir(join(folder, below))).sort()) {
			const hash = createHash("sha256");
			await pipeline(createReadStream(join(folder, below, name)), hash);
			hashes[`${below}/${name}`] = hash.digest("hex");
		}
	}
	return hashes;
}

export function writeWhole(path: string, text: string): Promise<void> {
	return writeChunks(path, (append) => append(text));
}

/** Whole, and on the disk when it answers: what is destroyed afterwards is nowhere else. */
async function writeChunks(
	path: string,
	write: (append: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
	const file = await open(`${path}.part`, "w", 0o600);
	try {
		await write((text) => file.appendFile(text));
		await file.sync();
	} finally {
		await file.close();
	}
	await rename(`${path}.part`, path);
	await syncFolder(dirname(path));
}
