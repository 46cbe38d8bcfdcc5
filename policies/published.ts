// What has been published never changes: the list of published versions with the SHA-256 of each text.

import { z } from "zod";
import type { PackFault } from "./faults.ts";

type Located = PackFault & { file: string };
type Stored = { path: string; id: string; version: string; sha256: string };
export type Published = z.output<typeof publishedSchema>;

const publishedSchema = z.strictObject({
	packs: z.array(
		z.strictObject({
			id: z.string(),
			version: z.string(),
			sha256: z.string().regex(/^[0-9a-f]{64}$/),
			publishedOn: z.iso.date(),
		}),
	),
});

/** Reads the list. @throws SyntaxError or ZodError when it is none */
export function parsePublished(text: string): Published {
	return publishedSchema.parse(JSON.parse(text));
}

/** Where the files and the list differ: a changed text, a version that is gone, one that was never published. */
export function findUnpublished(stored: readonly Stored[], { packs }: Published, listFile: string): Located[] {
	const nameOf = ({ id, version }: { id: string; version: string }) => `${id} ${version}`;
	const listed = new Map(packs.map((entry) => [nameOf(entry), entry]));
	const there = new Set(stored.map(nameOf));
	return [
		...stored.flatMap((pack): Located[] => {
			const entry = listed.get(nameOf(pack));
			const at = { file: pack.path, line: 1 };
			if (!entry) {
				const mend = "Publish it with `npm run policies:seal`, or remove it.";
				return [{ ...at, message: `${nameOf(pack)} is not published`, mend }];
			}
			if (entry.sha256 === pack.sha256) return [];
			const mend = `Restore it, and write the change as a new version, ${nextVersion(pack.version)} for instance.`;
			return [
				{ ...at, message: `${nameOf(pack)} was published on ${entry.publishedOn} and has been changed since`, mend },
			];
		}),
		...packs
			.filter((entry) => !there.has(nameOf(entry)))
			.map((entry) => ({
				file: listFile,
				line: 1,
				message: `${nameOf(entry)} was published on ${entry.publishedOn} and its file is gone`,
				mend: "Restore the file.",
			})),
	];
}

/** The list with the versions that it did not hold; what it holds stays as it is. @param day ISO 8601 */
export function addPublished(stored: readonly Stored[], { packs }: Published, day: string): Published {
	const listed = new Set(packs.map(({ id, version }) => `${id} ${version}`));
	const added = stored.filter(({ id, version }) => !listed.has(`${id} ${version}`));
	return { packs: [...packs, ...added.map(({ id, version, sha256 }) => ({ id, version, sha256, publishedOn: day }))] };
}

/** The version to give a change. */
export function nextVersion(version: string): string {
	const [major = "1", minor = "0", patch = "0"] = version.split(".");
	return `${major}.${minor}.${Number(patch) + 1}`;
}

/** The version to give a change that begins later: changes until then find numbers below it. */
export function nextMinorVersion(version: string): string {
	const [major = "1", minor = "0"] = version.split(".");
	return `${major}.${Number(minor) + 1}.0`;
}

/** Orders versions: negative where `one` is the lower. */
export function compareVersions(one: string, other: string): number {
	return one.localeCompare(other, "en", { numeric: true });
}
