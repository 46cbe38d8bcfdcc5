// Password hashing by argon2id (RFC 9106), a few at a time: each takes memory, and strangers may ask for it.

import { argon2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { limits } from "../../domain/limits.ts";
import { normalisePassword } from "../../domain/password.ts";
import type { PasswordHash } from "../../domain/person.ts";
import { createTurns } from "../../domain/turns.ts";

export type Passwords = ReturnType<typeof createPasswords>;

// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const cost = { memoryKib: 19_456, passes: 2 };
const hashBytes = 32;
const derive = promisify(argon2);

export function createPasswords() {
	const inTurn = createTurns(limits.passwordHashesMax, limits.passwordHashesWaitingMax);

	async function hashBytesOf(password: string, { salt, memoryKib, passes }: Omit<PasswordHash, "hash">) {
		const message = normalisePassword(password);
		const nonce = Buffer.from(salt, "base64url");
		return inTurn(() =>
			derive("argon2id", { message, nonce, parallelism: 1, tagLength: hashBytes, memory: memoryKib, passes }),
		);
	}

	return {
		/** @param salt base64url, of one login name @throws LetheError rate_limited when too many wait */
		async hash(password: string, salt: string): Promise<PasswordHash> {
			const of = { salt, ...cost };
			return { ...of, hash: (await hashBytesOf(password, of)).toString("base64url") };
		},
		/**
		 * Which of these hashes is the password's. The same work for none as for one, and for all of one login name, whose
		 * salt is one: how long it takes tells nobody whether a name is known.
		 * @throws LetheError rate_limited when too many wait
		 */
		async match<Of extends { password: PasswordHash }>(
			password: string,
			candidates: Of[],
			salt: string,
		): Promise<Of[]> {
			const made = new Map<string, Buffer>();
			for (const of of candidates.length > 0
				? candidates.map((candidate) => candidate.password)
				: [{ salt, ...cost }]) {
				const name = nameOf(of);
				if (!made.has(name)) made.set(name, await hashBytesOf(password, of));
			}
			return candidates.filter(({ password: of }) =>
				timingSafeEqual(made.get(nameOf(of)) as Buffer, Buffer.from(of.hash, "base64url")),
			);
		},
	};
}

function nameOf({ salt, memoryKib, passes }: Omit<PasswordHash, "hash">): string {
	return `${salt} ${memoryKib} ${passes}`;
}
