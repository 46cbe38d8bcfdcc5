// Published pack versions as a chain of digests: how one is made, and whether what a store holds is what was published.

import { LetheError } from "../domain/errors.ts";
import type { PolicyVersion } from "../domain/proposal.ts";
import { formatInstant } from "./durations.ts";
import { hashText, readPack } from "./load.ts";
import type { LoadedPack } from "./packSet.ts";

/** A published version, read and checked. */
export type PublishedPack = LoadedPack & { document: PolicyVersion };

/** The next revision after those that stand. */
export function makeVersion(
	standing: readonly PolicyVersion[],
	fields: Omit<PolicyVersion, "_id" | "revision" | "previous" | "digest">,
): PolicyVersion {
	const revision = standing.length + 1;
	const unsigned = { ...fields, _id: revisionId(revision), revision, previous: standing.at(-1)?.digest ?? "" };
	return { ...unsigned, digest: digestOf(unsigned) };
}

/**
 * Checks every revision, from the first on.
 * @param publishedCount how many proposals say that they were published
 * @param known what was read before: the same text is not read again, however many there are
 * @throws LetheError policies_unavailable, whose cause says which revision is wrong and how
 */
export function verifyPublished(
	documents: readonly PolicyVersion[],
	publishedCount: number,
	known: readonly LoadedPack[] = [],
): PublishedPack[] {
	if (documents.length < publishedCount) {
		throw unverified(`${publishedCount} versions were published, ${documents.length} are stored: restore the others`);
	}
	const read = new Map(known.map((pack) => [textOf(pack.file.id, pack.file.version, pack.sha256), pack]));
	return documents.map((document, index) => verifyOne(document, documents[index - 1], index + 1, read));
}

function verifyOne(
	document: PolicyVersion,
	before: PolicyVersion | undefined,
	revision: number,
	read: ReadonlyMap<string, LoadedPack>,
): PublishedPack {
	const name = `revision ${revision} (${document.pack} ${document.version})`;
	if (document.revision !== revision || document._id !== revisionId(revision)) {
		throw unverified(`revision ${revision} is missing: restore it`);
	}
	if (document.previous !== (before?.digest ?? "")) throw unverified(`${name} does not follow the one before it`);
	if (hashText(document.text) !== document.sha256) throw unverified(`${name}: its text is not the one published`);
	if (digestOf(document) !== document.digest) throw unverified(`${name} is not as it was published`);
	const { pack, version, sha256: hash } = document;
	const { file, sha256 } = read.get(textOf(pack, version, hash)) ?? parse(document, name);
	return { file: { ...file, effectiveFrom: formatInstant(document.effectiveFrom) }, sha256, document };
}

const textOf = (pack: string, version: string, sha256: string) => `${pack} ${version} ${sha256}`;

function parse({ text, pack, version }: PolicyVersion, name: string): LoadedPack {
	try {
		return readPack(text, `${pack}/${version}.yaml`);
	} catch (error) {
		throw unverified(`${name} can't be read by this release: ${(error as Error).message}`);
	}
}

/** A failure that stops every decision. @param why one line for whoever mends it */
export function unverified(why: string): LetheError {
	return new LetheError("policies_unavailable", { cause: why });
}

function revisionId(revision: number): string {
	return String(revision).padStart(6, "0");
}

function digestOf(version: Omit<PolicyVersion, "digest">): string {
	const { revision, pack, sha256, effectiveFrom, proposalId, publishedBy, publishedAt, approval, previous } = version;
	const { by, at, verified } = approval;
	const who = [proposalId, publishedBy, publishedAt, by, at, verified];
	return hashText(JSON.stringify([revision, pack, version.version, sha256, effectiveFrom, who, previous]));
}
