// The policies in force, opened once a process: what was shipped and what has been published since, checked before it counts.

import type { Decision, Facts, RetentionPlan } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { Approval, PackRef, PolicyVersion } from "../domain/proposal.ts";
import { type ContentFacts, contentFacts } from "./contentFacts.ts";
import { formatInstant } from "./durations.ts";
import { consider, evaluate } from "./evaluate.ts";
import { PackError } from "./faults.ts";
import { isCapped } from "./frequency.ts";
import { exchange, findInForce, freezePacks } from "./inForce.ts";
import { extendableTo } from "./judges/request.ts";
import { hashText, readPacks, readShipped } from "./load.ts";
import { type Applying, findApplying, indexPacks, judgedAt, type LoadedPack, type PackSet } from "./packSet.ts";
import { retentionPlan } from "./retention.ts";
import { type PublishedPack, unverified, verifyPublished } from "./revisions.ts";
import type { PackFile } from "./schema.ts";

export type Policies = ReturnType<typeof openPolicies>;

/** Where published versions are kept. Every call may throw when the store is away. */
export type PublishedSource = {
	/** The last revision's digest, undefined when nothing was published. Small: it is asked every second. */
	newest: () => Promise<string | undefined>;
	/** Every revision, the first one first. */
	all: () => Promise<PolicyVersion[]>;
	/** How many proposals say that they were published. */
	countPublished: () => Promise<number>;
};

/** One version of a pack, shipped with this release or published here. Times are epoch milliseconds. */
export type PackVersion = PackRef & {
	title: string;
	sha256: string;
	effectiveFrom: number;
	origin: "shipped" | "published";
	proposalId?: string;
	approval?: Approval;
};

type Known = { set: PackSet; packs: (LoadedPack & { document?: PolicyVersion })[]; revision: number; digest?: string };

/**
 * Reads and checks the packs; with `published` by the first `refresh`, before which nothing is decided, nor once what was
 * published can't be read or is not what was published: every question then throws policies_unavailable.
 * @throws Error in one line that names what is wrong with a shipped pack
 */
export function openPolicies(
	options: {
		directory?: string | undefined;
		/** `monotonic` in milliseconds: it says when what was read has become too old. */
		published?: { source: PublishedSource; monotonic: () => number };
	} = {},
) {
	const shipped = () => readPacks(options.directory);
	const follow = createFollower(shipped, options.published?.source, options.published?.monotonic ?? (() => 0));
	const now = (facts: Facts, at: number) => ({
		...facts,
		context: { ...facts.context, evaluatedAt: formatInstant(at) },
	});
	const inForce = (at: number) => {
		const { set, packs } = follow.known();
		const files = packs.map(({ file }) => file);
		const { name, ...found } = findInForce(files, set, at);
		return { ...found, fingerprint: hashText(name), published: packs.some(({ document }) => document !== undefined) };
	};
	return {
		/**
		 * Takes in what was published since. A failure shows in every later question.
		 * @throws Error as openPolicies
		 */
		refresh: follow.refresh,
		/** @throws LetheError policies_unavailable, whose cause says why nothing can be decided */
		check: (): void => void follow.known(),
		/** Every version there is, the shipped ones first. */
		versions: (): PackVersion[] => follow.known().packs.map(toVersion),
		/** The YAML of a version; undefined when there is none. */
		text(id: string, version: string): string | undefined {
			const pack = find(follow.known(), { id, version });
			return pack && (pack.document?.text ?? readShipped(id, version, options.directory));
		},
		/** A version, read; undefined when there is none. */
		file: (id: string, version: string): PackFile | undefined => find(follow.known(), { id, version })?.file,
		/** Decides one act. @throws LetheError invalid_request when the facts name no time */
		evaluate: (facts: Facts): Decision => evaluate(follow.known().set, facts),
		/** Decides it, and says by the same packs what else they say of it. @throws as evaluate */
		consider(facts: Facts): { decision: Decision; excluded: PackRef[]; retentionPlan: () => RetentionPlan } {
			const { set } = follow.known();
			const { decision, judged, applying } = consider(set, facts);
			const plan = () => retentionPlan(set, judged, applying);
			return { decision, excluded: excludedOf(applying), retentionPlan: plan };
		},
		/** Decides it anew as of `at`, epoch milliseconds. */
		reevaluate: (facts: Facts, at: number): Decision => evaluate(follow.known().set, now(facts, at)),
		/** The last day to which a person may extend the answer to a subject's request. @throws as evaluate */
		extendableTo(facts: Facts): string | undefined {
			const at = judgedAt(facts);
			return extendableTo(findApplying(follow.known().set, facts, at).packs, facts, at);
		},
		/** Whether a frequency rule asks how much was sent, at the facts' own time or at another. @throws as evaluate */
		isCapped: (facts: Facts, at?: number): boolean =>
			isCapped(follow.known().set, at === undefined ? facts : now(facts, at)),
		/** The interval of every retention object. @throws as evaluate */
		retentionPlan: (facts: Facts): RetentionPlan => retentionPlan(follow.known().set, facts),
		/** The same as of `at`. */
		replan: (facts: Facts, at: number): RetentionPlan => retentionPlan(follow.known().set, now(facts, at)),
		/** Packs that would apply to the facts, at their own time or at another, but for an exclusion. @throws as evaluate */
		excluded: (facts: Facts, at: number = judgedAt(facts)): PackRef[] =>
			excludedOf(findApplying(follow.known().set, facts, at)),
		/** What may be recorded of a text; the text itself is not kept. */
		contentFacts: (text: string): ContentFacts => contentFacts(text),
		/**
		 * What is in force at a time: since when, a fingerprint that changes with it, and whether anything was ever
		 * published here.
		 */
		inForce,
		/** The packs of a decision that was made; those that this process does not know are `missing`. */
		pinned(refs: readonly PackRef[]): { packs: PackSet; missing: PackRef[] } {
			const known = follow.known();
			const found = refs.flatMap((ref) => find(known, ref)?.file ?? []);
			return { packs: freezePacks(found), missing: refs.filter((ref) => !find(known, ref)) };
		},
		/** The packs in force at a time, without a change and with it. */
		preview(pack: PackFile, at: number): { before: PackSet; after: PackSet } {
			const { files } = inForce(at);
			return { before: freezePacks(files), after: freezePacks(exchange(files, pack)) };
		},
		/** Changes with every version that becomes known, whether it is in force or not. */
		basis: (): string => hashText(JSON.stringify(follow.known().set.versions)),
		/** Every pack there is, to check another against. */
		packs: (): LoadedPack[] => [...follow.known().packs],
	};
}

function excludedOf({ excluded, inForce }: Applying): PackRef[] {
	const ids = excluded.map(({ packId }) => packId);
	return inForce.flatMap(({ ref }) => (ids.includes(ref.id) ? [{ ...ref }] : []));
}

/** Keeps what was verified last, and knows when that must no longer be relied on. */
function createFollower(read: () => LoadedPack[], published: PublishedSource | undefined, monotonic: () => number) {
	let base: LoadedPack[] | undefined;
	// Once: what is on the disk later is another release's.
	const shipped = () => (base ??= read());
	let known = published ? undefined : index(shipped(), []);
	let fault: LetheError | undefined;
	let seenAt = Number.NEGATIVE_INFINITY;
	let verifiedAt = Number.NEGATIVE_INFINITY;
	let away = false;

	async function catchUp(source: PublishedSource): Promise<void> {
		const due = monotonic() - verifiedAt >= limits.policyVerifyMs;
		const before = known?.revision ?? 0;
		if (known && !fault && !due && (await source.newest()) === known.digest) return;
		// In this order: a version is stored before its proposal says so.
		const publishedCount = await source.countPublished();
		const documents = await source.all();
		if (documents.length < before) throw unverified("revisions that were there are gone: restore them");
		// Another look, whose answer came sooner, has seen what was published after this one was asked; or what is wrong with it.
		if (known && documents.length < known.revision) return;
		if (!known || fault || documents.at(-1)?.digest !== known.digest || due) {
			known = index(shipped(), verifyPublished(documents, publishedCount, known?.packs));
		}
		verifiedAt = monotonic();
		fault = undefined;
	}

	return {
		async refresh(): Promise<void> {
			if (!published) return;
			// Nothing that the store could be blamed for.
			shipped();
			try {
				await catchUp(published);
				away = false;
				seenAt = monotonic();
			} catch (error) {
				if (error instanceof PackError) throw error;
				if (error instanceof LetheError && error.code === "policies_unavailable") fault = error;
				// A store that is away says nothing against what was read before, for a while.
				away = true;
			}
		},
		known(): Known {
			if (fault) throw fault;
			if (!known || (away && monotonic() - seenAt > limits.policyStaleMs)) {
				throw unverified("the published versions could not be read: is MongoDB there?");
			}
			return known;
		},
	};
}

function index(shipped: readonly LoadedPack[], published: readonly PublishedPack[]): Known {
	const last = published.at(-1)?.document;
	// The same text may come with a later release: then the published one, with its date, is the one that counts.
	const rest = shipped.filter(({ file, sha256 }) => {
		const twin = published.find((pack) => pack.file.id === file.id && pack.file.version === file.version);
		if (twin && twin.sha256 !== sha256) {
			throw unverified(`${file.id} ${file.version} was published here, and this release has another text of it`);
		}
		return twin === undefined;
	});
	const packs = [...rest, ...published];
	try {
		const revision = published.length;
		return { set: indexPacks(packs), packs, revision, ...(last ? { digest: last.digest } : {}) };
	} catch (error) {
		if (published.length === 0) throw error;
		throw unverified(`what was published does not fit this release: ${(error as Error).message}`);
	}
}

function find({ packs }: Known, ref: PackRef) {
	return packs.find(({ file }) => file.id === ref.id && file.version === ref.version);
}

function toVersion({ file, sha256, document }: Known["packs"][number]): PackVersion {
	const { id, version, title } = file;
	const effectiveFrom = Date.parse(file.effectiveFrom);
	if (!document) return { id, version, title, sha256, effectiveFrom, origin: "shipped" };
	const { proposalId, approval } = document;
	return { id, version, title, sha256, effectiveFrom, origin: "published", proposalId, approval };
}
