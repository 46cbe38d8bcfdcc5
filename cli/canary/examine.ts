// One place that is searched, and what the search of it says: hits, and whether its controls were found.

import { type Needle, needlesOf, type Sample, samplesOf, type Term } from "./encodings.ts";
import { createSearch, type Hit, type Sink } from "./search.ts";

/** Opens a sink for one source within a place: a file, a collection, a key, a history. */
export type Open = (source: string) => Sink;

export type Place = {
	name: string;
	/** Text places can't hold raw bytes, so only the encodings that are text are planted there. */
	holds: "bytes" | "text";
	/** Plants every sample, for real; answers in which sources each of them must be found, and how to take them away. */
	plant: (samples: readonly Sample[]) => Promise<Planted>;
	/** Reads everything there is. @throws when any of it can't be read */
	read: (open: Open) => Promise<void>;
};

export type Planted = { sources: string[]; remove: () => Promise<void> };

/** A term found in an encoding: how often, and where first. */
export type FoundHit = { source: string; term: string; encoding: string; offset: number; count: number };

export type PlaceReport = {
	place: string;
	/** All of it was read, and every planted control was found. */
	read: boolean;
	sourceCount: number;
	bytes: number;
	controls: { planted: number; found: number; missing: string[] };
	hits: FoundHit[];
	error?: string;
};

export type Examine = ReturnType<typeof createExamine>;

/**
 * Searches places for `canaries`. `controls` are other terms, planted and searched for in the same way; finding them
 * proves that the place was read, in every encoding.
 */
export function createExamine(options: { canaries: readonly Term[]; controls: readonly Term[]; signal?: AbortSignal }) {
	const terms = [...options.canaries, ...options.controls];
	const needles: Needle[] = needlesOf(terms);
	const samples = samplesOf(options.controls);

	return async function examine(place: Place): Promise<PlaceReport> {
		const fitting = samples.filter((sample) => place.holds === "bytes" || sample.isText);
		const tally = createTally(options.canaries);
		const search = createSearch({ needles, terms, onHit: tally.add });
		const counted = count(search.open, options.signal);
		let planted: Planted = { sources: [], remove: async () => undefined };
		let error: string | undefined;
		try {
			planted = await place.plant(fitting);
			await place.read(counted.open);
		} catch (failure) {
			error = reasonOf(failure);
		}
		await planted.remove().catch((failure) => {
			error ??= `its controls could not be taken away: ${reasonOf(failure)}`;
		});
		const wanted = planted.sources.flatMap((source) => fitting.map((sample) => controlKey(source, sample)));
		const missing = wanted.filter((key) => !tally.controls.has(key));
		return {
			place: place.name,
			read: error === undefined && wanted.length > 0 && missing.length === 0,
			sourceCount: counted.sources.size,
			bytes: counted.bytes(),
			controls: { planted: wanted.length, found: wanted.length - missing.length, missing },
			hits: [...tally.hits.values()],
			...(error === undefined ? {} : { error }),
		};
	};
}

function controlKey(source: string, { encoding, term }: Pick<Sample, "encoding" | "term">): string {
	return `${source}: ${term.label} as ${encoding}`;
}

function createTally(canaries: readonly Term[]) {
	const hits = new Map<string, FoundHit>();
	const controls = new Set<string>();

	function add({ source, term, encodings, via, offset }: Hit): void {
		if (!canaries.includes(term)) {
			// Inside a compressed stream, a control proves the stream's encoding and no other.
			const proven = via.length === 0 ? encodings : via.slice(0, 1);
			for (const encoding of proven) controls.add(controlKey(source, { encoding, term }));
			return;
		}
		const encoding = [...via, encodings.join(" or ")].join(" > ");
		const key = `${source}\n${term.label}\n${encoding}`;
		const known = hits.get(key);
		if (known) known.count++;
		else hits.set(key, { source, term: term.label, encoding, offset, count: 1 });
	}

	return { hits, controls, add };
}

function count(open: Open, signal: AbortSignal | undefined) {
	const sources = new Set<string>();
	let bytes = 0;
	return {
		sources,
		bytes: () => bytes,
		open(source: string): Sink {
			sources.add(source);
			const sink = open(source);
			return {
				end: sink.end,
				write(chunk) {
					signal?.throwIfAborted();
					bytes += chunk.length;
					return sink.write(chunk);
				},
			};
		},
	};
}

function reasonOf(failure: unknown): string {
	const { message, code } = failure as { message?: string; code?: string | number };
	return (message || String(code ?? failure)).split("\n")[0] as string;
}
