// What the simulated carrier accepted: a line a message in an append-only file, and an index of the newest in memory.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

/** One accepted message, a line of the file. `text` is "" once redacted. */
export type LedgerRecord = {
	seq: number;
	id: string;
	reference: string;
	to: string;
	from?: string | undefined;
	text: string;
	segments: number;
	validitySeconds: number;
	/** Epoch milliseconds. */
	at: number;
};

/** A record without its text, and where its line is. */
export type LedgerEntry = Omit<LedgerRecord, "text"> & { offset: number; bytes: number };

type PageOptions = { after: number; limit: number; to?: string | undefined; reference?: string | undefined };

export type Ledger = ReturnType<typeof openLedger>;

/**
 * Opens the ledger. A line that was cut off by a crash is dropped: its message was never answered for.
 * @param options `entriesMax` bounds memory, `bytesMax` the file
 * @throws when the file can't be opened, or a line inside it is damaged
 */
export function openLedger(file: string, options: { entriesMax?: number; bytesMax?: number } = {}) {
	const { entriesMax = 200_000, bytesMax = 2 ** 30 } = options;
	// Linux ignores the position of writes to a file opened for appending, and a redaction needs one.
	const appendTo = openSync(file, "a", 0o600);
	const edit = openSync(file, "r+");
	const index = createIndex(entriesMax);
	let size = 0;
	for (const line of readLines(edit)) {
		index.add(toEntry(parseRecord(line.text), line.offset, line.bytes));
		size = line.offset + line.bytes;
	}
	ftruncateSync(edit, size);

	/** Writes a message down. @throws when the disk refuses; the file is then as before */
	function append(record: Omit<LedgerRecord, "seq">): LedgerEntry {
		const whole = { seq: index.total() + 1, ...record };
		const line = Buffer.from(`${JSON.stringify(whole)}\n`);
		if (writeSync(appendTo, line) !== line.length) {
			ftruncateSync(edit, size);
			throw new Error("the ledger's disk is full");
		}
		const entry = toEntry(whole, size, line.length);
		size += line.length;
		index.add(entry);
		return entry;
	}

	/** The record with its text, from the file. */
	function read(entry: LedgerEntry): LedgerRecord {
		const line = Buffer.alloc(entry.bytes);
		readSync(edit, line, 0, entry.bytes, entry.offset);
		return parseRecord(line.toString("utf8"));
	}

	const findById = (id: string) => index.byId(id) ?? search((record) => record.id === id);

	/** Overwrites the text of a message in the file. `false` when there is no such message. */
	function redact(id: string): boolean {
		const entry = findById(id);
		if (!entry) return false;
		// The line keeps its length, so that every other line keeps its place.
		const line = Buffer.alloc(entry.bytes - 1, " ");
		line.write(JSON.stringify({ ...read(entry), text: "" }));
		writeSync(edit, line, 0, line.length, entry.offset);
		return true;
	}

	/** First acceptance of a reference. */
	function find(reference: string): LedgerEntry | undefined {
		return index.byReference(reference) ?? search((record) => record.reference === reference);
	}

	// What memory has let go must still be found: "absent" would permit a second send.
	function search(matches: (record: LedgerRecord) => boolean): LedgerEntry | undefined {
		if (!index.hasForgotten()) return undefined;
		for (const line of readLines(edit)) {
			const record = parseRecord(line.text);
			if (matches(record)) return toEntry(record, line.offset, line.bytes);
		}
		return undefined;
	}

	/** Records, oldest first, of those in memory. */
	function page(wanted: PageOptions): LedgerRecord[] {
		const records: LedgerRecord[] = [];
		for (const entry of index.entries()) {
			if (records.length === wanted.limit) break;
			if (isWanted(entry, wanted)) records.push(read(entry));
		}
		return records;
	}

	function close(): void {
		closeSync(appendTo);
		closeSync(edit);
	}

	const { total, repeats } = index;
	return { append, find, findById, read, redact, page, isFull: () => size >= bytesMax, total, repeats, close };
}

// The newest entries, by id and by reference; the oldest leave first.
function createIndex(entriesMax: number) {
	const byId = new Map<string, LedgerEntry>();
	const byReference = new Map<string, LedgerEntry>();
	let total = 0;
	let repeats = 0;

	function add(entry: LedgerEntry): void {
		total = entry.seq;
		byId.set(entry.id, entry);
		if (byReference.has(entry.reference)) repeats++;
		else byReference.set(entry.reference, entry);
		if (byId.size <= entriesMax) return;
		const [oldest] = byId.values();
		if (!oldest) return;
		byId.delete(oldest.id);
		if (byReference.get(oldest.reference) === oldest) byReference.delete(oldest.reference);
	}

	return {
		add,
		byId: (id: string) => byId.get(id),
		byReference: (reference: string) => byReference.get(reference),
		entries: () => byId.values(),
		hasForgotten: () => total > byId.size,
		/** Messages accepted, ever. */
		total: () => total,
		/** Acceptances whose reference had been accepted before. */
		repeats: () => repeats,
	};
}

function isWanted(entry: LedgerEntry, { after, to, reference }: PageOptions): boolean {
	return entry.seq > after && (to ?? entry.to) === entry.to && (reference ?? entry.reference) === entry.reference;
}

function toEntry({ text: _text, ...record }: LedgerRecord, offset: number, bytes: number): LedgerEntry {
	return { ...record, offset, bytes };
}

function parseRecord(line: string): LedgerRecord {
	try {
		return JSON.parse(line) as LedgerRecord;
	} catch {
		throw new Error("the ledger is damaged; move its file away to start a new one");
	}
}

/** Whole lines of the file from its start, newline included in `bytes`. */
function* readLines(fd: number): Generator<{ text: string; offset: number; bytes: number }> {
	const chunk = Buffer.alloc(1 << 20);
	let rest: Buffer = Buffer.alloc(0);
	let offset = 0;
	let position = 0;
	const end = fstatSync(fd).size;
	while (position < end) {
		const read = readSync(fd, chunk, 0, chunk.length, position);
		if (read === 0) return;
		position += read;
		const data = Buffer.concat([rest, chunk.subarray(0, read)]);
		let start = 0;
		for (let at = data.indexOf(10); at !== -1; at = data.indexOf(10, start)) {
			const bytes = at + 1 - start;
			yield { text: data.toString("utf8", start, at), offset, bytes };
			offset += bytes;
			start = at + 1;
		}
		rest = Buffer.from(data.subarray(start));
	}
}
