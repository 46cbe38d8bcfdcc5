// Compressed streams found inside other bytes: opened where they begin, followed until they end or prove to be none.

import { constants, createInflate, createInflateRaw, createZstdDecompress } from "node:zlib";
import { vocabulary } from "../../adapters/mongo/packing.ts";
import type { compressedEncodings } from "./encodings.ts";

type Compression = (typeof compressedEncodings)[number];

export type Inflater = {
	compression: Compression;
	/** Takes the next bytes; false once the stream is over. */
	write: (chunk: Buffer) => Promise<boolean>;
	end: () => Promise<void>;
};

/** How a compressed stream begins. */
const beginnings: { compression: Compression; bytes: Buffer }[] = [
	{ compression: "gzip", bytes: Buffer.from([0x1f, 0x8b, 0x08]) },
	// With a known vocabulary, as the store packs by, or without.
	...[0x01, 0x5e, 0x9c, 0xda, 0x20, 0x7d, 0xbb, 0xf9].map((level) => ({
		compression: "zlib" as const,
		bytes: Buffer.from([0x78, level]),
	})),
	{ compression: "zstd", bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
];

/** Where streams may begin in `buffer`; only such beginnings as end after `from`. */
export function findStreams(buffer: Buffer, from: number): { compression: Compression; at: number }[] {
	return beginnings.flatMap(({ compression, bytes }) => {
		const found: { compression: Compression; at: number }[] = [];
		const first = Math.max(0, from - bytes.length + 1);
		for (let at = buffer.indexOf(bytes, first); at >= 0; at = buffer.indexOf(bytes, at + 1)) {
			found.push({ compression, at });
		}
		return found;
	});
}

/**
 * Inflates one stream into `sink`, in small bites: memory stays bounded whatever the ratio. Up to the bite in which it
 * is cut off or damaged, everything in it is read.
 * @throws RangeError when the stream holds more than `outputBytesMax`
 */
export function openInflater(
	compression: Compression,
	sink: { write: (chunk: Buffer) => Promise<void>; end: () => Promise<void> },
): Inflater {
	// Gunzip drops what it has when other bytes follow the stream, so a gzip's header is skipped and its inside inflated.
	const stream = { gzip: createInflateRaw, zlib: createInflate, zstd: createZstdDecompress }[compression]({
		...(compression === "zstd" ? zstdFlush : inflateFlush),
		...(compression === "zlib" ? { dictionary: vocabulary } : {}),
	});
	let header: Buffer | undefined = compression === "gzip" ? Buffer.alloc(0) : undefined;
	let outputBytes = 0;
	let waiting: Buffer[] = [];
	let over = false;
	let wake = (): void => undefined;
	const finish = () => {
		over = true;
		wake();
	};
	stream.on("data", (chunk: Buffer) => waiting.push(chunk));
	stream.on("end", finish).on("error", finish).on("close", finish);

	async function drain(): Promise<void> {
		const ready = waiting;
		waiting = [];
		for (const chunk of ready) {
			outputBytes += chunk.length;
			if (outputBytes > outputBytesMax) throw new RangeError("a compressed stream holds too much to be read");
			await sink.write(chunk);
		}
	}

	async function step(act: (done: () => void) => void): Promise<void> {
		await new Promise<void>((resolve) => {
			wake = resolve;
			act(resolve);
		});
		await drain();
	}

	/** What follows the gzip header; empty while that is not all there. */
	function afterHeader(chunk: Buffer): Buffer {
		if (!header) return chunk;
		const all = Buffer.concat([header, chunk]);
		const length = gzipHeaderBytes(all);
		if (length === undefined && all.length > biteBytes) finish();
		header = length === undefined ? all : undefined;
		return length === undefined ? Buffer.alloc(0) : all.subarray(length);
	}

	return {
		compression,
		async write(piece) {
			const chunk = afterHeader(piece);
			for (let at = 0; at < chunk.length && !over; at += biteBytes) {
				await step((done) => stream.write(chunk.subarray(at, at + biteBytes), () => done()));
			}
			if (over) await sink.end();
			return !over;
		},
		async end() {
			// A stream that is cut off ends in an error, after what it did hold.
			if (!over) await step(() => stream.end());
			stream.destroy();
			await sink.end();
		},
	};
}

/** Length of a gzip header (RFC 1952); undefined while it is not all there. */
function gzipHeaderBytes(bytes: Buffer): number | undefined {
	const flags = bytes[3];
	let at = 10;
	if (flags === undefined || bytes.length < at) return undefined;
	const [headerCrc, extra, name, comment] = [2, 4, 8, 16];
	if (flags & extra) at += 2 + (bytes.length >= at + 2 ? bytes.readUInt16LE(at) : 0);
	for (const text of [name, comment]) {
		if (!(flags & text)) continue;
		const end = bytes.indexOf(0, at);
		if (end < 0) return undefined;
		at = end + 1;
	}
	if (flags & headerCrc) at += 2;
	return at <= bytes.length ? at : undefined;
}

// Hand out at once what is known: an end that is missing or an error later on must not take it away.
const inflateFlush = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const zstdFlush = { flush: constants.ZSTD_e_flush, finishFlush: constants.ZSTD_e_flush };

const biteBytes = 16 * 1024;
const outputBytesMax = 2 ** 30;
