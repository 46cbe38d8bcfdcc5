// The ledger: every entry in every place before the act, the store's epoch beside them, and who may be told that all is well.

import { randomUUID } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { isId } from "../../domain/ids.ts";
import {
	compareEpochs,
	type Epoch,
	type EpochStanding,
	isOld,
	keyOf,
	type LedgerEntry,
	mayFollow,
	type WaitingEntry,
} from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";
import { setByEnding } from "../../domain/subject.ts";
import type { Store } from "../mongo/store.ts";

/** One place outside the stores. The first entry of an id stands. */
export type LedgerPlace = {
	name: string;
	put: (entry: LedgerEntry) => Promise<void>;
	forget: (kind: LedgerEntry["kind"], id: string) => Promise<void>;
	all: () => Promise<LedgerEntry[]>;
	/** Which it has, as `keyOf` names them; cheaper than all of them. */
	keys: () => Promise<string[]>;
	readEpoch: () => Promise<Epoch | undefined>;
	/** Compare-and-set; nothing where `follows` says no of what stands at that moment. */
	writeEpoch: (epoch: Epoch, follows: (standing: Epoch | undefined) => boolean) => Promise<void>;
};

export type Ledger = ReturnType<typeof createLedger>;

/** Where the store itself keeps its epoch. */
export type EpochStore = {
	read: () => Promise<Epoch | undefined>;
	/** Compare-and-set; false when it is another by now. */
	advance: (from: Epoch | undefined, to: Epoch) => Promise<boolean>;
};

/** What is in force in the store, and could not be put outside yet. */
export type WaitingStore = {
	/** Those that wait for the longest. */
	oldest: (itemsMax: number) => Promise<WaitingEntry[]>;
	remove: (id: string) => Promise<void>;
};

type LedgerDeps = {
	store: EpochStore;
	waiting: WaitingStore;
	tenants: Pick<Store["tenants"], "find" | "reviseStanding">;
	subjectRecords: Pick<Store["subjectRecords"], "find" | "end">;
	main: LedgerPlace;
	witness?: LedgerPlace | undefined;
	clock: () => number;
	randomEpoch: () => string;
};

/** `witness` is optional. Throws LetheError keys_unavailable or store_unavailable when a place can't be reached. */
export function createLedger(deps: LedgerDeps) {
	const { store, clock } = deps;
	const places = placesOf(deps);
	const { put, putWhole, putStanding, enterWaiting, waitingEntries, dropReleases } = createEntering(deps);

	async function read() {
		const [stored, ...placed] = await Promise.all([store.read(), ...places.map((place) => place.readEpoch())]);
		const [mainEpoch, witnessEpoch] = placed;
		const standing = compareEpochs(stored, { main: mainEpoch, witness: witnessEpoch });
		return { stored, mainEpoch, standing, placed, known: [stored, ...placed] };
	}

	/** @param known what was read before: what has come since and is none of it stays. */
	async function writeEpoch(epoch: Epoch, known: (Epoch | undefined)[]): Promise<void> {
		for (const place of places) await place.writeEpoch(epoch, (standing) => mayFollow(epoch, standing, known));
	}

	/** Every entry of every place, and of those that wait in the store, each once. */
	async function all(): Promise<LedgerEntry[]> {
		const found = [await waitingEntries(), ...(await Promise.all(places.map((place) => place.all())))];
		return [...new Map(found.flat().map((entry) => [keyOf(entry), entry])).values()];
	}

	/** Has each place hold what another does: one that is from a copy, or new, lacks it. Answers how many entries it put. */
	async function fill(): Promise<number> {
		const lacking = await findLacking(places);
		const count = lacking.reduce((sum, { keys }) => sum + keys.size, 0);
		const entries = count > 0 ? await all() : [];
		for (const { place, keys } of lacking) {
			for (const entry of entries) if (keys.has(keyOf(entry))) await place.put(entry);
		}
		return count;
	}

	return {
		/**
		 * Writes an entry down; durable in every place when it answers, and the first of an id stands. One place that is away
		 * keeps no other from having it.
		 */
		put,
		/** Writes down where a tenant stands by now. */
		putStanding,
		/**
		 * The same for what permits: no place tells a restore of it that is not done. Throws, and no place has it, when one
		 * is away; one whose answer got lost may.
		 */
		putWhole,
		/** Forgets what no law keeps any more. */
		async forget(kind: LedgerEntry["kind"], id: string): Promise<void> {
			for (const place of places) await place.forget(kind, id);
		},
		all,
		fill,
		...createLooks(read, places),
		/** How the store stands to what is known outside of it, and what it says of itself. */
		life: (): Promise<{ stored: Epoch | undefined; standing: EpochStanding }> => read(),
		/** Until when the ledger knows everything that it is for, epoch ms; undefined when it knows nothing yet. */
		async knownUntil(): Promise<number | undefined> {
			const epochs = await Promise.all(places.map((place) => place.readEpoch()));
			const at = Math.max(...epochs.map((epoch) => epoch?.at ?? 0));
			return at > 0 ? at - limits.clockSkewMs : undefined;
		},
		/**
		 * One beat further, the store first; nothing when they do not stand together. What waits is entered before it: while
		 * some is left there is no beat, so that each says of its time that nothing was lacking.
		 */
		async beat(): Promise<EpochStanding> {
			const at = clock();
			const { stored, mainEpoch, standing, known } = await read();
			if (standing !== "current" && standing !== "new") return standing;
			if (!(await enterWaiting())) return standing;
			// Behind by one: whoever wrote the store died before it told the ledger.
			if (stored && mainEpoch?.beat !== stored.beat) await writeEpoch(stored, known);
			const next = { epoch: stored?.epoch ?? deps.randomEpoch(), beat: (stored?.beat ?? 0) + 1, at };
			if (await store.advance(stored, next)) await writeEpoch(next, known);
			return "current";
		},
		/**
		 * Begins a new life of the store: what is restored after this from a copy of before it is known to be old. Every place
		 * has all entries by then: whichever is restored next, what it says is all that there is.
		 */
		async begin(): Promise<void> {
			await fill();
			await dropReleases();
			const { stored, known } = await read();
			const next = { epoch: deps.randomEpoch(), beat: 1, at: clock() };
			if (!(await store.advance(stored, next))) throw new LetheError("store_unavailable", { cause: "another restore" });
			await writeEpoch(next, known);
		},
	};
}

type Release = Extract<LedgerEntry, { kind: "ended" }>;

function isRelease(entry: LedgerEntry): entry is Release {
	return entry.kind === "ended" && isId("hold", entry.record);
}

function placesOf({ main, witness }: Pick<LedgerDeps, "main" | "witness">): LedgerPlace[] {
	return witness ? [main, witness] : [main];
}

/** What people are told of the places. */
function createLooks(
	read: () => Promise<{ stored: Epoch | undefined; standing: EpochStanding; placed: (Epoch | undefined)[] }>,
	places: LedgerPlace[],
) {
	return {
		/** How many entries each place lacks that another has. */
		async lacking(): Promise<{ name: string; count: number }[]> {
			return (await findLacking(places)).map(({ place, keys }) => ({ name: place.name, count: keys.size }));
		},
		/**
		 * The places that the last beats did not reach: the worker can't write there, or writes to others. In quarantine, where
		 * it writes none, none.
		 */
		async unreached(): Promise<string[]> {
			const { stored, standing, placed } = await read();
			if (!stored || isOld(standing)) return [];
			// One beat less may only be under way.
			const isReached = (epoch?: Epoch) => (epoch?.epoch === stored.epoch ? epoch.beat : 0) >= stored.beat - 1;
			return places.filter((_, index) => !isReached(placed[index])).map(({ name }) => name);
		},
	};
}

/** What each place lacks of what others have. Looked at twice: what is being put just now is in one before the other. */
async function findLacking(places: LedgerPlace[]): Promise<{ place: LedgerPlace; keys: Set<string> }[]> {
	async function look(): Promise<Set<string>[]> {
		const held = await Promise.all(places.map(async (place) => new Set(await place.keys())));
		return held.map((own) => new Set(held.flatMap((keys) => [...keys].filter((key) => !own.has(key)))));
	}
	const first = await look();
	if (first.every(({ size }) => size === 0)) return places.map((place) => ({ place, keys: new Set() }));
	const second = await look();
	return places.map((place, at) => ({
		place,
		keys: new Set([...(first[at] ?? [])].filter((key) => second[at]?.has(key))),
	}));
}

function createEntering(deps: LedgerDeps) {
	const { waiting, tenants, subjectRecords, main, witness, clock } = deps;
	const places = placesOf(deps);

	async function put(entry: LedgerEntry): Promise<void> {
		const done = await Promise.allSettled(places.map((place) => place.put(entry)));
		for (const result of done) if (result.status === "rejected") throw result.reason;
	}

	// The place that can be taken back is asked first.
	async function putWhole(entry: LedgerEntry): Promise<void> {
		await witness?.put(entry);
		try {
			await main.put(entry);
		} catch (error) {
			await witness?.forget(entry.kind, entry._id).catch(() => undefined);
			throw error;
		}
	}

	// A revision is made before it is read: of two who tell where it stands, the one who read later tells of a later one.
	async function putStanding(tenantId: string): Promise<void> {
		await tenants.reviseStanding(tenantId);
		const { standing, standingRevision: revision = 0 } = (await tenants.find(tenantId)) ?? {};
		const _id = `${tenantId}-${randomUUID()}`;
		await put({ _id, kind: "tenant", tenantId, revision, ...(standing && { standing }) });
	}

	/** Has the store do what its ledger says: whoever was about to died in between. */
	async function follow({ record: id, ended, eraseBy }: Release): Promise<void> {
		const record = await subjectRecords.find(id);
		if (record?.kind !== "hold") return;
		await subjectRecords.end(id, ended, setByEnding(record, { nextCheckAt: clock(), eraseBy }));
	}

	/** One page of what waits, the longest waiting first. True when nothing is left. */
	async function enterWaiting(): Promise<boolean> {
		const page = await waiting.oldest(limits.ledgerPageItems);
		let isLeft = page.length === limits.ledgerPageItems;
		for (const { _id, entry, at } of page) {
			// Whoever is about to change a tenant's standing, or to release a hold, does so, unless they died.
			const isUnderWay = (entry.kind === "tenant" || isRelease(entry)) && at > clock() - limits.driverPatienceMs;
			isLeft ||= isUnderWay;
			if (isUnderWay) continue;
			await (entry.kind === "tenant" ? putStanding(entry.tenantId) : put(entry));
			if (isRelease(entry)) await follow(entry);
			await waiting.remove(_id);
		}
		return !isLeft;
	}

	/** What waits, but for releases: these are only about to be done, until a place has them. */
	async function waitingEntries(): Promise<LedgerEntry[]> {
		const waits = await waiting.oldest(limits.ledgerWaitingMax);
		return waits.flatMap(({ entry }) => (isRelease(entry) ? [] : entry));
	}

	/** Of releases that waited in a copy: nobody is at them any more, and what no place had when it was applied is not done. */
	async function dropReleases(): Promise<void> {
		const waits = await waiting.oldest(limits.ledgerWaitingMax);
		for (const { _id, entry } of waits) if (isRelease(entry)) await waiting.remove(_id);
	}

	return { put, putWhole, putStanding, enterWaiting, waitingEntries, dropReleases };
}
