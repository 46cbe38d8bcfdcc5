// Sessions and sign-in challenges in Redis, under keyed hashes: whoever reads it can't use one, and emptied it opens nothing.

import { LetheError } from "../../domain/errors.ts";
import type { Session } from "../../domain/person.ts";
import type { ServerTls } from "../serverTls.ts";
import { createAttempts } from "./attempts.ts";
import { connectRedis } from "./connect.ts";

export type Sessions = ReturnType<typeof createSessions>;

/** Its calls throw LetheError sessions_unavailable while Redis does not answer: nobody is signed in then. */
export function createSessions(options: { url: string; prefix: string; tls?: ServerTls | undefined }) {
	const { connection, connect } = connectRedis(options.url, { commandTimeout: 5_000, tls: options.tls });
	const attempts = createAttempts({ connection, prefix: options.prefix });
	const keyOf = (mac: string) => `${options.prefix}:session:${mac}`;
	const listOf = (personId: string) => `${options.prefix}:sessions:${personId}`;
	const challengeOf = (mac: string) => `${options.prefix}:challenge:${mac}`;

	async function ask<T>(call: () => Promise<T>): Promise<T> {
		await connect();
		try {
			return await call();
		} catch (error) {
			throw new LetheError("sessions_unavailable", { cause: { source: "redis", reason: (error as Error).name } });
		}
	}

	return {
		/** Keeps a session for `idleMs` after its last use. */
		put: (mac: string, session: Session, { idleMs, lifeMs }: { idleMs: number; lifeMs: number }) =>
			ask(async () => {
				const list = listOf(session.personId);
				const all = connection.multi().set(keyOf(mac), JSON.stringify(session), "PX", idleMs);
				await all.sadd(list, mac).pexpire(list, lifeMs).exec();
			}),
		/** The session under one of these hashes, used just now. */
		use: (macs: readonly string[], idleMs: number) =>
			ask(async () => {
				for (const mac of macs) {
					const found = await connection.getex(keyOf(mac), "PX", idleMs);
					if (found !== null) return { mac, session: JSON.parse(found) as Session };
				}
				return undefined;
			}),
		/** A person's sessions, with how long ago each was used. */
		list: (personId: string, idleMs: number) =>
			ask(async () => {
				const found: { mac: string; session: Session; idleForMs: number }[] = [];
				for (const mac of await connection.smembers(listOf(personId))) {
					const [text, leftMs] = await Promise.all([connection.get(keyOf(mac)), connection.pttl(keyOf(mac))]);
					if (text === null) await connection.srem(listOf(personId), mac);
					else found.push({ mac, session: JSON.parse(text) as Session, idleForMs: Math.max(0, idleMs - leftMs) });
				}
				return found;
			}),
		end: (personId: string, mac: string) =>
			ask(async () => void (await connection.multi().del(keyOf(mac)).srem(listOf(personId), mac).exec())),
		/** Remembers a challenge that was handed out, with what is to be known when it comes back. */
		putChallenge: (mac: string, lifeMs: number, about: object = {}) =>
			ask(async () => void (await connection.set(challengeOf(mac), JSON.stringify(about), "PX", lifeMs))),
		/** What is known of one that was handed out under one of these hashes and not taken yet; once only. */
		takeChallenge: (macs: readonly string[]) =>
			ask(async () => {
				for (const mac of macs) {
					const found = await connection.getdel(challengeOf(mac));
					if (found !== null) return JSON.parse(found) as Record<string, unknown>;
				}
				return undefined;
			}),
		/** Counts a try before it is made; see `createAttempts`. */
		tryOnce: (...args: Parameters<typeof attempts.take>) => ask(() => attempts.take(...args)),
		forgive: (...args: Parameters<typeof attempts.forgive>) => ask(() => attempts.forgive(...args)),
		close: async (): Promise<void> => connection.disconnect(),
	};
}
