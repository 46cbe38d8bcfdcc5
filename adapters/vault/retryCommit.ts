// OpenBao answers 500 when two writes to the same AppRole commit at once; the loser has changed nothing and may repeat.

import { setTimeout as sleep } from "node:timers/promises";
import { vaultFailure } from "./connection.ts";

const triesMax = 6;
const pauseFirstMs = 20;

/** Repeats a write that Vault refused with 500. @throws what the last try threw */
export async function retryCommit<T>(write: () => Promise<T>): Promise<T> {
	for (let tries = 1; ; tries++) {
		try {
			return await write();
		} catch (error) {
			if (tries === triesMax || vaultFailure(error)?.status !== 500) throw error;
			await sleep(pauseFirstMs * 2 ** tries);
		}
	}
}
