// What a folder has is on the disk: a file's name is there only once its folder is, whatever was done for the file.

import { open } from "node:fs/promises";

export async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
