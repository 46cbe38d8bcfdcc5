// The file of `--out`: always a new one, and there before what goes into it is asked for.

import { open, rm } from "node:fs/promises";
import { Refusal } from "./run.ts";

/**
 * Over no file that is there; nothing of it is left when `read` fails.
 * @param mode as of `open` @throws Refusal where it can't be made, and whatever `read` throws
 */
export async function writeNew(
	path: string,
	read: () => Promise<string | Iterable<string>>,
	mode?: number,
): Promise<void> {
	const file = await open(path, "wx", mode).catch(() => {
		throw new Refusal(`${path} can't be written, or is there already: give another --out.`);
	});
	try {
		await file.writeFile(await read());
	} catch (error) {
		// Why it failed is what counts, also where the file is gone already or can't be removed.
		await rm(path).catch(() => undefined);
		throw error;
	} finally {
		await file.close();
	}
}
