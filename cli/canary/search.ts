// Searches streams of bytes for many needles at once, in bounded memory, also inside compressed streams.

import { compressedEncodings, looseEncoding, type Needle, type Term } from "./encodings.ts";
import { findStreams, type Inflater, openInflater } from "./inflate.ts";
import { nationalDigits } from "./numbers.ts";

/** `via`: the compressed streams around it, outermost first. `offset`: in bytes, inside the innermost stream. */
export type Hit = { source: string; term: Term; encodings: string[]; via: string[]; offset: number };

/** Takes the bytes of one source, in order and in any pieces. */
export type Sink = { write: (chunk: Buffer) => Promise<void>; end: () => Promise<void> };

export type Search = ReturnType<typeof createSearch>;

/** Every needle that occurs is reported once an occurrence, wherever the pieces are cut. */
export function createSearch(options: {
	needles: readonly Needle[];
	terms: readonly Term[];
	onHit: (hit: Hit) => void;
}) {
	const table = createTable(options.needles);
	const endings = createEndings(options.terms);

	function open(source: string, via: string[] = []): Sink {
		const report = (term: Term, encodings: string[], offset: number) =>
			options.onHit({ source, term, encodings, via, offset });
		const digits = createDigits(endings, (term, offset) => report(term, [looseEncoding], offset));
		let carried: Buffer = Buffer.alloc(0);
		let readBytes = 0;
		let inflaters: Inflater[] = [];

		async function write(chunk: Buffer): Promise<void> {
			if (chunk.length === 0) return;
			inflaters = await feed(inflaters, chunk);
			digits(chunk, readBytes);
			const buffer = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
			const start = readBytes - carried.length;
			table.scan(buffer, carried.length, (needle, at) => report(needle.term, needle.encodings, start + at));
			if (via.length < depthMax) {
				for (const { compression, at } of findStreams(buffer, carried.length)) {
					const inflater = openInflater(compression, open(source, [...via, compression]));
					inflaters.push(...(await feed([inflater], buffer.subarray(at))));
				}
			}
			readBytes += chunk.length;
			// A copy: the caller may use its buffer again.
			carried = Buffer.from(buffer.subarray(Math.max(0, buffer.length - table.carryBytes)));
		}

		async function end(): Promise<void> {
			for (const inflater of inflaters) await inflater.end();
			inflaters = [];
		}

		return { write, end };
	}

	return { open: (source: string) => open(source) };
}

const depthMax = compressedEncodings.length;

/** Those that want more. */
async function feed(inflaters: Inflater[], chunk: Buffer): Promise<Inflater[]> {
	const open: Inflater[] = [];
	for (const inflater of inflaters) if (await inflater.write(chunk)) open.push(inflater);
	return open;
}

/**
 * Needles by their first four bytes: a small filter, which stays in the processor's cache, answers for nearly every
 * position that none begins there.
 */
function createTable(needles: readonly Needle[]) {
	const filter = new Uint8Array(2 ** filterBits);
	const byStart = new Map<number, Needle[]>();
	for (const needle of needles) {
		const start = needle.bytes.readInt32LE(0);
		byStart.set(start, [...(byStart.get(start) ?? []), needle]);
		filter[slot(start)] = 1;
	}
	const carryBytes = Math.max(4, ...needles.map((needle) => needle.bytes.length)) - 1;

	/** Calls `found` for every occurrence that ends after `from`. */
	function scan(buffer: Buffer, from: number, found: (needle: Needle, at: number) => void): void {
		let start = 0;
		for (let index = 0; index < buffer.length; index++) {
			start = (start >>> 8) | ((buffer[index] as number) << 24);
			if (filter[slot(start)] === 0 || index < 3) continue;
			for (const needle of byStart.get(start) ?? []) {
				const at = index - 3;
				const end = at + needle.bytes.length;
				if (end > from && end <= buffer.length && needle.bytes.compare(buffer, at, end) === 0) found(needle, at);
			}
		}
	}

	return { carryBytes, scan };
}

const filterBits = 18;

function slot(start: number): number {
	return Math.imul(start, 0x9e3779b1) >>> (32 - filterBits);
}

type Endings = { possible: Uint8Array; numbers: { term: Term; digits: number[] }[] };

function createEndings(terms: readonly Term[]): Endings {
	const possible = new Uint8Array(1000);
	const numbers = terms.flatMap((term) => {
		if (term.kind !== "number") return [];
		const digits = nationalDigits(term.value);
		possible[Number(digits.slice(-3))] = 1;
		return [{ term, digits: [...digits].map(Number) }];
	});
	return { possible, numbers };
}

const separatorBytesMax = 3;
const [digit, separator] = [1, 2];
const kinds = new Uint8Array(256).fill(digit, 0x30, 0x3a);
// Space, parentheses, hyphen, full stop, slash; and the bytes of no-break space, no-break hyphen and narrow space in UTF-8.
for (const byte of [0x20, 0x28, 0x29, 0x2d, 0x2e, 0x2f, 0xa0, 0x80, 0x91, 0xaf, 0xc2, 0xe2]) kinds[byte] = separator;

/** Follows the digits alone: a number counts however its digits are grouped. */
function createDigits({ possible, numbers }: Endings, found: (term: Term, offset: number) => void) {
	const last = new Uint8Array(16);
	// Digits in this run, digits since the last separator, separator bytes since the last digit, the last three digits.
	let state = { count: 0, sinceGap: 0, gap: 0, ending: 0 };

	function check(count: number, sinceGap: number, end: number): void {
		for (const { term, digits } of numbers) {
			// Without a separator in it, it is found as plain.
			if (count < digits.length || sinceGap >= digits.length) continue;
			const same = digits.every((value, index) => last[(count - digits.length + index) & 15] === value);
			if (same) found(term, end - digits.length);
		}
	}

	return function follow(chunk: Buffer, offset: number): void {
		// Locals, as this runs once a byte.
		let { count, sinceGap, gap, ending } = state;
		for (let index = 0; index < chunk.length; index++) {
			const byte = chunk[index] as number;
			const kind = kinds[byte];
			if (kind === digit) {
				sinceGap = gap > 0 ? 1 : sinceGap + 1;
				gap = 0;
				last[count++ & 15] = byte - 0x30;
				ending = (ending * 10 + byte - 0x30) % 1000;
				if (possible[ending] === 1) check(count, sinceGap, offset + index + 1);
			} else if (count > 0 && (++gap > separatorBytesMax || kind !== separator)) {
				count = 0;
				sinceGap = 0;
				gap = 0;
			}
		}
		state = { count, sinceGap, gap, ending };
	};
}
